"""The data table's stream: records in shards, read by event source mappings that repeat themselves."""

import asyncio
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from graphql_api.local.pump.mapping import EventSourceMapping, MappingSettings
from graphql_api.local.pump.record import Record
from graphql_api.store.codec import Item
from graphql_api.store.keys import Key
from graphql_api.store.schema import PARTITION
from graphql_api.store.writes import key_attributes
from tests.reliability.realtime.memory import DATA
from tests.reliability.realtime.timeline import BEGINNING, seconds

SHARDS = 2
_FIRST = 100_000_000_000_000_000_000  # Sequence numbers are long, and compare as numbers.

Invoke = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


@dataclass(slots=True)
class Shard:
    """Records in the order of their writes; `is_longer` is set whenever there are more."""

    id: str
    records: list[Record] = field(default_factory=list[Record])
    is_longer: asyncio.Event = field(default_factory=asyncio.Event)


class Stream:
    """What becomes of items of the data table, all records of one item in one shard."""

    def __init__(self) -> None:
        self.shards = [Shard(f"shard-{number}") for number in range(SHARDS)]
        self.records: list[Record] = []

    def tell(self, table: str, key: Key, before: Item | None, after: Item | None) -> None:
        """Record a write, if the table is the one with a stream."""
        if table != DATA:
            return
        number = len(self.records) + 1
        images = {"OldImage": before, "NewImage": after}
        record: Record = {
            "eventID": f"event-{number}",
            "eventName": "INSERT" if before is None else "REMOVE" if after is None else "MODIFY",
            "eventSource": "aws:dynamodb",
            "dynamodb": {
                "Keys": key_attributes(key),
                "SequenceNumber": str(_FIRST + number),
                "ApproximateCreationDateTime": BEGINNING.timestamp() + int(seconds()),
                **{name: image for name, image in images.items() if image is not None},
            },
        }
        self.records.append(record)
        shard = self.shards[zlib.crc32(key.partition.encode()) % SHARDS]
        shard.records.append(record)
        shard.is_longer.set()


@dataclass(slots=True)
class Rereading:
    """How often a reader goes back over what it has delivered, and how far; nought once it `is_calm`."""

    dice: Random
    chance: float
    most: int = 4
    is_calm: bool = False
    steps: int = 0

    def step_back(self, position: int) -> int:
        """Where it goes on."""
        if self.is_calm or self.dice.random() >= self.chance:
            return position
        self.steps += 1
        return max(0, position - self.dice.randint(1, self.most))


class Reader:
    """An event source mapping at one shard: AWS's rules of retries, bisecting and giving up, as locally."""

    def __init__(self, shard: Shard, invoke: Invoke, rereading: Rereading, settings: MappingSettings) -> None:
        self.position = 0
        self.redriven: set[str] = set()  # partitions of items whose records were set aside
        self._shard = shard
        self._rereading = rereading
        self.mapping = EventSourceMapping(invoke, settings, asyncio.Event())

    async def run(self) -> None:
        """Deliver, for as long as it is let."""
        while True:
            await self._wait()
            size = self._rereading.dice.randint(1, 6)
            batch = self._shard.records[self.position : self.position + size]
            delivered = self.position + await self.mapping.deliver(self._shard.id, batch)
            self.position = self._rereading.step_back(delivered)

    async def redrive(self) -> None:
        """Deliver once more what was set aside."""
        for discarded in self.mapping.on_failure:
            self.redriven |= {record["dynamodb"]["Keys"][PARTITION]["S"] for record in discarded.records}
        await self.mapping.redrive()

    async def _wait(self) -> None:
        while self.position >= len(self._shard.records):
            self._shard.is_longer.clear()
            await self._shard.is_longer.wait()
