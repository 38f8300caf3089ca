"""The change log as an audit log: pages of it, the latest change first, by entity, actor, action or time."""

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from graphql_api.changes.change import ChangeAction
from graphql_api.changes.log import LogEntry, Segment, place
from graphql_api.store.codec import Item, decode
from graphql_api.store.keys import FIRST, LAST, SORT_SEPARATOR, Family, Key, partition, sort_key
from graphql_api.store.repository import together
from graphql_api.store.schema import SEGMENT_POINTER, SORT, LogIndex
from graphql_api.store.table import Table

# Rows looked at for one page: a filter by action, or a second filter, can pass over most of what it reads.
MAX_EXAMINED = 200
_CHUNK = 25  # Each can lead to a segment of 300 KB; BatchGetItem answers 16 MB at most.
_TIMELINE = LogIndex.TIMELINE.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which changes: of one entity (kind and uid), of one actor, of some actions, logged in [since, until).

    An entity's or an actor's changes are found by index; what else is asked is filtered from those.
    """

    entity: tuple[str, str] | None = None
    actor_uid: str | None = None
    actions: frozenset[ChangeAction] = frozenset(ChangeAction)
    since: datetime | None = None
    until: datetime | None = None

    def scope(self) -> tuple[str, ...]:
        """What a cursor of these changes is good for, alike in all processes, as the repr of a set is not."""
        return (*map(repr, (self.entity, self.actor_uid, self.since, self.until)), *sorted(self.actions))

    def includes(self, entry: LogEntry) -> bool:
        change = entry.change
        return (
            change.action in self.actions
            and self.entity in (None, (change.kind, change.uid))
            and self.actor_uid in (None, change.actor_uid)
            and (self.since is None or self.since <= entry.logged_at)
            and (self.until is None or entry.logged_at < self.until)
        )


class Found(NamedTuple):
    """A change and the position to continue behind it."""

    position: str
    entry: LogEntry


class HistoryPage(NamedTuple):
    """`resume` continues the list: None at its end, and without rows where many were passed over."""

    rows: list[Found]
    resume: str | None


class History:
    """The audit log of one tenant."""

    def __init__(self, table: Table, family: Family) -> None:
        self._table = table
        self._family = family

    async def page(self, wanted: Wanted, position: str | None, limit: int) -> HistoryPage:
        """Up to `limit` changes, the latest first, behind `position`."""
        if not wanted.actions:
            return HistoryPage([], None)
        rows: list[Found] = []
        examined, last = 0, position
        async with aclosing(self._rows(wanted, position)) as found:
            async for row in found:
                if len(rows) == limit or examined == MAX_EXAMINED:
                    return HistoryPage(rows, last)
                examined += 1
                last = row.position
                if wanted.includes(row.entry):
                    rows.append(row)
        return HistoryPage(rows, None)

    async def latest(self, entities: Sequence[tuple[str, str]]) -> list[LogEntry | None]:
        """The last change of each entity (kind and uid) that is kept: one Query for each, side by side."""
        found = await together(
            self._table.read(partition(self._family, "HISTORY", *each), FIRST, LAST, 1, newest_first=True)
            for each in entities
        )
        segments = await self._segments({item[SEGMENT_POINTER]["S"] for items in found for item in items})
        logged = {entry.sequence: entry for entries in segments.values() for entry in entries}
        return [logged.get(int(items[0]["sequence"]["N"])) if items else None for items in found]

    async def _rows(self, wanted: Wanted, position: str | None) -> AsyncGenerator[Found]:
        """What an index leads to, the latest first, behind `position`."""
        listed = self._list(wanted)
        high = listed.high if position is None else min(listed.high, listed.ceiling(position))
        while True:
            pointers = await self._pointers(listed, high)
            segments = await self._segments({pointer.segment for pointer in pointers})
            for pointer in pointers:
                for row in listed.rows(pointer, segments.get(pointer.segment, [])):
                    if position is None or row.position < position:
                        position = row.position
                        yield row
            if len(pointers) < _CHUNK:
                return
            high = pointers[-1].position

    def _list(self, wanted: Wanted) -> "_List":
        if wanted.entity is not None:
            return _List(None, partition(self._family, "HISTORY", *wanted.entity), FIRST, LAST)
        low = _at(wanted.since) if wanted.since else FIRST
        high = _at(wanted.until) if wanted.until else LAST
        path = ("LOG", "ACTOR", wanted.actor_uid) if wanted.actor_uid else ("LOG", "TIMELINE")
        return _List(LogIndex.TIMELINE, partition(self._family, *path), low, high, wanted.actor_uid is None)

    async def _pointers(self, listed: "_List", high: str) -> list["_Pointer"]:
        if listed.index is None:
            items = await self._table.read(listed.partition, listed.low, high, _CHUNK, newest_first=True)
            return [_Pointer(item[SORT]["S"], item[SEGMENT_POINTER]["S"]) for item in items]
        items = await self._table.query(
            listed.index, listed.partition, listed.low, high, _CHUNK, newest_first=True
        )
        return [_Pointer(item[_TIMELINE.sort]["S"], _segment_of(item)) for item in items]

    async def _segments(self, places: set[str]) -> dict[str, list[LogEntry]]:
        keys = [Key(partition(self._family, "LOG", "SEGMENTS"), place) for place in sorted(places)]
        # Consistent: a segment that a pointer leads to is there, and would else be passed over for good.
        items = await self._table.batch_get(keys, consistent=True) if keys else {}
        return {key.sort: decode(Segment, item).entries() for key, item in items.items()}


class _Pointer(NamedTuple):
    """An item of a list: where it stands, and the segment that holds what it stands for."""

    position: str
    segment: str


@dataclass(frozen=True, slots=True)
class _List:
    """The index partition that answers; each item of the timeline of all stands for a whole segment."""

    index: LogIndex | None
    partition: str
    low: str
    high: str
    is_of_segments: bool = False

    def ceiling(self, position: str) -> str:
        """The highest item that can hold what comes behind a position."""
        return position.partition(SORT_SEPARATOR)[0] + LAST if self.is_of_segments else position

    def rows(self, pointer: _Pointer, entries: Sequence[LogEntry]) -> Iterator[Found]:
        """What a pointer stands for, the latest first."""
        for entry in reversed(entries):
            time = sort_key(_at(entry.logged_at), place(entry.sequence))
            if self.is_of_segments:
                yield Found(time, entry)
            elif pointer.position in (time, entry.change.record):
                yield Found(pointer.position, entry)


def _at(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="microseconds")


def _segment_of(item: Item) -> str:
    pointer = item.get(SEGMENT_POINTER)
    return pointer["S"] if pointer else item[SORT]["S"]
