"""Every connection of the API: its handshake, its invocations and its end."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Any, TypeGuard, cast

from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from graphql_api.local.gateway.connection import ABNORMAL, GOING_AWAY, Connection, Limits
from graphql_api.local.gateway.event import (
    Event,
    connect_event,
    disconnect_event,
    message_event,
    subprotocol,
)
from graphql_api.local.gateway.management import Faults, ManagementApi

SHUTDOWN_SECONDS = 5.0

Response = dict[str, Any]
Handler = Callable[[Event], Awaitable[Response]]

_log = logging.getLogger(__name__)


class WebSocketGateway:
    """`handler` behind `$connect`, `$default` and `$disconnect`, and the API that posts to its clients.

    Each event is an invocation of its own; two messages of one socket may run at once and end in any order.
    What the handler returns for a message is dropped, as AWS does without a route response. It alone decides
    who may connect, so the routes belong outside the application's own authentication.
    """

    def __init__(
        self, handler: Handler, *, stage: str, limits: Limits | None = None, faults: Faults | None = None
    ) -> None:
        self._handler = handler
        self._stage = stage
        self._limits = limits or Limits()
        self._faults = faults or Faults()
        self._connections: dict[str, Connection] = {}
        self._running: set[asyncio.Future[Any]] = set()
        self._is_closing = False

    def routes(self, path: str, management: str) -> list[BaseRoute]:
        """For clients at `path`, and for our functions at `{management}/@connections/{id}`."""
        api = ManagementApi(self._connections, self._limits, self._faults)
        connections = f"{management}/@connections/{{connection_id}}"
        return [
            WebSocketRoute(path, self._serve),
            Route(connections, api.handle, methods=["GET", "POST", "DELETE"]),
        ]

    async def close(self, seconds: float = SHUTDOWN_SECONDS) -> None:
        """Close every socket with 1001 and wait for what runs; cancel what takes longer than `seconds`."""
        self._is_closing = True
        for connection in self._connections.values():
            connection.end(GOING_AWAY)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._running:
                    await asyncio.wait(self._running)
        for task in self._running:
            task.cancel()

    async def _serve(self, socket: WebSocket) -> None:
        connection = Connection(socket, self._limits)
        event = connect_event(connection, self._stage)
        response = await self._invoke(event)
        status = response["statusCode"] if response else HTTPStatus.INTERNAL_SERVER_ERROR
        if response and 200 <= status < 300:
            # close() waits for it, which the server's own task would outlast.
            await self._spawn(self._carry(connection, subprotocol(response)))
        else:
            known = status if 400 <= status < 600 else HTTPStatus.INTERNAL_SERVER_ERROR
            await socket.send_denial_response(JSONResponse(_failure("Connection refused", event), known))

    async def _carry(self, connection: Connection, protocol: str | None) -> None:
        close = ABNORMAL
        try:
            await connection.socket.accept(protocol)
            self._connections[connection.id] = connection
            if self._is_closing:
                connection.end(GOING_AWAY)
            close = await connection.run(partial(self._receive, connection))
        finally:
            self._connections.pop(connection.id, None)
            if not self._faults.loses_disconnect(connection.id):
                self._spawn(self._invoke(disconnect_event(connection, self._stage, close)))

    def _receive(self, connection: Connection, body: str) -> None:
        self._spawn(self._default(connection, message_event(connection, self._stage, body)))

    async def _default(self, connection: Connection, event: Event) -> None:
        if await self._invoke(event) is None:
            connection.post(json.dumps(_failure("Internal server error", event)))

    async def _invoke(self, event: Event) -> Response | None:
        """The handler's response; None if it failed, answered nonsense or takes too long."""
        invocation = self._note(asyncio.ensure_future(self._handler(event)))
        done, _ = await asyncio.wait({invocation}, timeout=self._limits.integration_seconds)
        outcome: Any = TimeoutError("the integration's time is over")
        if done:
            [outcome] = await asyncio.gather(invocation, return_exceptions=True)
        if _is_response(outcome):
            return outcome
        error = outcome if isinstance(outcome, BaseException) else None
        route = event["requestContext"]["routeKey"]
        _log.error("A WebSocket invocation gave no response.", exc_info=error, extra={"route": route})
        return None

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Future[Any]:
        return self._note(asyncio.create_task(work))

    def _note(self, task: asyncio.Future[Any]) -> asyncio.Future[Any]:
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task


def _is_response(outcome: Any) -> TypeGuard[Response]:
    return isinstance(outcome, dict) and isinstance(cast("Response", outcome).get("statusCode"), int)


def _failure(message: str, event: Event) -> dict[str, str]:
    context = event["requestContext"]
    return {
        "message": message,
        "connectionId": context["connectionId"],
        "requestId": context["requestId"],
    }
