"""From the log to the sockets: every entry in order, to all who listen, each group executed once.

`push` goes on where the last pusher stopped, so nothing is passed over however a run ended. For each entry:
who listens is read after the entry is in the log, so a subscriber that registered before is found, and one
that registers later replays it from the log itself.
"""

import asyncio
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from graphql_api.auth.identity import Identity, Role
from graphql_api.auth.tokens import EXPIRED_TOKEN, Claims
from graphql_api.changes.log import ChangeLog, LogEntry
from graphql_api.deadline import Deadline
from graphql_api.errors import ApiError, ForbiddenError, InternalError, UnauthenticatedError
from graphql_api.operations import Failure, OperationRequest, describe
from graphql_api.operations.report import ErrorEntry
from graphql_api.realtime.connections import Connections
from graphql_api.realtime.delivery import Answer, Delivery
from graphql_api.realtime.messages import error_frame, next_frame
from graphql_api.realtime.pushed import HOLD_SECONDS, Progress
from graphql_api.realtime.services import RealtimeServices
from graphql_api.realtime.subscriptions import Standing, Subscription, Subscriptions
from graphql_api.store.entity import Topic
from graphql_api.store.keys import tenant_family
from graphql_api.store.repository import together

MAX_POSTS = 50  # at once
STEP_SEGMENTS = 2  # pushed between two signs of life of whoever holds the place
_PAUSE = 0.1  # seconds between two looks at another pusher's progress


@dataclass(slots=True)
class _Frames:
    """What one connection is sent for its subscriptions, in order; `ended` are those that may not go on."""

    frames: list[bytes] = field(default_factory=list[bytes])
    subscriptions: list[Subscription] = field(default_factory=list[Subscription])
    ended: list[Subscription] = field(default_factory=list[Subscription])


class Fanout:
    """Pushes one tenant's log, for one invocation. Raises StoreBusyError; the next run then goes on."""

    def __init__(self, services: RealtimeServices, tenant: str, deadline: Deadline) -> None:
        sources, family = services.sources, tenant_family(tenant)
        table = sources.control(family, deadline)
        self._services = services
        self._tenant = tenant
        self._deadline = deadline
        self._log: ChangeLog = sources.change_log(family, deadline)
        self._progress = Progress(table, family)
        self._subscriptions = Subscriptions(table, family, services.groups)
        self._connections = Connections(services, deadline)

    async def push(self, until: int, known: Sequence[LogEntry] = ()) -> None:
        """Push everything up to `until`, or see another pusher do it. `known` entries are not read again."""
        clock = asyncio.get_running_loop().time
        seen, since = -1, 0.0
        while (pushed := await self._progress.read()).sequence < until:
            if pushed.revision != seen:
                seen, since = pushed.revision, clock()
            if pushed.is_held and clock() - since < HOLD_SECONDS:
                await self._pause()
                continue
            held = await self._progress.hold(pushed)
            while held is not None and held.is_held:
                entries = await self._entries_after(held.sequence, known)
                await self._push(entries)
                # A log that has expired has nothing left to push.
                last = entries[-1].sequence if entries else until
                step = self._progress.release if last >= until else self._progress.advance
                held = await step(held, last)

    async def _entries_after(self, sequence: int, known: Sequence[LogEntry]) -> Sequence[LogEntry]:
        following = [entry for entry in known if entry.sequence > sequence]
        if following and following[0].sequence == sequence + 1:
            return following
        return await self._log.after(sequence, STEP_SEGMENTS)

    async def _push(self, entries: Sequence[LogEntry]) -> None:
        topics = list(dict.fromkeys(topic for entry in entries for topic in entry.change.topics))
        listening = dict(zip(topics, await together(map(self._subscriptions.of, topics)), strict=True))
        if not any(listening.values()):
            return
        round_ = _Round(self._services, self._subscriptions, self._tenant, self._deadline)
        try:
            for entry in entries:
                for topic in entry.change.topics:
                    await round_.add(entry, topic, listening[topic])
        finally:
            await round_.close()
        await self._send(round_.frames)
        # Whoever was catching these up has failed; coming back, they resume.
        await together(map(self._connections.drop, round_.stuck))

    async def _send(self, frames: dict[str, _Frames]) -> None:
        """Frames of one connection one after another, connections side by side."""
        room = asyncio.Semaphore(MAX_POSTS)

        async def send(connection_id: str, what: _Frames) -> None:
            async with room:
                if await self._connections.send(connection_id, what.frames):
                    await self._connections.end(connection_id, what.ended)
                    return
                # Also where nothing else is left of the connection.
                for subscription in what.subscriptions:
                    await self._subscriptions.remove(subscription)

        await together(send(connection_id, what) for connection_id, what in frames.items())

    async def _pause(self) -> None:
        delay = random.uniform(_PAUSE / 2, _PAUSE)  # noqa: S311 - jitter, not a secret
        self._deadline.require(delay)
        await asyncio.sleep(delay)


class _Round:
    """Entries that are pushed together: who listens was read once for all of them."""

    def __init__(
        self,
        services: RealtimeServices,
        subscriptions: Subscriptions,
        tenant: str,
        deadline: Deadline,
    ) -> None:
        self.frames: dict[str, _Frames] = defaultdict(_Frames)
        self.stuck: set[str] = set()
        self._services = services
        self._subscriptions = subscriptions
        self._tenant = tenant
        self._delivery = Delivery(services.sources, services.operations, tenant, deadline)
        self._ended: set[tuple[str, str]] = set()
        self._live: set[tuple[str, str]] = set()
        self._standings: dict[tuple[str, Role], Identity | ApiError] = {}

    async def add(self, entry: LogEntry, topic: Topic, listening: Iterable[Subscription]) -> None:
        """What all who listen to the topic are sent for the entry."""
        # A pusher that was overtaken can come with what a subscriber had seen before it resumed.
        waiting = [one for one in listening if one.after < entry.sequence]
        live = [one for one in waiting if await self._hears(one)]
        await self._meet(live)
        groups: dict[tuple[str, str], list[tuple[Subscription, Identity]]] = defaultdict(list)
        for subscription in live:
            standing = self._standing(subscription)
            if isinstance(standing, ApiError):
                self._refuse(subscription, entry, standing)
            else:
                groups[subscription.group, standing.role].append((subscription, standing))
        requests = await self._subscriptions.requests_of(group for group, _ in groups)
        for (group, _), members in groups.items():
            await self._add_group(entry, topic, requests.get(group), members)

    async def close(self) -> None:
        """End what still reads."""
        await self._delivery.close()

    async def _hears(self, subscription: Subscription) -> bool:
        """Whether it is sent what happens now; one that is being caught up is told to look once more."""
        place = (subscription.connection_id, subscription.operation_id)
        if place in self._ended:
            return False
        if subscription.is_live or place in self._live:
            return True
        if subscription.is_stuck(self._services.sources.now()):
            self.stuck.add(subscription.connection_id)
            return False
        standing = await self._subscriptions.pass_over(subscription)
        if standing is Standing.LIVE:
            self._live.add(place)
        return standing is Standing.LIVE

    async def _meet(self, subscriptions: Iterable[Subscription]) -> None:
        """Learn who the subscribers are today, each person once."""
        strangers = list({(one.subject, one.role) for one in subscriptions} - self._standings.keys())
        found = await together(self._identify(*person) for person in strangers)
        self._standings.update(zip(strangers, found, strict=True))

    async def _identify(self, subject: str, role: Role) -> Identity | ApiError:
        try:
            return await self._services.memberships.identify(Claims(subject, role, self._tenant, 0))
        except ForbiddenError as error:
            return error

    def _standing(self, subscription: Subscription) -> Identity | ApiError:
        """Who it is today, or why it may not listen any longer."""
        if subscription.token_expires_at <= self._services.sources.now().timestamp():
            return UnauthenticatedError(EXPIRED_TOKEN)
        return self._standings[subscription.subject, subscription.role]

    async def _add_group(
        self,
        entry: LogEntry,
        topic: Topic,
        request: OperationRequest | None,
        members: Sequence[tuple[Subscription, Identity]],
    ) -> None:
        if request is None:
            for subscription, _ in members:
                self._refuse(subscription, entry, InternalError())
            return
        answer = await self._answer(entry, topic, request, members[0][1])
        for subscription, identity in members:
            if answer.is_personal:
                answer = await self._answer(entry, topic, request, identity)
            self._give(subscription, answer)

    async def _answer(
        self, entry: LogEntry, topic: Topic, request: OperationRequest, identity: Identity
    ) -> Answer:
        return await self._delivery.answer(entry, topic, request, identity)

    def _give(self, subscription: Subscription, answer: Answer) -> None:
        if answer.payload is not None:
            self._add(subscription, next_frame(subscription.operation_id, answer.payload))
        if answer.refusal is not None:
            self._end(subscription, list(answer.refusal.errors))

    def _refuse(self, subscription: Subscription, entry: LogEntry, error: ApiError) -> None:
        self._end(subscription, [describe(Failure(error), entry.change.id)])

    def _end(self, subscription: Subscription, errors: list[ErrorEntry]) -> None:
        self._ended.add((subscription.connection_id, subscription.operation_id))
        self._add(subscription, error_frame(subscription.operation_id, errors))
        self.frames[subscription.connection_id].ended.append(subscription)

    def _add(self, subscription: Subscription, frame: bytes) -> None:
        frames = self.frames[subscription.connection_id]
        frames.frames.append(frame)
        frames.subscriptions.append(subscription)
