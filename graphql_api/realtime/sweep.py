"""Closing what nobody else closes: sockets that never signed in or whose token has expired, and ghosts."""

from graphql_api.auth.tokens import EXPIRED_TOKEN
from graphql_api.deadline import Deadline
from graphql_api.errors import UnauthenticatedError
from graphql_api.operations import Failure, describe
from graphql_api.realtime.connections import Connections
from graphql_api.realtime.due import Due, due_at
from graphql_api.realtime.services import RealtimeServices
from graphql_api.realtime.socket import SocketState
from graphql_api.store.keys import CONNECTIONS
from graphql_api.store.repository import together

MAX_AT_ONCE = 50


class Sweep:
    """One round, for one invocation, run every minute. What it does not come to, the next one does."""

    def __init__(self, services: RealtimeServices, request_id: str, deadline: Deadline) -> None:
        self._now = services.sources.now
        self._request_id = request_id
        self._due = Due(services.sources.control(CONNECTIONS, deadline))
        self._connections = Connections(services, deadline)

    async def run(self) -> int:
        """Look at every socket that is due; how many were closed. Raises StoreBusyError."""
        closed = 0
        for minute in await self._due.minutes(self._now()):
            connection_ids = await self._due.sockets(minute)
            for start in range(0, len(connection_ids), MAX_AT_ONCE):
                chunk = connection_ids[start : start + MAX_AT_ONCE]
                closed += sum(await together(self._look_at(minute, one) for one in chunk))
            await self._due.passed(minute)
        return closed

    async def _look_at(self, minute: int, connection_id: str) -> bool:
        socket = await self._connections.sockets.find(connection_id)
        is_due = socket is not None and due_at(socket) <= self._now()
        if socket is not None and is_due:
            if socket.state is SocketState.READY and self._now() < socket.expires_at:
                error = describe(Failure(UnauthenticatedError(EXPIRED_TOKEN)), self._request_id)
                await self._connections.dismiss(socket, error)
            else:
                await self._connections.drop(connection_id)
        await self._due.done(minute, connection_id)
        return is_due
