"""graphql-transport-ws over API Gateway: one method for each message, each its own invocation.

Answers go through the gateway alone. What the protocol says with close codes, which API Gateway cannot send,
is said otherwise: see docs/realtime.md, which has a heading for each message.
"""

import asyncio
import logging
import re
from collections.abc import Mapping, Sequence

from graphql_api.audit.entry import AuditKind
from graphql_api.auth.tokens import EXPIRED_TOKEN, INVALID_TOKEN, Claims
from graphql_api.deadline import Deadline
from graphql_api.errors import ApiError, DeadlineExceededError, ForbiddenError, UnauthenticatedError
from graphql_api.operations import Failure, describe
from graphql_api.operations.report import ErrorEntry
from graphql_api.realtime import messages
from graphql_api.realtime.connections import Connections
from graphql_api.realtime.gateway import GoneError, UndeliverableError
from graphql_api.realtime.heartbeat import Heartbeat
from graphql_api.realtime.messages import (
    SUBPROTOCOL,
    ClientMessage,
    Complete,
    ConnectionInit,
    InvalidMessageError,
    Payload,
    Ping,
    Subscribe,
)
from graphql_api.realtime.services import RealtimeServices
from graphql_api.realtime.socket import (
    AlreadySignedInError,
    DuplicateIdError,
    EndedBeforeError,
    Socket,
    SocketState,
    TooManyError,
    note_socket,
)
from graphql_api.realtime.subscribing import Subscribing
from graphql_api.telemetry import log_fields

MAX_MESSAGE_BYTES = 128 * 1024  # of a client's message (API Gateway)
# A client may send `subscribe` behind `connection_init` without waiting, and be handled side by side.
SIGN_IN_SECONDS = 1.0
_LOOK_SECONDS = 0.05
FAREWELL_SECONDS = 1.5  # Kept from the time of every message, to close what could not be answered.
_BEARER = re.compile(r"\Abearer +(\S+)\Z", re.IGNORECASE)
_BEARER_PROTOCOL = "bearer."
FAILED = "Something went wrong on our side."

_log = logging.getLogger(__name__)


class HandshakeError(Exception):
    """`$connect` refuses; `status` is the HTTP status that the client is answered."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Protocol:
    """The protocol's server side, for one invocation."""

    def __init__(self, services: RealtimeServices, request_id: str, deadline: Deadline) -> None:
        self._services = services
        self._request_id = request_id
        self._deadline = deadline
        self._connections = Connections(services, deadline)

    async def connect(self, connection_id: str, headers: Mapping[str, str]) -> str:
        """`$connect`: the sub-protocol to answer with. `headers` have lower-case names.

        Raises HandshakeError. Browsers always send Origin, and only those of the allow-list come in; other
        programs send none. A token may come as the sub-protocol `bearer.<token>`, for clients that cannot put
        it into `connection_init`.
        """
        origin = headers.get("origin")
        if origin is not None and origin not in self._services.allowed_origins:
            raise HandshakeError(403)
        offered = [name.strip() for name in headers.get("sec-websocket-protocol", "").split(",")]
        if SUBPROTOCOL not in offered:
            raise HandshakeError(400)
        tokens = [
            name.removeprefix(_BEARER_PROTOCOL) for name in offered if name.startswith(_BEARER_PROTOCOL)
        ]
        try:
            claims = await self._services.verify(tokens[0]) if tokens else None
        except UnauthenticatedError:
            raise HandshakeError(401) from None
        await self._connections.sockets.open(connection_id, claims)
        return SUBPROTOCOL

    async def disconnect(self, connection_id: str) -> None:
        """`$disconnect`: the client has gone."""
        await self._connections.forget(connection_id)

    async def message(self, connection_id: str, text: str) -> None:
        """A client's frame. If it fails, the client is not left waiting: it is disconnected where that is
        worth trying again, and ended for good where it is not. Raises where even that failed.
        """
        try:
            await self._message(connection_id, text)
        except ApiError as error:
            _log.warning("A message could not be handled in time.", extra={"code": error.code})
            await self._farewell(connection_id, [])
        except Exception:  # noqa: BLE001 - the client has to be told, whatever it was
            _log.exception("A message failed unexpectedly.")
            await self._farewell(connection_id, [messages.connection_error(FAILED, 4500)])

    async def _farewell(self, connection_id: str, frames: Sequence[bytes]) -> None:
        closed = await self._part_with(connection_id, frames)
        try:
            # Should it be open after all: what has ended is closed when it next says something.
            await Connections(self._services, Deadline.after(FAREWELL_SECONDS / 2)).forget(connection_id)
        except Exception:
            if not closed:
                raise
            _log.warning("A connection that was closed could not be forgotten yet.", exc_info=True)

    async def _part_with(self, connection_id: str, frames: Sequence[bytes]) -> bool:
        """Whether the client was sent the frames and its connection closed, for sure."""
        gateway, deadline = self._services.gateway, Deadline.after(FAREWELL_SECONDS / 2)
        try:
            for frame in frames:
                await gateway.post(connection_id, frame, deadline)
            await gateway.disconnect(connection_id, deadline)
        except (GoneError, UndeliverableError):
            return False
        return True

    async def _message(self, connection_id: str, text: str) -> None:
        socket = await self._connections.sockets.find(connection_id)
        if socket is None or socket.state is SocketState.ENDED:
            # It was disconnected, and the gateway could not close it then.
            await self._connections.drop(connection_id)
            return
        with log_fields(tenant=socket.tenant):
            try:
                await self._handle(socket, messages.parse(text, MAX_MESSAGE_BYTES))
            except InvalidMessageError as error:
                await self._close(socket, 4400, str(error))

    async def _handle(self, socket: Socket, message: ClientMessage) -> None:
        match message:
            case ConnectionInit():
                await self._connection_init(socket, message.payload)
            case Ping():
                await self._ping(socket, message.payload)
            case Subscribe():
                await self._subscribe(socket, message)
            case Complete():
                await self._connections.release(socket, message.id)
            case _:
                return

    async def _connection_init(self, socket: Socket, payload: Payload) -> None:
        if socket.state is not SocketState.OPEN:
            await self._close(socket, 4429, "Too many initialisation requests.")
            return
        sockets, claimed = self._connections.sockets, socket
        try:
            claims = await self._signed_in(payload) or socket.claims
            claimed = socket.signed_in(SocketState.OPEN, claims)
            if claims is not None:
                await self._services.memberships.identify(claims)
            accepted = await sockets.accept(socket, claims)
            note_socket(accepted, AuditKind.SOCKET_CONNECTED)
        except (UnauthenticatedError, ForbiddenError, TooManyError) as refusal:
            note_socket(claimed, AuditKind.SOCKET_REFUSED, refusal)
            await sockets.reject(socket, refusal)
        except AlreadySignedInError:
            await self._close(socket, 4429, "Too many initialisation requests.")
            return
        except EndedBeforeError:
            return
        else:
            # Only now would whoever revokes the key find the socket.
            if not await self._stands(accepted):
                return
        await self._send(socket, messages.connection_ack())

    async def _signed_in(self, payload: Payload) -> Claims | None:
        """Who a message's token names; None without one. Raises UnauthenticatedError."""
        given = next((value for name, value in payload.items() if name.lower() == "authorization"), None)
        if given is None:
            return None
        bearer = _BEARER.match(given) if isinstance(given, str) else None
        if bearer is None:
            raise UnauthenticatedError(INVALID_TOKEN)
        return await self._services.verify(bearer[1])

    async def _ping(self, socket: Socket, payload: Payload | None) -> None:
        """The pong: the ping's payload back, less its token; and where the log stands."""
        said = {name: value for name, value in (payload or {}).items() if name.lower() != "authorization"}
        tenant = socket.tenant
        if socket.state is not SocketState.READY or tenant is None:
            await self._send(socket, messages.pong(None if payload is None else said))
            return
        heartbeat = Heartbeat(self._services, self._connections, self._deadline)
        try:
            claims = await self._signed_in(payload or {})
            socket = socket if claims is None else await heartbeat.extend(socket, claims)
        except UnauthenticatedError as error:
            said["refused"] = self._described(error)
        if heartbeat.has_expired(socket):
            await self._connections.dismiss(socket, self._described(UnauthenticatedError(EXPIRED_TOKEN)))
            return
        if not await self._stands(socket):
            return
        subscriptions = await heartbeat.subscriptions(socket)
        if any(one.is_stuck(self._services.sources.now()) for one in subscriptions):
            await self._connections.drop(socket.connection_id)
            return
        position = await heartbeat.position(tenant)
        # What is still being replayed is not behind the client yet.
        is_safe = all(one.is_live for one in subscriptions)
        await self._send(socket, messages.pong(said | position if is_safe else said))

    async def _stands(self, socket: Socket) -> bool:
        """Whether the API key of a socket, if it has one, has not been revoked; else it is closed."""
        if socket.claims is None or await self._services.stands(socket.claims):
            return True
        await self._connections.dismiss(socket, self._described(UnauthenticatedError(INVALID_TOKEN)))
        return False

    async def _subscribe(self, socket: Socket, message: Subscribe) -> None:
        subscribing = Subscribing(self._services, self._connections, self._request_id, self._deadline)
        try:
            socket = await self._ready(socket)
            await subscribing.run(socket, message.id, message.request)
        except EndedBeforeError:
            return
        except DuplicateIdError:
            await self._close(socket, 4409, f"Subscriber for {message.id} already exists.")
        except DeadlineExceededError:
            raise
        except ApiError as error:
            await self._send(socket, messages.error_frame(message.id, [self._described(error)]))

    async def _ready(self, socket: Socket) -> Socket:
        """The socket once its `connection_init` is done. Raises what refused that, or EndedBeforeError."""
        waited = 0.0
        while socket.state is SocketState.OPEN:
            if waited >= SIGN_IN_SECONDS:
                raise UnauthenticatedError("Send `connection_init` first.")
            await asyncio.sleep(_LOOK_SECONDS)
            waited += _LOOK_SECONDS
            found = await self._connections.sockets.find(socket.connection_id)
            if found is None or found.state is SocketState.ENDED:
                raise EndedBeforeError
            socket = found
        if socket.refusal is not None:
            raise socket.refusal.as_error()
        return socket

    async def _close(self, socket: Socket, code: int, reason: str) -> None:
        """What stands for a close code: a frame that ends the client for good, then the end of the socket."""
        if await self._send(socket, messages.connection_error(reason, code)):
            await self._connections.drop(socket.connection_id)

    async def _send(self, socket: Socket, frame: bytes) -> bool:
        return await self._connections.send(socket.connection_id, [frame])

    def _described(self, error: ApiError) -> ErrorEntry:
        return describe(Failure(error), self._request_id)
