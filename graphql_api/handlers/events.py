"""The events of real time, in AWS's shapes, to what handles them: WebSockets, the stream, a schedule."""

import logging
from collections.abc import Mapping
from typing import Any, Protocol
from uuid import uuid4

from graphql_api.deadline import Deadline
from graphql_api.handlers import loop
from graphql_api.handlers.function import Services as LambdaServices
from graphql_api.handlers.function import make_ready
from graphql_api.realtime.ingest import Ingest
from graphql_api.realtime.protocol import FAREWELL_SECONDS, HandshakeError
from graphql_api.realtime.protocol import Protocol as WebSocketProtocol
from graphql_api.realtime.services import RealtimeServices
from graphql_api.realtime.sweep import Sweep
from graphql_api.telemetry import log_fields

MARGIN_SECONDS = 1.0  # Left to answer before Lambda ends the invocation.
MAX_SECONDS = 28.0  # API Gateway waits 29 s for a WebSocket route.

Event = Mapping[str, Any]
Response = dict[str, Any]

_log = logging.getLogger(__name__)


class Services(LambdaServices, Protocol):
    """What these doors are built from."""

    @property
    def realtime(self) -> RealtimeServices: ...


class WebSocketHandler:
    """`$connect`, `$default` and `$disconnect` of an API Gateway WebSocket API.

    Everything is said through the management API; of the response only the status and, from `$connect`, the
    sub-protocol count. It fails towards the gateway only where a client could neither be answered nor closed:
    then the gateway's own error frame ends it, which is better than silence.
    """

    def __init__(self, services: Services) -> None:
        self._services = services

    async def handle(self, event: Event, seconds: float = MAX_SECONDS) -> Response:
        """The response to one event; `seconds` is the time there is."""
        context = event["requestContext"]
        with log_fields(request_id=context["requestId"]):
            try:
                deadline = Deadline.after(min(seconds, MAX_SECONDS) - FAREWELL_SECONDS)
                return await self._route(event, context, deadline)
            except HandshakeError as refusal:
                _log.info("A connection is refused.", extra={"status": refusal.status})
                return {"statusCode": refusal.status}
            except Exception:
                _log.exception("A WebSocket event failed unexpectedly.")
                if context["eventType"] == "MESSAGE":
                    raise
                return {"statusCode": 500 if context["eventType"] == "CONNECT" else 200}

    async def _route(self, event: Event, context: Event, deadline: Deadline) -> Response:
        protocol = WebSocketProtocol(self._services.realtime, context["requestId"], deadline)
        connection_id = context["connectionId"]
        match context["eventType"]:
            case "CONNECT":
                chosen = await protocol.connect(connection_id, _headers(event))
                return {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": chosen}}
            case "DISCONNECT":
                await protocol.disconnect(connection_id)
            case _:
                await protocol.message(connection_id, event.get("body") or "")
        return {"statusCode": 200}

    def __call__(self, event: dict[str, Any], context: Any) -> Response:
        make_ready(self._services)
        return loop.run(self.handle(event, _seconds_left(context)))


class StreamHandler:
    """Batches of the data table's stream, from an event source mapping with ReportBatchItemFailures."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def handle(self, event: Event, seconds: float = MAX_SECONDS) -> Response:
        """Where the batch has to come again from; `seconds` is the time there is."""
        records = event["Records"]
        failed = await Ingest(self._services.realtime, Deadline.after(seconds)).run(records)
        if failed is None:
            return {"batchItemFailures": []}
        return {"batchItemFailures": [{"itemIdentifier": records[failed]["dynamodb"]["SequenceNumber"]}]}

    def __call__(self, event: dict[str, Any], context: Any) -> Response:
        make_ready(self._services)
        return loop.run(self.handle(event, _seconds_left(context)))


class SweepHandler:
    """What a schedule invokes every minute: sockets that have come to their end are closed."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def handle(self, seconds: float = MAX_SECONDS) -> int:
        """How many sockets were closed; `seconds` is the time there is."""
        sweep = Sweep(self._services.realtime, uuid4().hex, Deadline.after(seconds))
        return await sweep.run()

    def __call__(self, event: dict[str, Any], context: Any) -> None:
        make_ready(self._services)
        closed = loop.run(self.handle(_seconds_left(context)))
        _log.info("Sockets swept.", extra={"closed": closed})


def _headers(event: Event) -> dict[str, str]:
    given: Mapping[str, str] = event.get("headers") or {}
    return {name.lower(): value for name, value in given.items()}


def _seconds_left(context: Any) -> float:
    return context.get_remaining_time_in_millis() / 1000 - MARGIN_SECONDS
