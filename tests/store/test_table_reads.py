"""The table's reads, on a network where everything can go wrong."""

import asyncio
from collections.abc import Callable, Coroutine
from itertools import pairwise, product
from typing import Any

import pytest
from botocore.exceptions import ClientError

from graphql_api.errors import DeadlineExceededError, ErrorCode
from graphql_api.store.keys import LAST
from graphql_api.store.schema import Index
from graphql_api.store.table import BASE_DELAY, MAX_ATTEMPTS, MAX_DELAY, StoreBusyError, Table
from tests.reliability.network import Accident, Network, hangs, refused, short_page, unprocessed
from tests.reliability.seeds import chance, naming
from tests.reliability.weather import OUR_FAULT, SDK_ATTEMPTS, WEATHER
from tests.store.notes import Note, NoteStore, key

Read = Callable[[Table, list[Note]], Coroutine[Any, Any, list[str]]]


async def by_key(table: Table, notes: list[Note]) -> list[str]:
    found = await table.batch_get([key(note) for note in notes])
    return [found[key(note)]["uid"]["S"] for note in notes]


async def by_list(table: Table, notes: list[Note]) -> list[str]:
    items = await table.query(Index.LISTING, "T#acme#SHELF#a", " ", LAST, 100)
    return [each["uid"]["S"] for each in items]


READS: list[Read] = [by_key, by_list]


def uids(notes: list[Note]) -> list[str]:
    return [note.uid for note in notes]


@pytest.fixture
async def notes(store: NoteStore, network: Network) -> list[Note]:
    written = await store.written(6)
    network.attempts.clear()
    return written


@pytest.mark.parametrize("accident", WEATHER.values(), ids=WEATHER)
async def test_a_transient_failure_is_repeated_and_never_shows(
    store: NoteStore, network: Network, notes: list[Note], accident: Accident
):
    for read in READS:
        network.attempts.clear()
        network.script(*[accident] * (SDK_ATTEMPTS - 1))
        assert await read(store.table(), notes) == uids(notes)
        assert len(network.attempts) == SDK_ATTEMPTS


@pytest.mark.parametrize("accident", WEATHER.values(), ids=WEATHER)
async def test_a_failure_that_stays_is_a_typed_error(
    store: NoteStore, network: Network, notes: list[Note], accident: Accident
):
    network.accident = lambda _: accident
    for read in READS:
        network.attempts.clear()
        with pytest.raises(StoreBusyError) as failure:
            await read(store.table(), notes)
        assert failure.value.code is ErrorCode.DEADLINE_EXCEEDED
        assert len(network.attempts) == SDK_ATTEMPTS


@pytest.mark.parametrize("code", OUR_FAULT)
async def test_what_is_wrong_with_the_call_itself_is_no_weather(
    store: NoteStore, network: Network, notes: list[Note], code: str
):
    for read in READS:
        network.attempts.clear()
        network.script(refused(code))
        with pytest.raises(ClientError, match=code):
            await read(store.table(), notes)
        assert len(network.attempts) == 1


def keys_asked(network: Network) -> list[int]:
    return [
        len(request["Keys"])
        for attempt in network.attempts
        for request in attempt.body["RequestItems"].values()
    ]


@pytest.mark.parametrize("consistent", [False, True])
async def test_keys_left_unprocessed_are_asked_for_again_alone(
    store: NoteStore, network: Network, notes: list[Note], consistent: bool
):
    left = {note.uid for note in notes[2:]}, {notes[4].uid}
    network.script(*[unprocessed(lambda key, out=out: key["pk"]["S"].split("#")[-1] in out) for out in left])
    found = await store.table().batch_get([key(note) for note in notes], consistent=consistent)
    assert {each["uid"]["S"] for each in found.values()} == set(uids(notes))
    assert keys_asked(network) == [6, 4, 1]
    requests = [each for attempt in network.attempts for each in attempt.body["RequestItems"].values()]
    assert {each["ConsistentRead"] for each in requests} == {consistent}


async def test_keys_that_stay_unprocessed_are_an_error_and_never_missing_data(
    store: NoteStore, network: Network, notes: list[Note]
):
    network.accident = lambda _: unprocessed(lambda key: key["pk"]["S"].endswith(notes[3].uid))
    with pytest.raises(StoreBusyError):
        await by_key(store.table(), notes)
    assert keys_asked(network) == [6] + [1] * (MAX_ATTEMPTS - 1)


async def test_the_waits_double_and_are_fully_jittered(store: NoteStore, network: Network, notes: list[Note]):
    network.accident = lambda _: unprocessed(lambda _: True)
    drawn: list[list[float]] = []
    for seed in range(40):
        with naming(seed), pytest.raises(StoreBusyError):
            await by_key(store.table(seconds=60), notes)
        drawn.append(network.waits)
        network.attempts.clear()
    longest = [min(MAX_DELAY, BASE_DELAY * 2**number) for number in range(MAX_ATTEMPTS - 1)]
    assert {len(waits) for waits in drawn} == {len(longest)}
    assert all(one < other or one == MAX_DELAY for one, other in pairwise(longest))
    for waits, most in zip(zip(*drawn, strict=True), longest, strict=True):
        assert 0 <= min(waits) < most / 4
        assert most * 3 / 4 < max(waits) <= most + 1e-6


@pytest.mark.parametrize("pages", [[0], [1], [0, 0, 2], [5, 1], [1, 1, 1, 1, 1, 1]])
async def test_a_list_read_in_short_pages_is_whole(
    store: NoteStore, network: Network, notes: list[Note], pages: list[int]
):
    network.script(*map(short_page, pages))
    assert await by_list(store.table(), notes) == uids(notes)
    assert len(network.attempts) == len(pages) + 1


async def test_a_list_is_read_as_far_as_is_wanted(store: NoteStore, network: Network, notes: list[Note]):
    network.script(short_page(2), short_page(1))
    items = await store.table().query(Index.LISTING, "T#acme#SHELF#a", " ", LAST, 4)
    assert [each["uid"]["S"] for each in items] == uids(notes)[:4]
    assert [attempt.body["Limit"] for attempt in network.attempts] == [4, 2, 1]


@pytest.mark.parametrize("accident", [*WEATHER.values(), hangs], ids=[*WEATHER, "hangs"])
async def test_no_read_outlives_its_deadline(
    store: NoteStore, network: Network, notes: list[Note], accident: Accident
):
    loop = asyncio.get_running_loop()
    network.accident = lambda _: accident
    for read, seconds in product(READS, [0.001, 0.5, 3.0]):
        table, start = store.table(seconds=seconds), loop.time()
        with pytest.raises(DeadlineExceededError):
            await read(table, notes)
        took = loop.time() - start
        assert took <= seconds + 1e-6
        assert accident is not hangs or took == pytest.approx(seconds)


async def test_behind_the_deadline_nothing_is_sent(store: NoteStore, network: Network, notes: list[Note]):
    table = store.table(seconds=1)
    await asyncio.sleep(1)
    for read in READS:
        with pytest.raises(DeadlineExceededError):
            await read(table, notes)
    assert network.attempts == []


async def test_no_wait_reaches_over_the_deadline(store: NoteStore, network: Network, notes: list[Note]):
    loop = asyncio.get_running_loop()
    network.accident = lambda _: unprocessed(lambda _: True)
    for seed in range(20):
        seconds, start = chance(seed).uniform(0.001, 0.3), loop.time()
        with naming(seed), pytest.raises(DeadlineExceededError):
            await by_key(store.table(seconds=seconds), notes)
        assert loop.time() - start <= seconds
