"""`subscribe`: an operation is executed, and if it is a subscription, registered and caught up."""

from collections.abc import AsyncGenerator, Awaitable, Sequence
from dataclasses import dataclass

from graphql import OperationType

from graphql_api.auth.identity import Identity
from graphql_api.auth.tokens import EXPIRED_TOKEN
from graphql_api.changes.event import Event
from graphql_api.context import RequestContext
from graphql_api.deadline import Deadline
from graphql_api.errors import (
    ApiError,
    CursorExpiredError,
    ForbiddenError,
    PayloadTooLargeError,
    UnauthenticatedError,
)
from graphql_api.operations import Failure, OperationRequest, OperationResult, describe
from graphql_api.operations.encoding import encode, encode_within
from graphql_api.realtime.connections import Connections
from graphql_api.realtime.gateway import MAX_FRAME_BYTES, MAX_PAYLOAD_BYTES
from graphql_api.realtime.messages import complete_frame, error_frame, next_frame
from graphql_api.realtime.replay import Replay, head_for
from graphql_api.realtime.services import RealtimeServices
from graphql_api.realtime.socket import Held, Socket
from graphql_api.realtime.subscriptions import Subscription
from graphql_api.store.entity import Topic

ALLOWED = frozenset(OperationType)
MAX_INVOCATION_SECONDS = 60  # API Gateway waits 29 s; the rest is for clocks that differ.


@dataclass(slots=True)
class Recorder:
    """A source without events: it notes what an operation listens to, and from where."""

    topic: Topic | None = None
    after: str | None = None

    async def __call__(self, topic: Topic, after: str | None) -> AsyncGenerator[Event]:
        self.topic, self.after = topic, after
        return
        yield


class Subscribing:
    """One `subscribe` message, for one invocation."""

    def __init__(
        self, services: RealtimeServices, connections: Connections, request_id: str, deadline: Deadline
    ) -> None:
        self._services = services
        self._connections = connections
        self._request_id = request_id
        self._deadline = deadline

    async def run(self, socket: Socket, operation_id: str, request: OperationRequest) -> None:
        """Answer the operation, or register it. Raises ApiError for what refuses it, DuplicateIdError, or
        EndedBeforeError.
        """
        identity = await self._identity(socket)
        recorder = Recorder()
        context = RequestContext(
            self._services.sources, identity, self._request_id, self._deadline, recorder, begins=True
        )
        try:
            result = await self._services.operations.execute(request, context, allowed=ALLOWED)
        finally:
            await context.close()
        if recorder.topic is None or result.errors or identity is None:
            frames = self._frames(operation_id, result)
            self._services.operations.account(result, context, sum(map(len, frames)))
            await self._connections.send(socket.connection_id, frames)
            return
        self._services.operations.account(result, context, 0)
        await self._register(socket, operation_id, request, context, recorder.topic, recorder.after)

    async def _identity(self, socket: Socket) -> Identity | None:
        claims = socket.claims
        if claims is None:
            return None
        if claims.expires_at <= self._services.sources.now().timestamp():
            raise UnauthenticatedError(EXPIRED_TOKEN)
        return await self._services.memberships.identify(claims)

    def _frames(self, operation_id: str, result: OperationResult) -> Sequence[bytes]:
        if result.request_error and result.errors:
            return [error_frame(operation_id, list(result.errors))]
        if result.request_error:
            return [complete_frame(operation_id)]
        payload = encode_within(result.payload(), MAX_PAYLOAD_BYTES) or self._too_large(result)
        return [next_frame(operation_id, payload), complete_frame(operation_id)]

    def _too_large(self, result: OperationResult) -> bytes:
        if result.operation is OperationType.MUTATION:
            message = "The mutation took effect, but its answer is too large for a frame; read it over HTTP."
        else:
            message = "The answer is too large for a frame; ask for less, or over HTTP."
        error = PayloadTooLargeError(message, limit=MAX_FRAME_BYTES)
        return encode({"errors": [describe(Failure(error), self._request_id)], "data": None})

    async def _register(
        self,
        socket: Socket,
        operation_id: str,
        request: OperationRequest,
        context: RequestContext,
        topic: Topic,
        after: str | None,
    ) -> None:
        cursor = None if after is None else context.opened(after)
        head = 0 if cursor is None else await head_for(context.change_log, cursor)
        identity, claims = context.caller, socket.claims
        assert identity.tenant is not None, "the operation listened to a tenant's topic"
        assert identity.allowance is not None, "which has a plan"
        assert claims is not None, "so somebody has signed in"
        subscriptions = self._connections.subscriptions(identity.tenant)
        shared = self._services.operations.without_resumption(request, identity)
        group = await subscriptions.write_group(shared, self._services.sources.now())
        subscription = Subscription(
            connection_id=socket.connection_id,
            operation_id=operation_id,
            topic=list(topic),
            group=group,
            subject=claims.subject,
            role=claims.role,
            token_expires_at=claims.expires_at,
            until=int(socket.expires_at.timestamp()),
            is_live=cursor is None,
            after=cursor.sequence if cursor else 0,
            catching_up_until=int(self._services.sources.now().timestamp() + MAX_INVOCATION_SECONDS),
        )
        held = Held(operation_id, list(topic), group)
        row, most = subscriptions.registration(subscription), identity.allowance.limits.max_subscriptions
        await self._connections.sockets.hold(socket, held, row, most)
        await self._keep_renewed(socket, held)
        if cursor is not None:
            replay = Replay(self._services, self._connections, claims, subscription, self._deadline)
            await self._catch_up(socket, operation_id, replay.run(cursor, head, shared))

    async def _keep_renewed(self, socket: Socket, held: Held) -> None:
        """A token that was renewed meanwhile holds for the new subscription too."""
        present = await self._connections.sockets.find(socket.connection_id)
        claims = present.claims if present else None
        if present and claims and claims.tenant and claims != socket.claims:
            await self._connections.subscriptions(claims.tenant).extend(held, present, claims)

    async def _catch_up(self, socket: Socket, operation_id: str, replay: Awaitable[None]) -> None:
        try:
            await replay
        except (CursorExpiredError, ForbiddenError, UnauthenticatedError):
            await self._connections.release(socket, operation_id)
            raise
        except ApiError:
            # It has had a part: it comes back, and resumes behind that.
            await self._connections.drop(socket.connection_id)
