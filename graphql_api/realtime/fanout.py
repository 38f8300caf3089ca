"""From the log to the sockets: every entry in order, to all who listen, each group executed once.

`push` goes on where the last pusher stopped, so nothing is passed over however a run ended. For each entry:
who listens is read after the entry is in the log, so a subscriber that registered before is found, and one
that registers later replays it from the log itself.
"""

import asyncio
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from graphql_api.auth.identity import Identity, Role
from graphql_api.auth.tokens import EXPIRED_TOKEN, Claims
from graphql_api.changes.log import ChangeLog, LogEntry
from graphql_api.deadline import Deadline
from graphql_api.errors import ApiError, ForbiddenError, InternalError, UnauthenticatedError
from graphql_api.metering.figures import of_pushes
from graphql_api.operations import Failure, OperationRequest, describe
from graphql_api.operations.report import ErrorEntry
from graphql_api.realtime.connections import Connections
from graphql_api.realtime.delivery import Answer, Delivery
from graphql_api.realtime.endpoints import Endpoints
from graphql_api.realtime.messages import error_frame, next_frame
from graphql_api.realtime.pushed import HOLD_SECONDS, Progress
from graphql_api.realtime.services import RealtimeServices
from graphql_api.realtime.subscriptions import Listening, Standing, Subscription, Subscriptions
from graphql_api.store.entity import Topic
from graphql_api.store.keys import tenant_family
from graphql_api.store.repository import together

MAX_POSTS = 50  # at once
MAX_WAITING_BYTES = 8 * 1024 * 1024  # of payloads that are not sent yet
STEP_SEGMENTS = 2  # pushed between two signs of life of whoever holds the place
_PAUSE = 0.1  # seconds between two looks at another pusher's progress


@dataclass(slots=True)
class _Frames:
    """What one connection is sent for its subscriptions, in order; `ended` are those that may not go on,
    `sent` the bytes of each event's frame by the name of its operation.

    Payloads are shared by all who are sent them, and become frames only when they are sent.
    """

    payloads: list[tuple[str, bytes, str]] = field(default_factory=list[tuple[str, bytes, str]])
    farewells: list[bytes] = field(default_factory=list[bytes])
    sent: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list[int]))
    subscriptions: list[Subscription] = field(default_factory=list[Subscription])
    ended: list[Subscription] = field(default_factory=list[Subscription])

    def __iter__(self) -> Iterator[bytes]:
        for operation_id, payload, name in self.payloads:
            frame = next_frame(operation_id, payload)
            yield frame
            # Who asks for the next frame has sent this one.
            self.sent[name].append(len(frame))
        yield from self.farewells


class Fanout:
    """Pushes one tenant's log, for one invocation. Raises StoreBusyError; the next run then goes on."""

    def __init__(self, services: RealtimeServices, tenant: str, deadline: Deadline) -> None:
        sources, family = services.sources, tenant_family(tenant)
        table = sources.control(family, deadline)
        self._services = services
        self._family = family
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
        if any(heard.subscriptions for heard in listening.values()):
            await self._tell(entries, listening)
        # After the sockets, which do not wait for a queue.
        woken = {uid for heard in listening.values() for uid in heard.webhooks}
        await Endpoints(self._services, self._deadline).wake(self._tenant, woken)

    async def _tell(self, entries: Sequence[LogEntry], listening: Mapping[Topic, Listening]) -> None:
        round_ = _Round(self._services, self._subscriptions, self._tenant, self._deadline)
        try:
            for entry in entries:
                for topic in entry.change.topics:
                    await round_.add(entry, topic, listening[topic].subscriptions)
                if round_.size > MAX_WAITING_BYTES:
                    await self._send(round_)
            await self._send(round_)
        finally:
            await round_.close()
        # Whoever was catching these up has failed; coming back, they resume.
        await together(map(self._connections.drop, round_.stuck))

    async def _send(self, round_: "_Round") -> None:
        """Frames of one connection one after another, connections side by side."""
        room = asyncio.Semaphore(MAX_POSTS)

        async def send(connection_id: str, what: _Frames) -> None:
            async with room:
                is_there = await self._connections.send(connection_id, what)
                for name, sizes in what.sent.items():
                    self._services.usage.count(self._family, name, of_pushes(sizes))
                if is_there:
                    await self._connections.end(connection_id, what.ended)
                    return
                round_.gone.add(connection_id)
                # Also where nothing else is left of the connection.
                for subscription in what.subscriptions:
                    await self._subscriptions.remove(subscription)

        await together(send(connection_id, what) for connection_id, what in round_.taken().items())

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
        self.size = 0
        self.stuck: set[str] = set()
        self.gone: set[str] = set()
        self._frames: dict[str, _Frames] = defaultdict(_Frames)
        self._services = services
        self._subscriptions = subscriptions
        self._tenant = tenant
        self._delivery = Delivery(services.sources, services.operations, tenant, deadline)
        self._ended: set[tuple[str, str]] = set()
        # Of those that were catching up: whether they have gone live. One look is enough, for whoever catches
        # them up reads the whole round from the log.
        self._live: dict[tuple[str, str], bool] = {}
        self._standings: dict[tuple[str, Role], Identity | ApiError] = {}

    async def add(self, entry: LogEntry, topic: Topic, listening: Iterable[Subscription]) -> None:
        """What all who listen to the topic are sent for the entry."""
        # A pusher that was overtaken can come with what a subscriber had seen before it resumed.
        waiting = [one for one in listening if one.after < entry.sequence]
        await together(self._look_at(one) for one in waiting if not one.is_live)
        live = [one for one in waiting if self._hears(one)]
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

    def taken(self) -> Mapping[str, _Frames]:
        """What there is to send, by connection; after that there is nothing until more is added."""
        frames, self._frames, self.size = self._frames, defaultdict(_Frames), 0
        return frames

    async def close(self) -> None:
        """End what still reads."""
        await self._delivery.close()

    async def _look_at(self, subscription: Subscription) -> None:
        """Tell who is catching it up to look once more, or learn that it has gone live."""
        if _place(subscription) in self._live or subscription.connection_id in self.stuck:
            return
        if subscription.is_stuck(self._services.sources.now()):
            self.stuck.add(subscription.connection_id)
            return
        standing = await self._subscriptions.pass_over(subscription)
        self._live[_place(subscription)] = standing is Standing.LIVE

    def _hears(self, subscription: Subscription) -> bool:
        """Whether it is sent what happens now."""
        if _place(subscription) in self._ended or subscription.connection_id in self.gone:
            return False
        return subscription.is_live or self._live.get(_place(subscription), False)

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
        self.size += len(answer.payload or b"")
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
            frames = self._of(subscription)
            frames.payloads.append((subscription.operation_id, answer.payload, answer.name))
        if answer.refusal is not None:
            self._end(subscription, list(answer.refusal.errors))

    def _refuse(self, subscription: Subscription, entry: LogEntry, error: ApiError) -> None:
        self._end(subscription, [describe(Failure(error), entry.change.id)])

    def _end(self, subscription: Subscription, errors: list[ErrorEntry]) -> None:
        self._ended.add(_place(subscription))
        frames = self._of(subscription)
        frames.farewells.append(error_frame(subscription.operation_id, errors))
        frames.ended.append(subscription)

    def _of(self, subscription: Subscription) -> _Frames:
        frames = self._frames[subscription.connection_id]
        frames.subscriptions.append(subscription)
        return frames


def _place(subscription: Subscription) -> tuple[str, str]:
    return subscription.connection_id, subscription.operation_id
