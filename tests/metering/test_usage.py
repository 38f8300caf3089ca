"""Usage is counted in the process, and written so that nothing counts twice and nobody waits."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from graphql_api.deadline import Deadline
from graphql_api.metering.figures import BACKGROUND, OTHER, of_operation
from graphql_api.metering.ledger import SHARDS, Ledger, Period
from graphql_api.metering.usage import LATE_HOURS, MAX_BATCHES, MAX_NAMES, TOKEN_SECONDS, Usage
from graphql_api.store.keys import Family, tenant_family
from graphql_api.store.table import StoreBusyError, Table
from tests.log_lines import log_lines
from tests.world import World

ACME, GLOBEX = tenant_family("acme"), tenant_family("globex")
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
TODAY = Period(NOON.date(), NOON.date())
ONE = of_operation(failed=False, points=3, seconds=0.02, size=100, read=0.5, write=0)


class Accident(Table):
    """A table whose commits are done or not, and whose answer is lost, as long as it `happens`."""

    def __init__(self, *arguments: Any, effect: bool, happens: Callable[[], bool]) -> None:
        super().__init__(*arguments)
        self._effect = effect
        self._happens = happens

    async def commit(self, writes: Any, token: str | None = None) -> None:
        if not self._happens():
            await super().commit(writes, token)
            return
        if self._effect:
            await super().commit(writes, token)
        raise StoreBusyError


class Installation:
    """A control table, and as many processes over it as a test wants."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.at = NOON
        self.effect = True
        self.is_stormy = False

    def table(self, family: Family, deadline: Deadline) -> Table:
        database = self.world.services.sources.database
        where = (database, family, deadline, database.control_table_name)
        return Accident(*where, effect=self.effect, happens=lambda: self.is_stormy)

    def process(self, flush_seconds: float = 10.0) -> Usage:
        return Usage(self.table, lambda: self.at, flush_seconds)

    def ledger(self, family: Family = ACME) -> Ledger:
        return Ledger(self.table(family, Deadline.after(10)), family)

    async def points(self, family: Family = ACME) -> int:
        return await self.ledger(family).points_in_month(NOON.date())

    @property
    def calls(self) -> Counter[str]:
        """Since it was last asked."""
        operations = self.world.guard.operations
        self.world.guard.forget_calls()
        return operations


@pytest.fixture
async def here(world: World) -> Installation:
    world.guard.forget_calls()
    return Installation(world)


async def test_what_many_processes_counted_adds_up_to_the_last_point(here: Installation):
    chance = Random(11)  # noqa: S311 - a seeded test, no secret
    processes = [here.process() for _ in range(12)]
    expected: Counter[str] = Counter()
    for number in range(300):
        name = f"Operation{number % 7}"
        figures = of_operation(
            failed=chance.random() < 0.1,
            points=chance.randrange(50),
            seconds=chance.expovariate(10),
            size=chance.randrange(10_000),
            read=chance.randrange(9) / 2,
            write=chance.randrange(3),
        )
        chance.choice(processes).count(ACME, name, figures)
        expected.update(figures)
        if number % 50 == 0:
            await asyncio.gather(*(process.flush(5) for process in processes))
    await asyncio.gather(*(process.flush_all(20) for process in processes))

    ledger, wanted = here.ledger(), +expected
    for found in (await ledger.by_day(TODAY), await ledger.by_hour(TODAY)):
        ((_, figures),) = found.items()
        assert figures == wanted
    operations = await ledger.by_operation(TODAY)
    assert sum(operations.values(), Counter[str]()) == wanted
    assert set(operations) == {f"Operation{number}" for number in range(7)}


async def test_a_tenant_s_flush_is_one_transaction(here: Installation):
    process = here.process()
    for name in ("One", "Another"):
        process.count(ACME, name, ONE)
    process.count(GLOBEX, "One", ONE)
    await process.flush()
    assert here.calls == {"TransactWriteItems": 2}
    await process.flush()
    assert not here.calls


async def test_what_was_written_though_nobody_heard_of_it_counts_once(here: Installation):
    process = here.process()
    process.count(ACME, "One", ONE)
    here.is_stormy = True
    await process.flush()
    await process.flush()
    here.is_stormy = False
    await process.flush()
    assert await here.points() == 3


async def test_what_was_not_written_is_written_by_the_next_flush(here: Installation):
    process = here.process()
    process.count(ACME, "One", ONE)
    here.is_stormy, here.effect = True, False
    await process.flush()
    process.count(ACME, "One", ONE)
    here.is_stormy = False
    await process.flush()
    assert await here.points() == 6


async def test_what_could_count_twice_is_given_up_and_said_so(here: Installation):
    process = here.process()
    process.count(ACME, "One", ONE)
    here.is_stormy = True
    await process.flush()
    here.is_stormy = False
    here.at += timedelta(seconds=TOKEN_SECONDS)
    with log_lines() as lines:
        await process.flush()
    assert [line["owner"] for line in lines() if line["level"] == "ERROR"] == [ACME]
    assert not process.is_due
    assert await here.points() == 3


async def test_a_flush_is_due_after_its_time_and_only_where_something_waits(here: Installation):
    process = here.process()
    assert not process.is_due
    process.count(ACME, "One", ONE)
    assert process.is_due
    await process.flush()
    process.count(ACME, "One", ONE)
    here.at += timedelta(seconds=9)
    assert not process.is_due
    here.at += timedelta(seconds=1)
    assert process.is_due


async def test_more_tenants_than_one_flush_takes_wait_for_a_second(here: Installation):
    here.world.guard.forget_calls()
    process = here.process()
    for number in range(MAX_BATCHES + 5):
        process.count(tenant_family(f"tenant-{number}"), "One", ONE)
    await process.flush(5)
    assert here.calls == {"TransactWriteItems": MAX_BATCHES}
    here.at += timedelta(seconds=10)
    assert process.is_due
    await process.flush(5)
    assert here.calls == {"TransactWriteItems": 5}


async def test_names_are_bounded_by_tenant_and_day(here: Installation):
    process = here.process()
    for number in range(MAX_NAMES + 30):
        process.count(ACME, f"Name{number}", ONE)
    process.count(ACME, "Name3", ONE)
    process.count(ACME, BACKGROUND, {"write_halves": 1})
    process.count(GLOBEX, "Name129", ONE)
    await process.flush_all(10)
    operations = await here.ledger().by_operation(TODAY)
    assert len(operations) == MAX_NAMES + 2
    assert (operations[OTHER]["operations"], operations["Name3"]["operations"]) == (30, 2)
    assert set(await here.ledger(GLOBEX).by_operation(TODAY)) == {"Name129"}
    # A hundred at a time, in as many transactions as that takes.
    assert here.calls["TransactWriteItems"] == 3

    here.at += timedelta(days=1)
    process.count(ACME, "Name129", ONE)
    await process.flush()
    tomorrow = Period(here.at.date(), here.at.date())
    assert set(await here.ledger().by_operation(tomorrow)) == {"Name129"}


async def test_late_figures_are_booked_where_nothing_is_billed_yet(here: Installation):
    process = here.process()
    process.count(ACME, "One", ONE)
    here.at += timedelta(hours=LATE_HOURS, minutes=59)
    process.count(ACME, "One", ONE)
    await process.flush()
    assert set(await here.ledger().by_hour(TODAY)) == {"2026-11-20T12", "2026-11-20T13"}
    process.count(ACME, "One", ONE)
    here.at += timedelta(days=3)
    await process.flush()
    assert (await here.ledger().by_day(TODAY))["2026-11-20"]["operations"] == 2
    present = Period(here.at.date(), here.at.date())
    assert list(await here.ledger().by_hour(present)) == ["2026-11-23T12"]


async def test_items_are_spread_over_few_shards_and_expire(here: Installation):
    for _ in range(40):
        process = here.process()
        process.count(ACME, "One", ONE)
        await process.flush()
    table = here.table(ACME, Deadline.after(10))
    rows = await table.read("T#acme#USAGE#2026-11", "DAY", "DAZ", 1000)
    assert 1 < len(rows) <= SHARDS
    kept = {datetime.fromtimestamp(int(row["expires_at"]["N"]), UTC) for row in rows}
    assert kept == {NOON + timedelta(days=400)}


@pytest.mark.cpu
def test_counting_takes_microseconds():
    process = Usage(lambda *_: pytest.fail("nothing is written"), lambda: datetime.now(UTC))
    names = [f"Name{number}" for number in range(20)]
    started = time.process_time()
    for number in range(20_000):
        figures = of_operation(failed=False, points=3, seconds=0.02, size=9, read=0.5, write=0)
        process.count(ACME, names[number % 20], figures)
    assert (time.process_time() - started) / 20_000 < 50e-6
