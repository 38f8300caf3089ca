"""A subscription that resumes: what it missed is sent from the log, then it goes live with no hole between.

While it catches up, the fan-out passes it over and leaves a note. It goes live only where there is no note:
so every entry was either sent by the replay, or comes when the subscription is live, and in order.
"""

from collections.abc import Sequence
from datetime import timedelta

from graphql_api.auth.identity import Identity
from graphql_api.auth.tokens import EXPIRED_TOKEN, Claims
from graphql_api.changes.cursor import EventCursor
from graphql_api.changes.log import ChangeLog, LogEntry
from graphql_api.deadline import Deadline
from graphql_api.errors import CursorExpiredError, UnauthenticatedError
from graphql_api.metering.figures import of_pushes
from graphql_api.operations import OperationRequest
from graphql_api.realtime.connections import Connections
from graphql_api.realtime.delivery import Delivery
from graphql_api.realtime.messages import error_frame, next_frame
from graphql_api.realtime.services import RealtimeServices
from graphql_api.realtime.subscriptions import Standing, Subscription
from graphql_api.store.keys import tenant_family

# A subscriber that was away for longer reads its data anew; the log itself is kept longer, for audit.
WINDOW = timedelta(days=7)
# What is left of an invocation when a long replay ends itself; the client goes on from its last cursor.
MARGIN_SECONDS = 3.0


async def head_for(log: ChangeLog, cursor: EventCursor) -> int:
    """The last sequence number of the log that a cursor is of. Raises CursorExpiredError for a cursor that is
    no place in it: another epoch's, or ahead of it.
    """
    head = await log.head()
    head.require(cursor)
    return head.sequence


class Replay:
    """Catches one subscription up, for one invocation."""

    def __init__(
        self,
        services: RealtimeServices,
        connections: Connections,
        claims: Claims,
        subscription: Subscription,
        deadline: Deadline,
    ) -> None:
        assert claims.tenant is not None, "only a tenant's people subscribe"
        family = tenant_family(claims.tenant)
        self._services = services
        self._connections = connections
        self._claims = claims
        self._subscription = subscription
        self._deadline = deadline
        self._tenant = claims.tenant
        self._family = family
        self._log = services.sources.change_log(family, deadline)
        self._subscriptions = connections.subscriptions(claims.tenant)

    async def run(self, cursor: EventCursor, head: int, request: OperationRequest) -> None:
        """Send what was missed, up to `head` at least, then go live. A client that cannot be sent all now is
        disconnected, and resumes from where it has come to. Raises CursorExpiredError where the log does not
        reach back.
        """
        position = cursor.sequence
        while True:
            entries = await self._log.after(position)
            if not entries and position < head:
                raise CursorExpiredError
            if not entries:
                standing = await self._subscriptions.go_live(self._subscription)
                if standing is Standing.CATCHING_UP:
                    continue
                return
            self._require_reach(entries, position)
            if not await self._send(entries, request):
                return
            position = entries[-1].sequence

    def _require_reach(self, entries: Sequence[LogEntry], position: int) -> None:
        oldest = entries[0]
        is_old = oldest.logged_at < self._services.sources.now() - WINDOW
        if oldest.sequence != position + 1 or is_old:
            raise CursorExpiredError

    async def _send(self, entries: Sequence[LogEntry], request: OperationRequest) -> bool:
        """Whether to go on: not with a client that is gone or refused, nor without time."""
        topic = tuple(self._subscription.topic)
        services = self._services
        delivery = Delivery(services.sources, services.operations, self._tenant, self._deadline)
        connection_id, operation_id = self._subscription.connection_id, self._subscription.operation_id
        try:
            for entry in entries:
                if topic not in entry.change.topics:
                    continue
                if self._deadline.remaining() < MARGIN_SECONDS:
                    await self._connections.drop(connection_id)
                    return False
                answer = await delivery.answer(entry, topic, request, await self._identity())
                if answer.refusal is not None:
                    frame = error_frame(operation_id, list(answer.refusal.errors))
                    if await self._connections.send(connection_id, [frame]):
                        await self._connections.end(connection_id, [self._subscription])
                    return False
                frames = [] if answer.payload is None else [next_frame(operation_id, answer.payload)]
                if not await self._connections.send(connection_id, frames):
                    return False
                services.usage.count(self._family, answer.name, of_pushes(map(len, frames)))
        finally:
            await delivery.close()
        return True

    async def _identity(self) -> Identity:
        """Who it is by now. Raises UnauthenticatedError or ForbiddenError where it may not go on."""
        if self._claims.expires_at <= self._services.sources.now().timestamp():
            raise UnauthenticatedError(EXPIRED_TOKEN)
        return await self._services.memberships.identify(self._claims)
