"""Weaker designs, each planted alone: those that lose, repeat, reorder or stall events somewhere."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from graphql_api.changes.cursor import EventCursor
from graphql_api.changes.log import ChangeLog, LogEntry
from graphql_api.realtime import subscribing
from graphql_api.realtime.connections import Connections
from graphql_api.realtime.delivery import Delivery
from graphql_api.realtime.fanout import Fanout
from graphql_api.realtime.gateway import ApiGateway, GoneError, UndeliverableError
from graphql_api.realtime.ingest import Ingest
from graphql_api.realtime.pushed import Progress
from graphql_api.realtime.replay import Replay
from graphql_api.realtime.sockets import Sockets
from graphql_api.realtime.subscriptions import Listening, Standing, Subscription, Subscriptions
from graphql_api.store.codec import decode
from graphql_api.store.keys import partition, tenant_family
from graphql_api.store.writes import ANYTHING, PRESENT, Put
from tests.reliability.realtime import client
from tests.reliability.realtime.client import Client
from tests.reliability.realtime.gateway import Frame
from tests.reliability.realtime.memory import InMemoryTable

Patch = pytest.MonkeyPatch
Mutant = Callable[[Patch], None]
_A_TIME = 10**9  # Sequence numbers are smaller than times in milliseconds.


def naive_push(patch: Patch) -> None:
    """What a batch changed is pushed as it comes; the log is for audit, and nobody resumes from it."""

    async def log_and_push(self: Any, tenant: str, changes: Sequence[Any]) -> None:
        log = self._services.sources.change_log(tenant_family(tenant), self._deadline)
        added = await log.append(changes)
        if added:
            await Fanout(self._services, tenant, self._deadline)._push(added)

    original = Subscriptions.registration

    def registration(self: Any, subscription: Subscription) -> Put:
        return original(self, replace(subscription, is_live=True))

    async def run(*_: Any) -> None:
        return

    patch.setattr(Ingest, "_log_and_push", log_and_push)
    patch.setattr(Subscriptions, "registration", registration)
    patch.setattr(Replay, "run", run)


def timestamp_cursor(patch: Patch) -> None:
    """A cursor is the time of the write, not the place in the log."""
    answer, after = Delivery.answer, ChangeLog.after

    async def answered(self: Any, entry: LogEntry, *rest: Any) -> Any:
        return await answer(self, replace(entry, sequence=_milliseconds(entry)), *rest)

    async def read(self: Any, sequence: int, limit: int = 10) -> list[LogEntry]:
        if sequence < _A_TIME:
            return await after(self, sequence, limit)
        return [entry for entry in await after(self, 0, limit=1000) if _milliseconds(entry) > sequence]

    async def any_place(*_: Any) -> int:
        return 0

    patch.setattr(Delivery, "answer", answered)
    patch.setattr(ChangeLog, "after", read)
    patch.setattr(Replay, "run", _replay_by_time)
    patch.setattr(subscribing, "head_for", any_place)


async def _replay_by_time(self: Any, cursor: EventCursor, _: int, request: Any) -> None:
    position = cursor.sequence
    while True:
        entries = await self._log.after(position)
        if not entries:
            if await self._subscriptions.go_live(self._subscription) is not Standing.CATCHING_UP:
                return
        elif not await self._send(entries, request):
            return
        else:
            position = max(map(_milliseconds, entries)) if position >= _A_TIME else entries[-1].sequence


def _milliseconds(entry: LogEntry) -> int:
    return int(entry.change.at.timestamp() * 1000)


def post_errors_swallowed(patch: Patch) -> None:
    """A frame that could not be delivered counts as sent."""
    original = ApiGateway.post

    async def post(self: Any, *what: Any) -> None:
        try:
            await original(self, *what)
        except UndeliverableError:
            return

    patch.setattr(ApiGateway, "post", post)


def replay_before_registering(patch: Patch) -> None:
    """What was missed is sent first, and only then is the subscription known, live at once."""
    waiting: dict[tuple[str, str], tuple[Any, ...]] = {}
    hold, run, registration = Sockets.hold, Replay.run, Subscriptions.registration

    async def held(self: Any, socket: Any, held: Any, row: Any) -> None:
        if row.item["is_live"]["BOOL"]:
            await hold(self, socket, held, row)
            return
        live = replace(row, item={**row.item, "is_live": {"BOOL": True}})
        waiting[socket.connection_id, held.id] = (self, socket, held, live)

    async def replayed(self: Any, *what: Any) -> None:
        await run(self, *what)
        one = self._subscription
        await hold(*waiting.pop((one.connection_id, one.operation_id)))

    async def live(*_: Any) -> Standing:
        return Standing.LIVE

    patch.setattr(Sockets, "hold", held)
    patch.setattr(Replay, "run", replayed)
    patch.setattr(Subscriptions, "go_live", live)
    patch.setattr(Subscriptions, "registration", registration)


def subscribers_by_index(patch: Patch) -> None:
    """Who listens is read from an index, which follows its table."""

    async def of(self: Any, topic: tuple[str, ...]) -> Listening:
        table: InMemoryTable = self._table
        items = await table.read_lagging(partition(self._family, "TOPIC", *topic))
        return Listening([decode(Subscription, item) for item in items], [])

    patch.setattr(Subscriptions, "of", of)


def appended_again(patch: Patch) -> None:
    """A record that comes again is logged again."""
    original = ChangeLog._history

    def history(self: Any, *what: Any) -> Put:
        return replace(original(self, *what), condition=ANYTHING)

    patch.setattr(ChangeLog, "_history", history)


def any_epoch(patch: Patch) -> None:
    """A cursor of a log that is gone is good in the next one."""
    original = subscribing.head_for

    async def head_for(log: ChangeLog, cursor: EventCursor) -> int:
        return await original(log, replace(cursor, epoch=""))

    patch.setattr(subscribing, "head_for", head_for)


def pushed_before_it_is_sent(patch: Patch) -> None:
    """The place moves on first, and then the frames are sent."""
    push = Fanout._push

    async def step(self: Any, pushed: Any, sequence: int, original: Any) -> Any:
        moved = await original(self, pushed, sequence)
        if moved is not None:
            await self.unsent()
        return moved

    async def postponed(self: Any, entries: Sequence[LogEntry]) -> None:
        self._progress.unsent = lambda: push(self, entries)

    advance, release = Progress.advance, Progress.release
    patch.setattr(Fanout, "_push", postponed)
    patch.setattr(Progress, "advance", lambda self, pushed, n: step(self, pushed, n, advance))
    patch.setattr(Progress, "release", lambda self, pushed, n: step(self, pushed, n, release))


def note_ignored(patch: Patch) -> None:
    """A subscription goes live although something has happened since it read the log."""

    async def go_live(self: Any, subscription: Subscription) -> Standing:
        return await self._set(subscription, {"is_live": {"BOOL": True}}, PRESENT)

    patch.setattr(Subscriptions, "go_live", go_live)


def posts_out_of_order(patch: Patch) -> None:
    """Frames of one connection are posted in any order; the client keeps the highest cursor it has seen."""
    take = Client._take

    async def send(self: Any, connection_id: str, frames: Sequence[bytes]) -> bool:
        shuffled = random.sample(list(frames), len(list(frames)))
        try:
            for frame in shuffled:
                await self._services.gateway.post(connection_id, frame, self._deadline)
        except (GoneError, UndeliverableError):
            await self.drop(connection_id)
            return False
        return True

    def taken(self: Client, payload: Any) -> None:
        highest, before = max((one.sequence for one in self.told), default=0), self.cursor
        take(self, payload)
        if self.told and self.told[-1].sequence < highest:
            self.cursor = before
        # Nothing is said here of the order itself, which another promise is about.
        self.told.sort()

    patch.setattr(Connections, "send", send)
    patch.setattr(Client, "_take", taken)


def batch_always_done(patch: Patch) -> None:
    """A batch that failed is not reported."""
    original = Ingest.run

    async def run(self: Any, records: Any) -> None:
        await original(self, records)

    patch.setattr(Ingest, "run", run)


def pushed_by_whoever_logged(patch: Patch) -> None:
    """A batch pushes what it has logged itself, and moves the place there whatever lies before."""
    original = Fanout.push

    async def push(self: Any, until: int, known: Sequence[LogEntry] = ()) -> None:
        if not known:
            await original(self, until)
            return
        await self._push(known)
        pushed = await self._progress.read()
        if pushed.sequence < until:
            await self._progress.release(pushed, until)

    patch.setattr(Fanout, "push", push)


def cursor_of_the_head(patch: Patch) -> None:
    """A list tells the log's end, although it was read from an index that follows."""

    async def settled(self: ChangeLog) -> EventCursor:
        head = await self.head()
        return EventCursor(head.epoch, head.sequence)

    patch.setattr(ChangeLog, "settled", settled)


def cursor_of_a_pong(patch: Patch) -> None:
    """A client resumes from where a pong said the log stands, which can be ahead of a replay under way."""
    original = Client._hear

    async def hear(self: Client, frame: Frame) -> None:
        position = frame.get("payload") if frame.get("type") == "pong" else None
        if position:
            self.cursor = position["eventCursor"]
        await original(self, frame)

    patch.setattr(Client, "_hear", hear)
    patch.setattr(client, "PING_SECONDS", 2.0)


MUTANTS: tuple[Mutant, ...] = (
    naive_push,
    timestamp_cursor,
    post_errors_swallowed,
    replay_before_registering,
    subscribers_by_index,
    appended_again,
    any_epoch,
    pushed_before_it_is_sent,
    note_ignored,
    posts_out_of_order,
    batch_always_done,
    pushed_by_whoever_logged,
    cursor_of_the_head,
    cursor_of_a_pong,
)
