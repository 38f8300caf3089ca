"""Where a log ends: its last number and hash, and the epoch that its cursors are of."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from graphql_api.changes.cursor import EventCursor
from graphql_api.errors import CursorExpiredError
from graphql_api.store.codec import Item, decode, encode
from graphql_api.store.keys import Family, Key, partition
from graphql_api.store.table import Table
from graphql_api.store.writes import ABSENT, Condition, Put


@dataclass(frozen=True, slots=True)
class Count:
    """How many entities of a kind there are that are not deleted."""

    kind: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LogHead:
    """Where a log ends, and how many things its changes have left there of each kind that a plan bounds.

    An empty one has sequence 0 and no epoch yet; its first change is given one.
    """

    epoch: str = ""
    sequence: int = 0
    hash: str = ""
    logged_at: datetime | None = None
    counts: list[Count] = field(default_factory=list[Count])

    def count(self, kind: str) -> int:
        """How many there are of a kind."""
        return sum(count.number for count in self.counts if count.kind == kind)

    def counted(self, growth: Iterable[tuple[str, int]]) -> list[Count]:
        """The counts after so many more of some kinds."""
        numbers = Counter({count.kind: count.number for count in self.counts})
        for kind, more in growth:
            numbers[kind] += more
        return [Count(kind, number) for kind, number in sorted(numbers.items()) if number]

    def require(self, cursor: EventCursor) -> None:
        """Raises CursorExpiredError for a cursor that is no place in the log."""
        if cursor.sequence > self.sequence or cursor.epoch not in ("", self.epoch):
            raise CursorExpiredError


class LogMovedError(Exception):
    """Somebody else appended first, or began an epoch."""


async def read_head(table: Table, family: Family) -> LogHead:
    """Where the family's log ends now."""
    key = _key(family)
    item = (await table.batch_get([key], consistent=True)).get(key)
    return decode(LogHead, item) if item else LogHead()


def head_write(family: Family, old: LogHead, new: LogHead) -> Put:
    """From one head to the next. Raises LogMovedError where it is another one by now."""
    names = {"#sequence": "sequence", "#epoch": "epoch"}
    values: Item = {":sequence": {"N": str(old.sequence)}, ":epoch": {"S": old.epoch}}
    unmoved = Condition("#sequence = :sequence AND #epoch = :epoch", names, values)
    return Put(_key(family), encode(new), moved, unmoved if old.sequence else ABSENT)


def moved(_: Item | None) -> Exception:
    """Why the condition of a write to the log does not hold."""
    return LogMovedError()


def _key(family: Family) -> Key:
    return Key(partition(family, "LOG"), "HEAD")
