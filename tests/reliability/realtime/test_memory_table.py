"""The table in memory answers as the engine does, whatever is asked of both."""

from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Any

import pytest

from graphql_api.deadline import Deadline
from graphql_api.store.client import Database
from graphql_api.store.codec import Item
from graphql_api.store.keys import FIRST, LAST, Key, tenant_family
from graphql_api.store.provision import create_tables
from graphql_api.store.schema import Index, LogIndex
from graphql_api.store.table import Table
from graphql_api.store.writes import (
    ABSENT,
    ANYTHING,
    PRESENT,
    Add,
    Check,
    Condition,
    Delete,
    Put,
    Tally,
    Update,
    Write,
)
from tests.reliability.realtime.memory import CONTROL, DATA, InMemoryTable, MemoryDatabase, TrespassError
from tests.reliability.seeds import chance, naming
from tests.world import settings

SEQUENCES, CALLS = 12, 80
FAMILY = tenant_family("acme")
PARTITIONS = [f"{FAMILY}#a", f"{FAMILY}#b"]
SORTS = ["1", "1\x1f2", "2", "é", "z"]
LISTS = [f"{FAMILY}#list", f"{FAMILY}#other"]
INDEXES: dict[str, tuple[Index | LogIndex, ...]] = {
    DATA: (Index.LISTING, Index.BY_STATUS),
    CONTROL: (LogIndex.TIMELINE,),
}


class FailedError(Exception):
    """Which write's condition failed, and what stood there."""


def failing(number: int) -> Callable[[Item | None], Exception]:
    return lambda item: FailedError(number, item)


class Caller:
    """Random calls, for either table."""

    def __init__(self, dice: Random, name: str) -> None:
        self._dice = dice
        self._name = name

    def call(self) -> Callable[[Table], Awaitable[Any]]:
        """One call, the same for whichever table it is made of."""
        match self._dice.choice(
            ("commit", "commit", "commit", "transact", "transact", "add", "get", "read", "query")
        ):
            case "commit":
                writes = self._writes(1)
                return lambda table: table.commit(writes)
            case "transact":
                writes = self._writes(self._dice.randint(2, 4))
                return lambda table: table.commit(writes)
            case "add":
                addition = self._add(self._keys(1)[0], 0)
                return lambda table: table.add(addition)
            case "get":
                keys, consistent = self._keys(self._dice.randint(1, 5)), self._dice.random() < 0.5
                return lambda table: table.batch_get(keys, consistent=consistent)
            case "read":
                partition, limit, newest_first = self._dice.choice(PARTITIONS), *self._part()
                low, high = self._range()
                return lambda table: table.read(partition, low, high, limit, newest_first=newest_first)
            case _:
                index, partition = self._dice.choice(INDEXES[self._name]), self._dice.choice(LISTS)
                low, high = self._range()
                limit, newest_first = self._part()
                return lambda table: table.query(
                    index, partition, low, high, limit, newest_first=newest_first
                )

    def _part(self) -> tuple[int, bool]:
        return self._dice.choice((1, 2, 100)), self._dice.random() < 0.5

    def _range(self) -> tuple[str, str]:
        return self._dice.choice(((FIRST, LAST), ("1", "2"), ("1\x1f", "é")))

    def _keys(self, count: int) -> list[Key]:
        keys = [Key(partition, sort) for partition in PARTITIONS for sort in SORTS]
        return self._dice.sample(keys, count)

    def _writes(self, count: int) -> Sequence[Write]:
        return [self._write(key, number, count) for number, key in enumerate(self._keys(count))]

    def _write(self, key: Key, number: int, count: int) -> Write:
        condition, failed = self._condition(), failing(number)
        kinds = ("put", "put", "update", "delete", "add", "tally", *(("check",) if count > 1 else ()))
        match self._dice.choice(kinds):
            case "put":
                return Put(key, self._attributes(key), failed, condition)
            case "update":
                changes = self._attributes(key)
                removals = frozenset({"n", "state", "revision"} - changes.keys())
                return Update(
                    key, changes, removals if self._dice.random() < 0.3 else frozenset(), condition, failed
                )
            case "delete":
                return Delete(key, condition, failed)
            case "add":
                return self._add(key, number)
            case "tally":
                amounts = {"n": self._dice.choice((-1, 1, 5)), "revision": self._dice.choice((0, 1))}
                return Tally(key, amounts, {"state": {"S": "OPEN"}})
            case _:
                return Check(key, condition, failed)

    def _add(self, key: Key, number: int) -> Add:
        return Add(key, "n", self._dice.choice((-1, 1, 5)), self._condition(), failing(number))

    def _attributes(self, key: Key) -> Item:
        drawn: Item = {
            "n": {"N": str(self._dice.randint(0, 12))},
            "state": {"S": self._dice.choice(("OPEN", "READY"))},
            "revision": {"N": str(self._dice.randint(0, 2))},
            "live": {"BOOL": self._dice.random() < 0.5},
            "held": {"L": [{"S": "one"}]},
            "segment": {"S": "pointer"},
        }
        chosen = {name: value for name, value in drawn.items() if self._dice.random() < 0.6}
        for index in INDEXES[self._name]:
            if self._dice.random() < 0.7:
                chosen[index.value.partition] = {"S": self._dice.choice(LISTS)}
                chosen[index.value.sort] = {"S": f"{key.sort} {key.partition}"}
        return chosen or {"state": {"S": "OPEN"}}

    def _condition(self) -> Condition:
        number: Item = {":n": {"N": str(self._dice.randint(0, 10))}}
        return self._dice.choice(
            (
                ABSENT,
                PRESENT,
                ANYTHING,
                ANYTHING,
                Condition("#r = :n", {"#r": "revision"}, number),
                Condition(
                    "#n BETWEEN :low AND :n AND #s = :open",
                    {"#n": "n", "#s": "state"},
                    {":low": {"N": "0"}, ":open": {"S": "OPEN"}, **number},
                ),
                Condition("attribute_not_exists(#n) OR #n < :n", {"#n": "n"}, number),
                Condition("attribute_not_exists(#n) OR #n <= :n", {"#n": "n"}, number),
                Condition(
                    "#live = :no AND #s = :open",
                    {"#live": "live", "#s": "state"},
                    {":no": {"BOOL": False}, ":open": {"S": "OPEN"}},
                ),
            )
        )


async def outcome(call: Callable[[Table], Awaitable[Any]], table: Table) -> Any:
    try:
        return await call(table)
    except FailedError as failure:
        return failure.args


@pytest.mark.parametrize("name", [DATA, CONTROL])
async def test_both_answer_the_same(engine_endpoint: str, name: str):
    answers: set[type] = set()
    database = await Database(settings(engine_endpoint)).open()
    await create_tables(database)
    real_name = database.table_name if name == DATA else database.control_table_name
    real = Table(database, FAMILY, Deadline.after(60), real_name)
    memory = InMemoryTable(MemoryDatabase(lambda: 0.0), FAMILY, Deadline.after(60), name)
    for seed in range(SEQUENCES):
        caller = Caller(chance(seed), name)
        with naming(seed):
            for _ in range(CALLS):
                call = caller.call()
                expected = await outcome(call, real)
                assert await outcome(call, memory) == expected
                answers.add(type(expected))
    await database.close()
    assert answers == {type(None), tuple, dict, list, int}


@pytest.mark.parametrize("number", [1, 2])
async def test_both_know_a_token_again(engine_endpoint: str, number: int):
    database = await Database(settings(engine_endpoint)).open()
    await create_tables(database)
    keys = [Key(PARTITIONS[0], sort) for sort in SORTS[:number]]
    tallies = [Tally(key, {"n": 1}, {"state": {"S": "OPEN"}}) for key in keys]
    found: list[dict[Key, Item]] = []
    for opened, table in ((database, Table), (MemoryDatabase(lambda: 0.0), InMemoryTable)):
        one = table(opened, FAMILY, Deadline.after(60))
        for token in ("first", "first", "second"):
            await one.commit(tallies, token)
        found.append(await one.batch_get(keys, consistent=True))
    await database.close()
    assert found[0] == found[1]
    assert {item["n"]["N"] for item in found[0].values()} == {"3" if number == 1 else "2"}


async def test_another_familys_partition_is_out_of_reach():
    database = MemoryDatabase(lambda: 0.0)
    table = InMemoryTable(database, FAMILY, Deadline.after(60))
    with pytest.raises(TrespassError):
        await table.batch_get([Key(f"{tenant_family('acme-2')}#a", "1")])
    assert database.trespasses
