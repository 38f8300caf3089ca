"""What a ping does besides its pong: renew the token, and see that nothing lies unsent."""

from collections.abc import Sequence

from graphql_api.auth.tokens import INVALID_TOKEN, Claims
from graphql_api.changes.cursor import EventCursor
from graphql_api.deadline import Deadline
from graphql_api.errors import DeadlineExceededError, UnauthenticatedError
from graphql_api.realtime.connections import Connections
from graphql_api.realtime.fanout import Fanout
from graphql_api.realtime.messages import Payload
from graphql_api.realtime.services import RealtimeServices
from graphql_api.realtime.socket import Socket
from graphql_api.realtime.subscriptions import Subscription
from graphql_api.store.keys import tenant_family

# More than another pusher's hold, so that a ping takes over from one that has failed; clients wait ten.
PATIENCE_SECONDS = 9.5


class Heartbeat:
    """One ping of a signed-in socket, for one invocation."""

    def __init__(self, services: RealtimeServices, connections: Connections, deadline: Deadline) -> None:
        self._services = services
        self._connections = connections
        self._deadline = deadline

    async def extend(self, socket: Socket, claims: Claims) -> Socket:
        """The socket with a newer token of the same person; its subscriptions go on with it.

        Raises UnauthenticatedError for another's.
        """
        if (claims.tenant, claims.subject) != (socket.tenant, socket.subject) or socket.tenant is None:
            raise UnauthenticatedError(INVALID_TOKEN)
        extended = await self._connections.sockets.extend(socket, claims)
        subscriptions = self._connections.subscriptions(socket.tenant)
        operations = await self._connections.sockets.operations(extended)
        for held in operations.held if operations else ():
            await subscriptions.extend(held, extended, claims)
        return extended

    async def subscriptions(self, socket: Socket) -> Sequence[Subscription]:
        """What the socket listens to."""
        operations = await self._connections.sockets.operations(socket)
        if socket.tenant is None or operations is None:
            return ()
        return await self._connections.subscriptions(socket.tenant).find(socket, operations.held)

    def has_expired(self, socket: Socket) -> bool:
        """Whether its token is good no longer."""
        now = self._services.sources.now().timestamp()
        return socket.token_expires_at is not None and socket.token_expires_at <= now

    async def position(self, tenant: str) -> Payload:
        """Where the tenant's log stands; what was logged and not pushed is pushed first. Nothing where that
        takes long: others are at it.
        """
        family = tenant_family(tenant)
        head = await self._services.sources.change_log(family, self._deadline).head()
        patience = min(self._deadline, Deadline.after(PATIENCE_SECONDS), key=lambda one: one.at)
        try:
            await Fanout(self._services, tenant, patience).push(head.sequence)
        except DeadlineExceededError:
            return {}
        cursor = EventCursor(head.epoch, head.sequence).seal(self._services.sources.seals, family)
        return {"eventCursor": cursor, "sequence": head.sequence}
