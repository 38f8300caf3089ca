"""One tenant's change log: appended exactly once, gap-free, hash-chained, read in order.

Items of the control table, all in the tenant's family:

    LOG / HEAD                          the last sequence number, its hash, the epoch, counts
    LOG#SEGMENTS / <last sequence>      a segment: up to 97 consecutive changes with their hashes
    HISTORY#<kind>#<uid> / <record>     leads to the segment that holds a change of this entity

A segment, its histories and the head are one transaction, conditional on the head as it was read and on no
history being there: so a change is appended once however often its record is delivered, and a batch costs
one transaction, not one for each change. A cursor is good for one epoch; the chain of hashes spans them all.
"""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from graphql_api.changes.change import Change, from_text, to_text
from graphql_api.changes.cursor import EventCursor
from graphql_api.changes.head import LogHead, LogMovedError, head_write, moved, read_head
from graphql_api.store.codec import Item, decode, encode
from graphql_api.store.contention import pause
from graphql_api.store.keys import FIRST, LAST, SORT_SEPARATOR, Family, Key, after, partition, sort_key
from graphql_api.store.schema import EPOCH, EXPIRY, SEGMENT_POINTER, SORT, LogIndex
from graphql_api.store.table import MAX_TRANSACTION_ITEMS, StoreBusyError, Table
from graphql_api.store.writes import PRESENT, Put

MAX_SEGMENT_CHANGES = MAX_TRANSACTION_ITEMS - 3
MAX_SEGMENT_BYTES = 300_000  # of the 400 KB of an item (DynamoDB)
MAX_CONTENTION = 64
SETTLED_AFTER = timedelta(seconds=5)  # An index follows its table within a second as a rule (DynamoDB).
_DIGITS = 16


@dataclass(frozen=True, slots=True)
class LogEntry:
    """A change in its place: `hash` covers its text and, through the one before, all before it."""

    epoch: str
    sequence: int
    change: Change
    text: str
    hash: str
    logged_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Consecutive changes as they are stored together; `previous` is the hash before the first.

    `former`: the epoch in which they were logged, of the segment from which another one counts.
    """

    epoch: str
    first: int
    last: int
    previous: str
    texts: list[str]
    hashes: list[str]
    logged_at: datetime
    former: str | None = None

    def entries(self) -> list[LogEntry]:
        """The changes, in order."""
        return [
            LogEntry(self.epoch, sequence, from_text(text)[1], text, hashed, self.logged_at)
            for sequence, text, hashed in zip(
                range(self.first, self.last + 1), self.texts, self.hashes, strict=True
            )
        ]


def chained(previous: str, text: str) -> str:
    """The hash of an entry: SHA-256 over the hash before it and its own text, in hex."""
    return hashlib.sha256(f"{previous}\n{text}".encode()).hexdigest()


class AlreadyLoggedError(Exception):
    """One of the changes is in the log."""


class ChangeLog:
    """The log of one tenant, through a control table with the tenant's rights.

    `retention` is how long entries are kept; `new_epoch` names a log that is begun.
    """

    def __init__(
        self,
        table: Table,
        family: Family,
        *,
        now: Callable[[], datetime],
        new_epoch: Callable[[], str],
        retention: timedelta,
    ) -> None:
        self.family = family
        self._table = table
        self._now = now
        self._new_epoch = new_epoch
        self._retention = retention
        self._segments = partition(family, "LOG", "SEGMENTS")

    async def head(self) -> LogHead:
        """Where the log ends now."""
        return await read_head(self._table, self.family)

    async def settled(self) -> EventCursor:
        """The place from which nothing can be missing in what is read of the tenant's data from now on.

        It lies `SETTLED_AFTER` behind the head: a read that is not consistent, as those of indexes never are,
        shows by now what was logged before. Who follows the log from here meets again what such a read shows.
        """
        newest = (self._now() - SETTLED_AFTER).isoformat(timespec="microseconds")
        path = partition(self.family, "LOG", "TIMELINE")
        found = await self._table.query(LogIndex.TIMELINE, path, FIRST, newest, 1, newest_first=True)
        if not found:
            return await self._beginning()
        last = found[0][LogIndex.TIMELINE.value.sort]["S"].rpartition(SORT_SEPARATOR)[2]
        return EventCursor(found[0][EPOCH]["S"], int(last))

    async def _beginning(self) -> EventCursor:
        """Before the oldest entry there is; the end of a log of which everything has expired."""
        head = await self.head()
        oldest = await self.after(0, 1)
        if oldest:
            return EventCursor(head.epoch, oldest[0].sequence - 1)
        return EventCursor(head.epoch, head.sequence)

    async def append(
        self, changes: Sequence[Change], *, before_beginning: Callable[[], Awaitable[None]] | None = None
    ) -> list[LogEntry]:
        """Log what is not logged yet, in the order given; the entries that this call added.

        `before_beginning` is awaited where there is no log yet, and may refuse to let one begin.
        Raises StoreBusyError; what was added before that stays, and is found when the changes come again.
        """
        pending = list({change.id: change for change in changes}.values())
        added: list[LogEntry] = []
        for attempt in range(MAX_CONTENTION):
            if not pending:
                return added
            try:
                head = await self.head()
                if not head.sequence and before_beginning is not None:
                    await before_beginning()
                entries = await self._append_segment(head, pending)
            except AlreadyLoggedError:
                pending = await self._not_logged(pending)
            except LogMovedError:
                await pause(attempt)
            else:
                added += entries
                pending = pending[len(entries) :]
        raise StoreBusyError

    async def begin_epoch(self) -> LogHead:
        """Let no cursor that was given out before be good any more; the log goes on from its end under a new
        epoch. An empty log stays as it is. Raises StoreBusyError.
        """
        for attempt in range(MAX_CONTENTION):
            head = await self.head()
            if not head.sequence:
                return head
            begun = replace(head, epoch=self._new_epoch())
            writes = [head_write(self.family, head, begun), *await self._renamed(begun)]
            try:
                await self._table.commit(writes)
            except LogMovedError:
                await pause(attempt)
            else:
                return begun
        raise StoreBusyError

    async def after(self, sequence: int, limit: int = 10) -> list[LogEntry]:
        """The entries behind `sequence`, in order, from at most `limit` segments; none at the end."""
        items = await self.stored(sequence, limit)
        return [
            entry for item in items for entry in decode(Segment, item).entries() if entry.sequence > sequence
        ]

    async def stored(self, sequence: int, limit: int = 10) -> list[Item]:
        """Up to `limit` segments that end behind `sequence`, in order, unread as they are stored."""
        return await self._table.read(self._segments, after(place(sequence)), LAST, limit)

    async def before(self, sequence: int | None, limit: int = 1) -> list[Segment]:
        """Up to `limit` segments, the latest first, beginning with the one that holds what stands before
        `sequence`; None is the end of the log.
        """
        if sequence is None:
            items = await self._table.read(self._segments, FIRST, LAST, limit, newest_first=True)
            return [decode(Segment, item) for item in items]
        holding = await self._table.read(self._segments, place(sequence - 1), LAST, 1)
        if not holding:
            return await self.before(None, limit)
        newest = holding[0][SORT]["S"]
        items = await self._table.read(self._segments, FIRST, newest, limit, newest_first=True)
        return [decode(Segment, item) for item in items]

    async def _append_segment(self, head: LogHead, pending: Sequence[Change]) -> list[LogEntry]:
        # Never before DynamoDB's time of the writes, if this clock is slow, nor before the last entry.
        times = [self._now(), head.logged_at, *(change.recorded_at for change in pending)]
        logged_at = max(time for time in times if time is not None)
        epoch = head.epoch or self._new_epoch()
        *_, last = entries = _entries(epoch, head, pending, logged_at)
        segment = Segment(
            epoch=epoch,
            first=head.sequence + 1,
            last=last.sequence,
            previous=head.hash,
            texts=[entry.text for entry in entries],
            hashes=[entry.hash for entry in entries],
            logged_at=logged_at,
        )
        counts = head.counted(entry.change.growth for entry in entries)
        new_head = LogHead(
            epoch=epoch, sequence=last.sequence, hash=last.hash, logged_at=logged_at, counts=counts
        )
        await self._table.commit(
            [
                head_write(self.family, head, new_head),
                Put(self._segment_key(segment.last), self._segment_item(segment), moved),
                *(self._history(entry, segment) for entry in entries),
            ]
        )
        return entries

    async def _not_logged(self, changes: Sequence[Change]) -> list[Change]:
        keys = {self._history_key(change): change for change in changes}
        found: set[Key] = set()
        listed = list(keys)
        for start in range(0, len(listed), MAX_TRANSACTION_ITEMS):
            chunk = listed[start : start + MAX_TRANSACTION_ITEMS]
            found |= (await self._table.batch_get(chunk, consistent=True)).keys()
        return [change for key, change in keys.items() if key not in found]

    async def _renamed(self, head: LogHead) -> list[Put]:
        """The last segment in the head's epoch, for `settled`; none where it has expired."""
        key = self._segment_key(head.sequence)
        item = (await self._table.batch_get([key], consistent=True)).get(key)
        if item is None:
            return []
        changes: Item = {"former": item.get("former", item[EPOCH]), EPOCH: {"S": head.epoch}}
        # No policy allows an update or a deletion in the log, so that neither happens by mistake.
        return [Put(key, item | changes, moved, PRESENT)]

    def _segment_key(self, last: int) -> Key:
        return Key(self._segments, place(last))

    def _segment_item(self, segment: Segment) -> Item:
        timeline = self._listed(("LOG", "TIMELINE"), segment.logged_at, segment.last)
        return encode(segment) | timeline | self._expiry(segment.logged_at)

    def _history_key(self, change: Change) -> Key:
        return Key(partition(self.family, "HISTORY", change.kind, change.uid), change.record)

    def _history(self, entry: LogEntry, segment: Segment) -> Put:
        item: Item = {
            "sequence": {"N": str(entry.sequence)},
            SEGMENT_POINTER: {"S": place(segment.last)},
        }
        if entry.change.actor_uid is not None:
            path = ("LOG", "ACTOR", entry.change.actor_uid)
            item |= self._listed(path, segment.logged_at, entry.sequence)
        item |= self._expiry(segment.logged_at)
        return Put(self._history_key(entry.change), item, lambda _: AlreadyLoggedError())

    def _listed(self, path: tuple[str, ...], at: datetime, sequence: int) -> Item:
        keys = LogIndex.TIMELINE.value
        return {
            keys.partition: {"S": partition(self.family, *path)},
            keys.sort: {"S": sort_key(at.isoformat(timespec="microseconds"), place(sequence))},
        }

    def _expiry(self, logged_at: datetime) -> Item:
        return {EXPIRY: {"N": str(int((logged_at + self._retention).timestamp()))}}


def _entries(epoch: str, head: LogHead, pending: Sequence[Change], logged_at: datetime) -> list[LogEntry]:
    """As many of the pending changes as one segment takes, chained to the head."""
    entries: list[LogEntry] = []
    size, previous = 0, head.hash
    for change in pending[:MAX_SEGMENT_CHANGES]:
        sequence = head.sequence + len(entries) + 1
        text = to_text(change, sequence)
        size += len(text)
        if entries and size > MAX_SEGMENT_BYTES:
            break
        previous = chained(previous, text)
        entries.append(LogEntry(epoch, sequence, change, text, previous, logged_at))
    return entries


def place(sequence: int) -> str:
    """A sequence number as it sorts."""
    return str(sequence).zfill(_DIGITS)
