"""The events of AWS, in its shapes, to what handles them: sockets, the stream, a schedule, a queue."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from uuid import uuid4

from graphql_api.audit.entry import AuditEvent, AuditKind, AuditOutcome
from graphql_api.audit.heads import Signer
from graphql_api.audit.recording import Audit, note
from graphql_api.deadline import Deadline
from graphql_api.errors import ApiError
from graphql_api.handlers import loop
from graphql_api.handlers.function import Services as LambdaServices
from graphql_api.handlers.function import make_ready
from graphql_api.lifecycle.jobs import Jobs
from graphql_api.realtime.endpoints import Endpoints, Wake
from graphql_api.realtime.ingest import Ingest
from graphql_api.realtime.protocol import FAREWELL_SECONDS, HandshakeError
from graphql_api.realtime.protocol import Protocol as WebSocketProtocol
from graphql_api.realtime.services import RealtimeServices
from graphql_api.realtime.sweep import Sweep
from graphql_api.sinks.rounds import Rounds
from graphql_api.sinks.sink import Sink
from graphql_api.telemetry import log_fields
from graphql_api.webhooks.services import WebhookServices
from graphql_api.webhooks.turn import Turn, WakeMessage

MARGIN_SECONDS = 1.0  # Left to answer before Lambda ends the invocation.
MAX_SECONDS = 28.0  # API Gateway waits 29 s for a WebSocket route.

Event = Mapping[str, Any]
Response = dict[str, Any]

_log = logging.getLogger(__name__)


class Services(LambdaServices, Protocol):
    """What these doors are built from."""

    @property
    def audit(self) -> Audit: ...
    @property
    def realtime(self) -> RealtimeServices: ...
    @property
    def webhooks(self) -> WebhookServices: ...
    @property
    def sinks(self) -> Sequence[Sink]: ...
    @property
    def signer(self) -> Signer | None: ...


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
        source = context.get("identity", {}).get("sourceIp")
        audited = self._services.audit.request(context["requestId"], source)
        with log_fields(request_id=context["requestId"]):
            async with audited:
                response = await self._answer(event, context, seconds)
            await flush_usage(self._services)
            return response

    async def _answer(self, event: Event, context: Event, seconds: float) -> Response:
        try:
            deadline = Deadline.after(min(seconds, MAX_SECONDS) - FAREWELL_SECONDS)
            return await self._route(event, context, deadline)
        except HandshakeError as refusal:
            note(_refused_handshake(refusal))
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
        async with self._services.audit.request(uuid4().hex, None):
            failed = await Ingest(self._services.realtime, Deadline.after(seconds)).run(records)
        await flush_usage(self._services)
        if failed is None:
            return {"batchItemFailures": []}
        return {"batchItemFailures": [{"itemIdentifier": records[failed]["dynamodb"]["SequenceNumber"]}]}

    def __call__(self, event: dict[str, Any], context: Any) -> Response:
        make_ready(self._services)
        return loop.run(self.handle(event, _seconds_left(context)))


class SweepHandler:
    """What a schedule invokes every minute: sockets that have come to their end are closed, webhooks are
    looked after, and the round over the tenants' logs goes on.
    """

    def __init__(self, services: Services) -> None:
        self._services = services

    async def handle(self, seconds: float = MAX_SECONDS) -> int:
        """How many sockets were closed; `seconds` is the time there is."""
        request_id, deadline = uuid4().hex, Deadline.after(seconds)
        services, realtime = self._services, self._services.realtime
        async with services.audit.request(request_id, None):
            closed = await Sweep(realtime, request_id, deadline).run()
        await Endpoints(realtime, deadline).look()
        await Rounds(realtime.sources, services.sinks, services.signer, deadline).run()
        await flush_usage(services)
        return closed

    def __call__(self, event: dict[str, Any], context: Any) -> None:
        make_ready(self._services)
        closed = loop.run(self.handle(_seconds_left(context)))
        _log.info("Sockets swept.", extra={"closed": closed})


class JobsHandler:
    """What a schedule invokes every minute: exports and erasures of tenants are advanced."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def handle(self, seconds: float = MAX_SECONDS) -> int:
        """How many steps were taken; `seconds` is the time there is."""
        return await Jobs(self._services.realtime, uuid4().hex, Deadline.after(seconds)).run()

    def __call__(self, event: dict[str, Any], context: Any) -> None:
        make_ready(self._services)
        steps = loop.run(self.handle(_seconds_left(context)))
        _log.info("Jobs advanced.", extra={"steps": steps})


class WebhookHandler:
    """Batches of the webhooks' queue, from an event source mapping with ReportBatchItemFailures."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def handle(self, event: Event, seconds: float = MAX_SECONDS) -> Response:
        """Which messages have to come again; `seconds` is the time there is. Turns are taken side by side."""
        deadline = Deadline.after(seconds)
        records: list[Event] = event["Records"]
        done = await asyncio.gather(*(self._turn(record, deadline) for record in records))
        await flush_usage(self._services)
        failed = [record["messageId"] for record, is_done in zip(records, done, strict=True) if not is_done]
        return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}

    async def _turn(self, record: Event, deadline: Deadline) -> bool:
        with log_fields(request_id=record["messageId"]):
            try:
                message = WakeMessage(record["messageId"], Wake.from_text(record["body"]))
                with log_fields(tenant=message.wake.tenant):
                    await Turn(self._services.webhooks, message, deadline).run()
            except ApiError as error:
                _log.warning("A webhook's turn comes again.", extra={"code": error.code})
                return False
            except Exception:  # noqa: BLE001 - the retry, and at last the dead letters, are the boundary
                _log.exception("A webhook's turn failed unexpectedly, and comes again.")
                return False
        return True

    def __call__(self, event: dict[str, Any], context: Any) -> Response:
        make_ready(self._services)
        return loop.run(self.handle(event, _seconds_left(context)))


async def flush_usage(services: Services) -> None:
    """Write the usage that waits, if it is time to: what had to be sent has been sent."""
    flush = services.realtime.usage.begin_flush()
    if flush is not None:
        await flush


def _refused_handshake(refusal: HandshakeError) -> AuditEvent:
    return AuditEvent(
        kind=AuditKind.SOCKET_REFUSED, outcome=AuditOutcome.REFUSED, code=f"HTTP_{refusal.status}"
    )


def _headers(event: Event) -> dict[str, str]:
    given: Mapping[str, str] = event.get("headers") or {}
    return {name.lower(): value for name, value in given.items()}


def _seconds_left(context: Any) -> float:
    return context.get_remaining_time_in_millis() / 1000 - MARGIN_SECONDS
