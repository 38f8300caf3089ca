"""How many sockets there are, by person and by tenant; the caps hold however many Lambdas count at once.

T#<tenant>#SOCKETS / <subject>         the sockets of one person
T#<tenant>#SOCKETS#COUNT / <shard>     how many the tenant has
"""

import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from graphql_api.realtime.socket import MovedError, TooManyError, moved, revision
from graphql_api.store.codec import decode, encode
from graphql_api.store.contention import pause
from graphql_api.store.keys import FIRST, LAST, Key, partition, tenant_family
from graphql_api.store.table import StoreBusyError, Table
from graphql_api.store.writes import ABSENT, ANYTHING, Add, Condition, Put, Write

MAX_SOCKETS_OF_USER = 100
MAX_SOCKETS_OF_TENANT = 10_000
COUNT_SHARDS = 8  # A tenant's clients all come back at once after a drop; one counter would be in their way.
MAX_CONTENTION = 64


@dataclass(frozen=True, slots=True)
class OwnSocket:
    """One of a person's sockets; `until` in epoch seconds."""

    id: str
    until: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSockets:
    """All sockets of one person."""

    subject: str
    revision: int = 0
    sockets: list[OwnSocket] = field(default_factory=list[OwnSocket])


class Census:
    """The sockets of one tenant's people, through the control table with the tenant's rights."""

    def __init__(self, table: Table, tenant: str, now: Callable[[], datetime]) -> None:
        self._table = table
        self._family = tenant_family(tenant)
        self._now = now

    async def join(self, connection_id: str, subject: str, until: datetime, also: Sequence[Write]) -> None:
        """Count a socket in, in one commit with `also`. Raises TooManyError."""
        own = OwnSocket(connection_id, int(until.timestamp()))

        def joined(present: OwnSockets) -> OwnSockets:
            living = [one for one in present.sockets if one.until > self._now().timestamp()]
            if len(living) >= MAX_SOCKETS_OF_USER:
                raise TooManyError(f"A person has {MAX_SOCKETS_OF_USER} sockets open at most.")
            return replace(present, sockets=[*living, own])

        await self._change(subject, joined, also)

    async def part(self, connection_id: str, subject: str) -> None:
        """Count a socket out, once however often it is said."""

        def parted(present: OwnSockets) -> OwnSockets:
            return replace(present, sockets=[one for one in present.sockets if one.id != connection_id])

        await self._change(subject, parted, ())

    async def everybody(self) -> list[OwnSockets]:
        """All sockets of the tenant, by person."""
        path = partition(self._family, "SOCKETS")
        items = await self._table.read(path, FIRST, LAST, MAX_SOCKETS_OF_TENANT)
        return [decode(OwnSockets, item) for item in items]

    async def of(self, subject: str) -> OwnSockets:
        """The sockets of one person."""
        key = self._key(subject)
        item = (await self._table.batch_get([key], consistent=True)).get(key)
        return decode(OwnSockets, item) if item else OwnSockets(subject=subject)

    async def _change(
        self, subject: str, change: Callable[[OwnSockets], OwnSockets], also: Sequence[Write]
    ) -> None:
        for attempt in range(MAX_CONTENTION):
            present = await self.of(subject)
            changed = change(present)
            if changed == present:
                return
            stored = encode(replace(changed, revision=present.revision + 1))
            condition = revision(present.revision) if present.revision else ABSENT
            write = Put(self._key(subject), stored, moved, condition)
            try:
                await self._table.commit([write, *self._counts(present, changed), *also])
            except MovedError:
                await pause(attempt)
            else:
                return
        raise StoreBusyError

    def _counts(self, old: OwnSockets, new: OwnSockets) -> list[Write]:
        counts = Counter({_shard(one.id): 0 for one in (*old.sockets, *new.sockets)})
        counts.update(_shard(one.id) for one in new.sockets)
        counts.subtract(_shard(one.id) for one in old.sockets)
        path = partition(self._family, "SOCKETS", "COUNT")
        return [
            Add(Key(path, shard), "n", by, _ROOM if by > 0 else ANYTHING, lambda _: _full())
            for shard, by in counts.items()
            if by
        ]

    def _key(self, subject: str) -> Key:
        return Key(partition(self._family, "SOCKETS"), subject)


_ROOM = Condition(
    "attribute_not_exists(#count) OR #count < :most",
    {"#count": "n"},
    {":most": {"N": str(MAX_SOCKETS_OF_TENANT // COUNT_SHARDS)}},
)


def _full() -> Exception:
    return TooManyError("Your tenant has too many sockets open.")


def _shard(connection_id: str) -> str:
    return str(zlib.crc32(connection_id.encode()) % COUNT_SHARDS)
