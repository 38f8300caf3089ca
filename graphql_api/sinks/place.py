"""How far a tenant's log has been given to a sink, and who is giving.

    T#<tenant>#LOG / SINK<name>

One process at a time holds the place, until it lets go or the hold runs out. The hold only saves work: two
who give at once give everything twice. A failure does not end it, so that a sink in trouble is tried again a
while later, and not by every batch.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from graphql_api.store.codec import Item, decode, encode
from graphql_api.store.keys import Family, Key, partition, sort_key
from graphql_api.store.table import Table
from graphql_api.store.writes import ABSENT, Condition, Put

HOLD = timedelta(seconds=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """Everything up to `sequence` has been taken; until `held_until` somebody is giving more."""

    sequence: int = 0
    held_until: datetime | None = None
    revision: int = 0


class PlaceMovedError(Exception):
    """Somebody else has it."""


class Place:
    """The place of one sink in one tenant's log, through the control table with the tenant's rights."""

    def __init__(self, table: Table, family: Family, sink: str, now: Callable[[], datetime]) -> None:
        self._table = table
        self._key = Key(partition(family, "LOG"), sort_key("SINK", sink))
        self._now = now

    async def read(self) -> Given:
        """As it is now."""
        item = (await self._table.batch_get([self._key], consistent=True)).get(self._key)
        return decode(Given, item) if item else Given()

    def is_held(self, given: Given) -> bool:
        return given.held_until is not None and given.held_until > self._now()

    async def hold(self, given: Given) -> Given:
        """The place, held from now on. Raises PlaceMovedError."""
        return await self._replace(given, replace(given, held_until=self._now() + HOLD))

    async def advance(self, given: Given, sequence: int, *, held: bool) -> Given:
        """Further on, and held still or free for the next one. Raises PlaceMovedError."""
        until = self._now() + HOLD if held else None
        return await self._replace(given, replace(given, sequence=sequence, held_until=until))

    async def _replace(self, old: Given, new: Given) -> Given:
        new = replace(new, revision=old.revision + 1)
        values: Item = {":revision": {"N": str(old.revision)}}
        same = Condition("#revision = :revision", {"#revision": "revision"}, values)
        unmoved = same if old.revision else ABSENT
        await self._table.commit([Put(self._key, encode(new), _moved, unmoved)])
        return new


def _moved(_: Item | None) -> Exception:
    return PlaceMovedError()
