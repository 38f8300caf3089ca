"""Random weather over random work: an answer is right, a failure is a typed error, nothing is half."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from random import Random

import pytest

from graphql_api.errors import DeadlineExceededError
from graphql_api.store.client import Database
from graphql_api.store.idempotency import UNMARKED
from graphql_api.store.repository import StaleError
from graphql_api.store.uid import new_uid
from tests.reliability.network import network_of, skipping_time
from tests.reliability.seeds import chance, naming, seeds
from tests.reliability.weather import SDK_ATTEMPTS, Weather
from tests.store.notes import Note, NoteStore, open_store, shelf

FEW, MANY = 12, 110  # the latter takes two calls to read


@pytest.fixture
async def store(engine_endpoint: str, virtual_deadlines: None) -> AsyncIterator[NoteStore]:
    async with open_store(engine_endpoint) as opened:
        yield opened


@asynccontextmanager
async def another_process(store: NoteStore) -> AsyncIterator[NoteStore]:
    """The same table through a client of its own: the SDK keeps a budget of retries for each."""
    database = await Database(store.settings).open()
    store.guard.watch(database.client)
    async with network_of(database.client) as network:
        with skipping_time(network):
            yield NoteStore(database, store.guard, network, store.settings)
    await database.close()


@dataclass(slots=True)
class Ledger:
    """What was written by whom, as far as anybody knows."""

    counters: list[Note]
    accounts: list[Note]
    receipts: str
    confirmed: set[str] = dataclasses.field(default_factory=set[str])
    unknown: set[str] = dataclasses.field(default_factory=set[str])


Work = Callable[[NoteStore, Random, float], Awaitable[None]]


def reads_items(notes: list[Note]) -> Work:
    async def work(store: NoteStore, dice: Random, seconds: float) -> None:
        wanted = dice.sample(notes, dice.choice([1, 5, len(notes)]))
        repository, absent = store.repository(seconds=seconds), [new_uid() for _ in range(3)]
        reader = repository.fresh() if dice.random() < 0.5 else repository
        reads = [reader.find(Note, uid) for uid in [*(note.uid for note in wanted), *absent]]
        found = await asyncio.gather(*reads, return_exceptions=True)
        failed = [each for each in found if isinstance(each, BaseException)]
        for note, each in zip([*wanted, None, None, None], found, strict=True):
            assert each in (note, *failed)
        if failed:
            raise failed[0]

    return work


def reads_list(notes: list[Note]) -> Work:
    async def work(store: NoteStore, dice: Random, seconds: float) -> None:
        wanted, size = shelf(notes[0].shelf), dice.choice([len(notes) // 3, len(notes) - 10, 100])
        seen, cursor, has_next = list[Note](), None, True
        repository = store.repository(seconds=seconds)
        while has_next:
            page = await repository.page(Note, wanted, size, cursor)
            assert page.items == notes[len(seen) : len(seen) + size]
            seen += page.items
            cursor, has_next = page.cursors[-1], page.has_next
        assert seen == notes

    return work


def counts(ledger: Ledger) -> Work:
    async def work(store: NoteStore, dice: Random, seconds: float) -> None:
        note = ledger.counters.pop()
        ledger.unknown.add(note.uid)
        repository = store.repository(seconds=seconds)
        counted = await repository.update(
            note,
            lambda now: dataclasses.replace(now, count=now.count + 1),
            expected_version=None,
            mark=UNMARKED,
        )
        assert (counted.count, counted.version) == (1, 2)
        ledger.confirmed.add(note.uid)

    return work


def transfers(ledger: Ledger) -> Work:
    async def work(store: NoteStore, dice: Random, seconds: float) -> None:
        repository, (one, other) = store.repository(seconds=seconds), dice.sample(ledger.accounts, 2)
        for _ in range(5):
            fresh = repository.fresh()
            payer, payee = await fresh.get(Note, one.uid), await fresh.get(Note, other.uid)
            receipt = repository.new(Note, shelf=ledger.receipts, readers=[payer.uid, payee.uid])
            ledger.unknown.add(receipt.uid)
            paid = repository.stamped(payer, count=payer.count - 1)
            received = repository.stamped(payee, count=payee.count + 1)
            try:
                await repository.commit(
                    repository.put(receipt),
                    repository.change(payer, paid),
                    repository.change(payee, received),
                    leaves=[],
                )
            except StaleError:
                ledger.unknown.remove(receipt.uid)
            else:
                ledger.confirmed.add(receipt.uid)
                return

    return work


def uid_of(note: Note) -> str:
    return note.uid


async def timed(work: Awaitable[None], seconds: float) -> None:
    """Work ends by its deadline, with its result or with the one error that calls for another try."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    with suppress(DeadlineExceededError):
        await work
    assert loop.time() - start <= seconds + 1e-6


async def audit(store: NoteStore, ledger: Ledger, counters: list[Note]) -> None:
    """Every confirmed write stands, none stands twice or by half, and what stands was somebody's."""
    fresh = store.repository().fresh()
    current = await asyncio.gather(*(fresh.get(Note, note.uid) for note in (*counters, *ledger.accounts)))
    receipts = (await fresh.page(Note, shelf(ledger.receipts), 100, None)).items
    written = {receipt.uid for receipt in receipts}
    assert ledger.confirmed <= written | {note.uid for note in counters}
    assert written <= ledger.unknown
    for note in current[: len(counters)]:
        assert note.count == note.version - 1 <= 1
        assert (note.uid in ledger.confirmed) <= (note.count == 1) <= (note.uid in ledger.unknown)
    for account in current[len(counters) :]:
        moves = [receipt.readers for receipt in receipts if account.uid in receipt.readers]
        balance = sum(1 if payee == account.uid else -1 for _, payee in moves)
        assert (account.count, account.version) == (balance, 1 + len(moves))


async def test_whatever_the_weather_answers_are_right_and_errors_are_typed(store: NoteStore):
    few = sorted(await store.written(FEW, shelf="few"), key=uid_of)
    halves = [await store.written(MANY // 2, shelf="many") for _ in range(2)]
    many = sorted((note for half in halves for note in half), key=uid_of)
    outcomes = 0
    for seed in seeds():
        dice = chance(seed)
        written = await store.written(6)
        counters, accounts = written[:3], written[3:]
        ledger = Ledger([*counters], accounts, f"receipts {seed}")
        read = many if seed % 8 == 0 else few
        works = [reads_items(read), reads_list(read), counts(ledger), transfers(ledger)]
        seconds = dice.choice([0.05, 1.0, 10.0])
        store.guard.forget_calls()
        with naming(seed):
            async with another_process(store) as process:
                process.network.accident = Weather(dice, dice.choice([0.1, 0.4, 0.8]))
                chosen = dice.choices(works, k=3)
                await asyncio.gather(*(timed(work(process, dice, seconds), seconds) for work in chosen))
                attempts = len(process.network.attempts)
            assert attempts <= SDK_ATTEMPTS * len(store.guard.calls)
            await audit(store, ledger, counters)
            outcomes += len(ledger.confirmed)
    assert outcomes > 0
