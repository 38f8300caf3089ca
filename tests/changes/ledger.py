"""A log with a clock in hand, its items within reach."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import aiobotocore.session

from graphql_api.changes.change import Change
from graphql_api.changes.head import LogHead
from graphql_api.changes.history import History
from graphql_api.changes.log import ChangeLog, LogEntry, Segment, chained, place
from graphql_api.changes.verify import Anchor, Verified, Verifier
from graphql_api.deadline import Deadline
from graphql_api.store.codec import Item, decode, encode
from graphql_api.store.keys import FIRST, LAST, Key, partition
from graphql_api.store.table import Table
from graphql_api.store.writes import ANYTHING, Put, key_attributes
from tests.changes.records import ACME, SEEN
from tests.world import World

RETENTION = timedelta(days=400)


def refused(_: object) -> Exception:
    return AssertionError("nobody else writes here")


class Ledger:
    """Acme's log in the control table of a world; `now` is what its clock says."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.now: datetime = SEEN
        sources = world.services.sources
        self.table: Table = sources.control(ACME, Deadline.after(120))
        self.data = Table(sources.database, ACME, Deadline.after(120))
        self.history = History(self.table, ACME)
        self.log = self.opened()

    def opened(self) -> ChangeLog:
        """The log as another process would have it."""
        return ChangeLog(
            self.table, ACME, now=lambda: self.now, new_epoch=lambda: "epoch-1", retention=RETENTION
        )

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)

    @property
    def operations(self) -> dict[str, int]:
        return dict(self.world.guard.operations)

    async def everything(self) -> list[LogEntry]:
        """All entries, in order; the chain and the head are as they must be."""
        entries: list[LogEntry] = []
        while found := await self.log.after(len(entries)):
            entries += found
        previous = ""
        for number, entry in enumerate(entries, 1):
            assert (entry.sequence, entry.hash) == (number, chained(previous, entry.text))
            previous = entry.hash
        head = await self.log.head()
        assert (head.sequence, head.hash) == (len(entries), previous)
        return entries

    async def logged(self) -> list[Change]:
        return [entry.change for entry in await self.everything()]

    async def segments(self) -> list[Segment]:
        items = await self.table.read(partition(ACME, "LOG", "SEGMENTS"), FIRST, LAST, 1000)
        return [decode(Segment, item) for item in items]

    async def verified(self, anchor: Anchor | None = None) -> Verified:
        return await Verifier(self.log, anchor, now=lambda: self.now, retention=RETENTION).run()

    async def alter(self, last: int, **attributes: Any) -> None:
        """Write other attributes into the segment that ends with `last`."""
        key = self.segment_key(last)
        item = (await self.table.batch_get([key], consistent=True))[key]
        await self.put(key, item | attributes)

    async def put(self, key: Key, item: Item) -> None:
        kept = {name: value for name, value in item.items() if name not in ("pk", "sk")}
        await self.table.commit([Put(key, kept, refused, ANYTHING)])

    async def put_segment(self, segment: Segment) -> None:
        await self.put(self.segment_key(segment.last), encode(segment))

    async def put_head(self, head: LogHead) -> None:
        await self.put(Key(partition(ACME, "LOG"), "HEAD"), encode(head))

    async def drop(self, *keys: Key) -> None:
        """Take items away past the product, which may not: no policy allows a deletion in the log."""
        settings = self.world.services.settings
        session = aiobotocore.session.get_session()
        async with session.create_client(
            "dynamodb", region_name=settings.region, endpoint_url=settings.dynamodb_endpoint
        ) as client:
            for key in keys:
                await client.delete_item(TableName=settings.control_table_name, Key=key_attributes(key))

    def segment_key(self, last: int) -> Key:
        return Key(partition(ACME, "LOG", "SEGMENTS"), place(last))

    @property
    def head_key(self) -> Key:
        return Key(partition(ACME, "LOG"), "HEAD")


async def filled(ledger: Ledger, batches: Sequence[Sequence[Change]], **between: float) -> list[LogEntry]:
    """Log the batches, some time after one another."""
    for batch in batches:
        await ledger.log.append(batch)
        ledger.forward(**(between or {"seconds": 1}))
    return await ledger.everything()
