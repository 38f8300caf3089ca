import asyncio
import gc
from collections.abc import Iterable

import pytest
import strawberry
from graphql import parse

from graphql_api.errors import NotFoundError
from graphql_api.operations.execution import Executor
from graphql_api.store.codec import Item
from graphql_api.store.keys import Key, entity_key
from graphql_api.store.loader import ItemLoader
from graphql_api.store.table import StoreBusyError
from tests.reliability.network import Network, hangs, refused
from tests.store.notes import ACME, Note, NoteStore, item, key

THROTTLED = [refused("ThrottlingException")] * 3  # as often as the SDK asks


@pytest.fixture
async def loader(store: NoteStore, network: Network) -> ItemLoader:
    return ItemLoader(store.table())


def keys(count: int, kind: str = "NOTE") -> list[Key]:
    return [entity_key(ACME, kind, f"n{number}") for number in range(count)]


def asked(network: Network) -> list[list[Key]]:
    """The keys of each BatchGetItem, there having been no other call."""
    assert set(network.operations) <= {"BatchGetItem"}
    return [
        [Key(each["pk"]["S"], each["sk"]["S"]) for each in request["Keys"]]
        for attempt in network.attempts
        for request in attempt.body["RequestItems"].values()
    ]


async def load(loader: ItemLoader, wanted: Iterable[Key]) -> list[Item | BaseException | None]:
    return await asyncio.gather(*map(loader.load, wanted), return_exceptions=True)


async def stored(store: NoteStore, network: Network, count: int) -> list[Note]:
    notes = await store.written(count)
    network.attempts.clear()
    return notes


async def test_whatever_mix_is_asked_for_at_once_is_one_call(
    store: NoteStore, network: Network, loader: ItemLoader
):
    notes = await stored(store, network, 3)
    wanted = [*map(key, notes), *keys(20, "TASK"), *keys(20, "USER"), *keys(20, "PROJECT")]
    found = await load(loader, wanted)
    assert asked(network) == [wanted]
    assert [each["uid"] for each in found[:3] if isinstance(each, dict)] == [
        item(each)["uid"] for each in notes
    ]
    assert found[3:] == [None] * 60


@pytest.mark.parametrize("first", [1, 5])
async def test_readers_a_few_awaits_apart_share_a_call(network: Network, loader: ItemLoader, first: int):
    wanted = keys(first + 8)

    async def late(awaits: int, one: Key) -> Item | None:
        for _ in range(awaits):
            await asyncio.sleep(0)
        return await loader.load(one)

    readers = [late(max(0, number - first + 1), one) for number, one in enumerate(wanted)]
    assert await asyncio.gather(*readers) == [None] * len(wanted)
    assert asked(network) == [wanted]


async def test_a_call_takes_a_hundred_keys(network: Network, loader: ItemLoader):
    wanted = keys(250)
    assert await load(loader, wanted) == [None] * 250
    assert asked(network) == [wanted[:100], wanted[100:200], wanted[200:]]


async def test_a_key_is_asked_for_once_and_remembered(store: NoteStore, network: Network, loader: ItemLoader):
    (note,) = await stored(store, network, 1)
    wanted = [key(note), *keys(1)] * 40
    assert len({id(found) for found in await load(loader, wanted)}) == 2
    await load(loader, wanted)
    assert asked(network) == [[key(note), *keys(1)]]


async def test_what_another_call_brought_is_not_read(network: Network, loader: ItemLoader):
    one, other = keys(2)
    loader.prime([(one, {"text": {"S": "known"}}), (other, None)])
    loader.prime([(one, {"text": {"S": "stale"}})])
    assert await load(loader, [one, other]) == [{"text": {"S": "known"}}, None]
    loader.prime([(one, {"text": {"S": "newer"}})], replace=True)
    assert await load(loader, [one]) == [{"text": {"S": "newer"}}]
    assert asked(network) == []


@pytest.mark.parametrize("awaits", [0, 1, 5, 50])
async def test_a_newer_state_reaches_those_who_wait_for_the_older(
    store: NoteStore, network: Network, loader: ItemLoader, awaits: int
):
    """Whether the older is still to be asked for, being read, or known."""
    (note,) = await stored(store, network, 1)
    waiting = asyncio.ensure_future(loader.load(key(note)))
    for _ in range(awaits):
        await asyncio.sleep(0)
    newer: Item = {"text": {"S": "newer"}}
    was_answered = waiting.done()
    loader.prime([(key(note), newer)], replace=True)
    assert (await waiting == newer) != was_answered
    assert await loader.load(key(note)) == newer


async def test_a_failure_reaches_everybody_of_its_batch_and_nobody_else(network: Network, loader: ItemLoader):
    network.accident = lambda attempt: refused("ThrottlingException") if "n120" in str(attempt.body) else None
    wanted = keys(250)
    found = await load(loader, [*wanted, *wanted])
    failed = [number for number, each in enumerate(found[:250]) if isinstance(each, StoreBusyError)]
    assert failed == list(range(100, 200))
    assert [each for each in found[:250] if not isinstance(each, StoreBusyError)] == [None] * 150
    assert [type(each) for each in found[250:]] == [type(each) for each in found[:250]]


async def test_a_failure_is_remembered_for_its_request(network: Network, loader: ItemLoader):
    network.script(*THROTTLED)
    for _ in range(2):
        assert [type(each) for each in await load(loader, keys(3))] == [StoreBusyError] * 3
    assert len(network.attempts) == 3


async def test_a_failure_that_nobody_waits_for_is_no_leak(store: NoteStore, network: Network):
    complaints, loader = list[object](), ItemLoader(store.table())
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    network.script(*THROTTLED)
    readers = [asyncio.ensure_future(load_one(loader, one)) for one in keys(3)]
    await asyncio.sleep(0)
    assert {reader.cancel() for reader in readers} == {True}
    await asyncio.gather(*readers, return_exceptions=True)
    await asyncio.sleep(60)
    assert len(network.attempts) == 3
    del loader, readers
    gc.collect()
    await asyncio.sleep(0)
    assert complaints == []


async def load_one(loader: ItemLoader, one: Key) -> Item | None:
    return await loader.load(one)


async def test_a_reader_that_gives_up_takes_nobody_with_it(
    store: NoteStore, network: Network, loader: ItemLoader
):
    (note,) = await stored(store, network, 1)
    impatient, patient = (asyncio.ensure_future(load_one(loader, key(note))) for _ in range(2))
    await asyncio.sleep(0)
    impatient.cancel()
    assert (await patient or {}).get("uid") == {"S": note.uid}
    assert impatient.cancelled()
    assert (await loader.load(key(note)) or {}).get("uid") == {"S": note.uid}


async def test_a_field_that_fails_leaves_the_items_of_other_rows_alone(
    store: NoteStore, network: Network, loader: ItemLoader
):
    """graphql-core cancels the siblings of a failed non-null field; other rows wait for the same item."""
    (note,) = await stored(store, network, 1)

    @strawberry.type
    class Row:
        number: strawberry.Private[int]

        @strawberry.field
        async def author(self) -> str | None:
            return (await loader.load(key(note)) or {})["uid"]["S"]

        @strawberry.field
        async def project(self) -> str:
            await asyncio.sleep(0)
            if self.number == 0:
                raise NotFoundError("Project")
            return "site"

    @strawberry.type
    class Query:
        @strawberry.field
        def rows(self) -> list[Row | None]:
            return [Row(number=number) for number in range(3)]

    executor = Executor(strawberry.Schema(Query), max_errors=5, hide_suggestions=True)
    result = await executor.execute(parse("{ rows { author project } }"), None, {}, {}, None)
    row = {"author": note.uid, "project": "site"}
    assert result.data == {"rows": [None, row, row]}
    assert len(result.errors or []) == 1
    assert asked(network) == [[key(note)]]


@pytest.mark.parametrize("awaits", [0, 1, 2, 3, 10, 50])
@pytest.mark.parametrize("is_fresh", [False, True], ids=["own", "of one that feeds it"])
async def test_a_closed_loader_leaves_no_task(
    network: Network, loader: ItemLoader, store: NoteStore, awaits: int, is_fresh: bool
):
    """Wherever its reads are: not begun, on the wire, or hanging."""
    before = asyncio.all_tasks()
    network.script(hangs)
    reading = ItemLoader(store.table(), feeds=loader) if is_fresh else loader
    waiting = [reading.load(one) for one in keys(150)]
    for _ in range(awaits):
        await asyncio.sleep(0)
    await loader.close()
    assert asyncio.all_tasks() == before
    await asyncio.sleep(0)
    assert all(future.done() for future in waiting)
    sent = len(network.attempts)
    await asyncio.sleep(10)
    assert (asyncio.all_tasks(), len(network.attempts)) == (before, sent)
    await loader.close()


async def test_a_fresh_loader_reads_consistently_and_shares_what_it_read(
    store: NoteStore, network: Network, loader: ItemLoader
):
    (note,) = await stored(store, network, 1)
    absent = keys(1)[0]
    loader.prime([(key(note), {"text": {"S": "stale"}}), (absent, {"text": {"S": "gone since"}})])
    fresh = ItemLoader(store.table(), feeds=loader)
    found = await load(fresh, [key(note), absent])
    assert await load(loader, [key(note), absent]) == found
    assert [(each or {}).get("uid") for each in found if not isinstance(each, BaseException)] == [
        {"S": note.uid},
        None,
    ]
    consistency = [
        request["ConsistentRead"]
        for attempt in network.attempts
        for request in attempt.body["RequestItems"].values()
    ]
    assert consistency == [True]


async def test_a_fresh_loader_does_not_believe_the_one_it_feeds(
    store: NoteStore, network: Network, loader: ItemLoader
):
    (note,) = await stored(store, network, 1)
    await loader.load(key(note))
    await ItemLoader(store.table(), feeds=loader).load(key(note))
    assert asked(network) == [[key(note)]] * 2
