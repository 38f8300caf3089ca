"""DynamoDB in a dict: what `Table` promises, with conditions, lagging indexes and word of each write."""

from bisect import insort
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

from graphql_api.deadline import Deadline
from graphql_api.store.capacity import Meter
from graphql_api.store.client import Database
from graphql_api.store.codec import Item
from graphql_api.store.keys import Family, Key
from graphql_api.store.schema import (
    PARTITION,
    SORT,
    FamilyIndex,
    Index,
    LogIndex,
    control_definition,
    table_definition,
)
from graphql_api.store.table import MAX_BATCH_KEYS, MAX_TRANSACTION_ITEMS, StoreBusyError, Table
from graphql_api.store.writes import Add, Write
from tests.reliability.realtime.effects import added, applied, condition_of, holds, key_of_write

DATA, CONTROL = "data", "control"
# What an index shows of an item: all of it, or only these attributes.
_PROJECTIONS: dict[str, frozenset[str] | None] = {
    index["IndexName"]: None
    if index["Projection"]["ProjectionType"] == "ALL"
    else frozenset(index["Projection"].get("NonKeyAttributes", ()))
    | {PARTITION, SORT, *(key["AttributeName"] for key in index["KeySchema"])}
    for definition in (table_definition(DATA), control_definition(CONTROL))
    for index in definition["GlobalSecondaryIndexes"]
}

# Told of every write that changed something: the table, the key, the images before and after.
Listener = Callable[[str, Key, Item | None, Item | None], None]
# Told of every call before it takes effect, and after: whose rights, which call, on which partitions.
Gate = Callable[[str, Family, Sequence[str]], Awaitable[None]]


class TrespassError(Exception):
    """A call touched what its principal has no rights to; the shipped policy would have refused it."""


async def open_gate(_: str, __: Family, ___: Sequence[str]) -> None:
    """Let every call pass at once."""


class MemoryTable:
    """The items of one table, and of its indexes as they were `lag` ago for each write."""

    def __init__(self, name: str, now: Callable[[], float], lag: Callable[[], float]) -> None:
        self.items: dict[Key, Item] = {}
        self._name = name
        self._now = now
        self._lag = lag
        self._sorts: dict[str, list[str]] = defaultdict(list)
        self._history: dict[Key, list[tuple[float, Item | None]]] = {}
        self._listed: dict[tuple[str, str], dict[Key, None]] = defaultdict(dict)
        self._partitions = sorted({index.value.partition for index in (*Index, *LogIndex, *FamilyIndex)})

    def set(self, key: Key, item: Item | None, *, at_once: bool = False) -> None:
        """Store an item, or take it away with None; `at_once` spares the indexes their lag."""
        if key not in self.items and item is not None:
            insort(self._sorts[key.partition], key.sort)
        if item is None:
            if self.items.pop(key, None) is not None:
                self._sorts[key.partition].remove(key.sort)
        else:
            self.items[key] = item
            for name in self._partitions:
                if name in item:
                    self._listed[name, item[name]["S"]][key] = None
        history = self._history.setdefault(key, [])
        visible = 0.0 if at_once else self._now() + self._lag()
        # One item's writes reach the index in their order.
        history.append((max(visible, history[-1][0]) if history else visible, item))

    def partition(self, name: str, low: str, high: str) -> Iterator[Item]:
        """The items of a partition in the order of their sort keys."""
        for sort in self._sorts.get(name, ()):
            if low <= sort <= high:
                yield self.items[Key(name, sort)]

    def listed(
        self, index: Index | LogIndex | FamilyIndex, partition: str, low: str, high: str
    ) -> list[Item]:
        """What an index shows by now, in order."""
        keys, projection = index.value, _PROJECTIONS[index.index_name]
        found: list[Item] = []
        for key in self._listed.get((keys.partition, partition), ()):
            item = self._visible(key)
            if item is None or item.get(keys.partition) != {"S": partition} or keys.sort not in item:
                continue
            if low <= item[keys.sort]["S"] <= high:
                shown = item if projection is None else {n: v for n, v in item.items() if n in projection}
                found.append(shown)
        return sorted(found, key=lambda item: (item[keys.sort]["S"], item[PARTITION]["S"], item[SORT]["S"]))

    def lagging(self, name: str) -> list[Item]:
        """A partition as an index would show it by now."""
        keys = [key for key in self._history if key.partition == name]
        return [item for key in keys if (item := self._visible(key)) is not None]

    def _visible(self, key: Key) -> Item | None:
        now = self._now()
        return next((item for at, item in reversed(self._history[key]) if at <= now), None)


class MemoryDatabase(Database):
    """Both tables. `gate` is passed before each call and again before its answer."""

    def __init__(self, now: Callable[[], float], lag: Callable[[], float] = lambda: 0.0) -> None:
        self.table_name, self.control_table_name = DATA, CONTROL
        self.tables = {name: MemoryTable(name, now, lag) for name in (DATA, CONTROL)}
        self.gate: Gate = open_gate
        self.answer: Gate = open_gate
        self.listeners: list[Listener] = []
        self.trespasses: list[str] = []
        self.tokens: set[str] = set()  # of transactions that took effect; time does not take them away

    def apply(self, table: str, states: Mapping[Key, Item | None]) -> None:
        """Make the tables hold these items, and tell who listens what changed."""
        stored = self.tables[table]
        for key, item in states.items():
            before = stored.items.get(key)
            if before == item:
                continue
            stored.set(key, item)
            for listener in self.listeners:
                listener(table, key, before, item)

    def require_right(self, family: Family, partitions: Sequence[str]) -> None:
        """Raise TrespassError for a partition outside the family."""
        for partition in partitions:
            if not partition.startswith(f"{family}#"):
                self.trespasses.append(f"{family} touched {partition}")
                raise TrespassError(self.trespasses[-1])


class InMemoryTable(Table):
    """`Table` over a MemoryDatabase; each call takes effect at one moment."""

    def __init__(
        self,
        database: Database,
        principal: Family,
        deadline: Deadline,
        name: str | None = None,
        meter: Meter | None = None,
    ) -> None:
        super().__init__(database, principal, deadline, name, meter)
        assert isinstance(database, MemoryDatabase)
        self._memory = database
        self._table = database.tables[name or DATA]

    async def batch_get(self, keys: Sequence[Key], *, consistent: bool = False) -> dict[Key, Item]:
        assert 0 < len(keys) <= MAX_BATCH_KEYS
        assert len(set(keys)) == len(keys)
        await self._enter("get", [key.partition for key in keys])
        items = self._table.items
        found = {key: dict(items[key]) for key in keys if key in items}
        await self._leave("get")
        return found

    async def query(
        self,
        index: Index | LogIndex | FamilyIndex,
        partition: str,
        low: str,
        high: str,
        limit: int,
        *,
        newest_first: bool = False,
    ) -> list[Item]:
        await self._enter("query", [partition])
        found = self._table.listed(index, partition, low, high)
        shown = (found[::-1] if newest_first else found)[:limit]
        await self._leave("query")
        return [dict(item) for item in shown]

    async def read(
        self, partition: str, low: str, high: str, limit: int, *, newest_first: bool = False
    ) -> list[Item]:
        await self._enter("read", [partition])
        found = list(self._table.partition(partition, low, high))
        shown = [dict(item) for item in (found[::-1] if newest_first else found)[:limit]]
        await self._leave("read")
        return shown

    async def read_lagging(self, partition: str) -> list[Item]:
        """A whole partition, as an index would show it: what no call of the product reads."""
        await self._enter("query", [partition])
        found = self._table.lagging(partition)
        await self._leave("query")
        return found

    async def commit(self, writes: Sequence[Write], token: str | None = None) -> None:
        keys = [key_of_write(write) for write in writes]
        assert 0 < len(set(keys)) == len(keys) <= MAX_TRANSACTION_ITEMS
        await self._enter("commit", [key.partition for key in keys])
        if len(writes) > 1 and token in self._memory.tokens:
            await self._leave("commit")
            return
        states: dict[Key, Item | None] = {}
        for key, write in zip(keys, writes, strict=True):
            standing = self._table.items.get(key)
            if not holds(condition_of(write), standing):
                if len(writes) == 1 and standing is not None and write.applied_in(standing):
                    break
                await self._leave("commit")
                raise write.on_failure(None if standing is None else dict(standing))
            states[key] = applied(write, standing)
        else:
            self._memory.apply(self._name, {key: states[key] for key in keys if key in states})
            self._memory.tokens |= {token} if token else set()
        await self._leave("commit")

    async def add(self, write: Add) -> int:
        await self._enter("add", [write.key.partition])
        standing = self._table.items.get(write.key)
        if not holds(write.condition, standing):
            await self._leave("add")
            raise write.on_failure(None if standing is None else dict(standing))
        item = added(write, standing)
        self._memory.apply(self._name, {write.key: item})
        await self._leave("add")
        return int(item[write.attribute]["N"])

    async def _enter(self, call: str, partitions: Sequence[str]) -> None:
        self._deadline.require()
        self._memory.require_right(self._principal, partitions)
        await self._memory.gate(call, self._principal, partitions)
        if self._deadline.remaining() <= 0:
            raise StoreBusyError

    async def _leave(self, call: str) -> None:
        await self._memory.answer(call, self._principal, ())
        if self._deadline.remaining() <= 0:
            raise StoreBusyError
