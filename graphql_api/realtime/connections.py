"""Sending to clients; who cannot be reached is disconnected, so that it comes back and resumes."""

import logging
from collections.abc import Iterable, Sequence

from graphql_api.audit.entry import AuditKind
from graphql_api.deadline import Deadline
from graphql_api.metering.figures import CONNECTIONS
from graphql_api.operations.report import ErrorEntry
from graphql_api.realtime.gateway import GoneError, UndeliverableError
from graphql_api.realtime.messages import error_frame
from graphql_api.realtime.services import RealtimeServices
from graphql_api.realtime.socket import Socket, SocketState, note_socket
from graphql_api.realtime.sockets import Sockets
from graphql_api.realtime.subscriptions import Subscription, Subscriptions
from graphql_api.store.keys import tenant_family

# For all that a client is sent at once. One that is slower comes back, and is sent the rest by itself.
CLIENT_SECONDS = 6.0

_log = logging.getLogger(__name__)


class Connections:
    """The clients of a process, for one invocation."""

    def __init__(self, services: RealtimeServices, deadline: Deadline) -> None:
        self._services = services
        self._deadline = deadline
        self.sockets = Sockets(services.sources, deadline)

    async def send(self, connection_id: str, frames: Iterable[bytes]) -> bool:
        """Send frames in order, each once the one before it has been taken.

        False where the client is gone, or could not be reached and was disconnected: then it is forgotten.
        """
        deadline = min(self._deadline, Deadline.after(CLIENT_SECONDS), key=lambda one: one.at)
        try:
            for frame in frames:
                await self._services.gateway.post(connection_id, frame, deadline)
        except GoneError:
            await self.forget(connection_id)
            return False
        except UndeliverableError:
            _log.warning("A client could not be reached and is disconnected.", exc_info=True)
            await self.drop(connection_id)
            return False
        return True

    async def end(self, connection_id: str, subscriptions: Sequence[Subscription]) -> None:
        """Take subscriptions from a socket whose client has been told so."""
        socket = await self.sockets.find(connection_id) if subscriptions else None
        for subscription in subscriptions:
            if socket is not None and socket.tenant is not None:
                await self.release(socket, subscription.operation_id)

    async def release(self, socket: Socket, operation_id: str) -> bool:
        """Take one subscription from a socket; False if it holds none of that id."""
        if socket.tenant is None:
            return False
        subscriptions = self.subscriptions(socket.tenant)
        return await self.sockets.release(
            socket, operation_id, lambda held: subscriptions.removal(held, socket)
        )

    async def dismiss(self, socket: Socket, error: ErrorEntry) -> None:
        """Tell each subscription of a socket why it ends, then close the socket."""
        operations = await self.sockets.operations(socket)
        held = operations.held if operations else ()
        if await self.send(socket.connection_id, [error_frame(one.id, [error]) for one in held]):
            await self.drop(socket.connection_id)

    async def forget(self, connection_id: str) -> None:
        """Take away all that is kept of a connection, itself last: what a failure leaves is found again."""
        socket = await self.sockets.find(connection_id)
        if socket is None:
            return
        if socket.state is SocketState.READY:
            note_socket(socket, AuditKind.SOCKET_CLOSED)
        await self.sockets.end(socket)
        while (operations := await self.sockets.operations(socket)) is not None:
            for held in operations.held:
                await self._subscriptions_of(socket).remove_held(held, socket)
            if await self.sockets.close(socket, operations):
                break
        await self.sockets.part(socket)
        is_first = await self.sockets.remove(socket)
        if is_first and socket.tenant is not None:
            lasted = self._services.sources.now() - socket.opened_at
            figures = {"connection_seconds": round(lasted.total_seconds())}
            self._services.usage.count(tenant_family(socket.tenant), CONNECTIONS, figures)

    async def drop(self, connection_id: str) -> None:
        """Close a connection and forget it; if it cannot be closed now, its client's next word does it."""
        try:
            await self._services.gateway.disconnect(connection_id, self._deadline)
        except GoneError:
            pass
        except UndeliverableError:
            _log.warning("A connection could not be closed.", exc_info=True)
        await self.forget(connection_id)

    def subscriptions(self, tenant: str) -> Subscriptions:
        """Who listens to what in a tenant."""
        family = tenant_family(tenant)
        table = self._services.sources.control(family, self._deadline)
        return Subscriptions(table, family, self._services.groups)

    def _subscriptions_of(self, socket: Socket) -> Subscriptions:
        assert socket.tenant is not None, "what holds subscriptions is a tenant's"
        return self.subscriptions(socket.tenant)
