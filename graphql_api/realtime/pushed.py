"""How far a tenant's log has been pushed to its subscribers, and who is pushing.

    T#<tenant>#LOG / PUSHED

One pusher at a time holds the place; should it fail, the next one begins where it stopped. The hold only
saves work: two pushers at once send everything twice, each in order. No clock is compared with another
machine's: who waits takes over when the place has not moved for HOLD_SECONDS of its own.
"""

from dataclasses import dataclass, replace

from graphql_api.realtime.socket import MovedError, moved, revision
from graphql_api.store.codec import decode, encode
from graphql_api.store.keys import Family, Key, partition
from graphql_api.store.table import Table
from graphql_api.store.writes import ABSENT, Put

HOLD_SECONDS = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """Everything up to `sequence` has been sent to all who listen, or they were disconnected."""

    sequence: int = 0
    is_held: bool = False
    revision: int = 0


class Progress:
    """The place itself, through the control table with the tenant's rights."""

    def __init__(self, table: Table, family: Family) -> None:
        self._table = table
        self._key = Key(partition(family, "LOG"), "PUSHED")

    async def read(self) -> Pushed:
        """As it is now."""
        item = (await self._table.batch_get([self._key], consistent=True)).get(self._key)
        return decode(Pushed, item) if item else Pushed()

    async def hold(self, pushed: Pushed) -> Pushed | None:
        """The place, held from now on; None if another pusher was faster."""
        return await self._replace(pushed, replace(pushed, is_held=True))

    async def advance(self, pushed: Pushed, sequence: int) -> Pushed | None:
        """Further on and still held; None if the hold was lost to another pusher."""
        return await self._replace(pushed, replace(pushed, sequence=sequence))

    async def release(self, pushed: Pushed, sequence: int) -> Pushed | None:
        """Further on, and free for the next one."""
        return await self._replace(pushed, replace(pushed, sequence=sequence, is_held=False))

    async def _replace(self, old: Pushed, new: Pushed) -> Pushed | None:
        new = replace(new, revision=old.revision + 1)
        condition = revision(old.revision) if old.revision else ABSENT
        try:
            await self._table.commit([Put(self._key, encode(new), moved, condition)])
        except MovedError:
            return None
        return new
