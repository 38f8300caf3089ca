"""Where a log ends: its last number and hash, and the epoch that its cursors are of."""

from dataclasses import dataclass
from datetime import datetime

from graphql_api.store.codec import Item, decode, encode
from graphql_api.store.keys import Family, Key, partition
from graphql_api.store.table import Table
from graphql_api.store.writes import ABSENT, Condition, Put


@dataclass(frozen=True, slots=True, kw_only=True)
class LogHead:
    """Where a log ends. An empty one has sequence 0 and no epoch yet; its first change is given one."""

    epoch: str = ""
    sequence: int = 0
    hash: str = ""
    logged_at: datetime | None = None


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
