import asyncio
import logging
from random import Random
from types import SimpleNamespace
from typing import cast

import pytest

from graphql_api.deadline import Deadline
from graphql_api.errors import DeadlineExceededError, RateLimitedError
from graphql_api.metering.bucket import Bucket, EmptyBucketError, Granted, Rate
from graphql_api.metering.budget import LEASE_SECONDS, Budgets
from graphql_api.store.keys import Family, tenant_family
from graphql_api.store.table import StoreBusyError
from tests.world import World

ACME, GLOBEX = tenant_family("acme"), tenant_family("globex")
RATE = Rate(per_second=100, burst=1000)
SLICE = 100


class Clock:
    def __init__(self) -> None:
        self.seconds = 1_900_000_000.0

    def __call__(self) -> float:
        return self.seconds

    def milliseconds(self) -> int:
        return round(self.seconds * 1000)


class Installation:
    """A control table, and as many processes over it as a test wants."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.clock = Clock()
        self.is_down = False

    def bucket(self, family: Family, deadline: Deadline | None = None) -> Bucket:
        if self.is_down:
            raise StoreBusyError
        table = self.world.services.sources.control(family, deadline or Deadline.after(10))
        return Bucket(table, family, self.clock.milliseconds)

    def process(self) -> Budgets:
        return Budgets(self.bucket, self.clock)

    def writes(self) -> int:
        """Since it was last asked."""
        count = len(self.world.guard.calls)
        assert set(self.world.guard.operations) <= {"UpdateItem"}
        self.world.guard.forget_calls()
        return count


@pytest.fixture
async def installation(world: World) -> Installation:
    world.guard.forget_calls()
    return Installation(world)


async def charged(process: Budgets, points: int, family: Family = ACME, rate: Rate = RATE) -> bool:
    try:
        await process.charge(family, rate, points, Deadline.after(10))
    except RateLimitedError:
        return False
    return True


async def test_a_full_bucket_gives_its_burst_and_then_what_it_gains(installation: Installation):
    bucket = installation.bucket(ACME)
    assert await bucket.take(600, 600, RATE) == Granted(600, 400)
    assert await bucket.take(600, 100, RATE) == Granted(400, 0)
    with pytest.raises(EmptyBucketError) as empty:
        await bucket.take(50, 50, RATE)
    assert empty.value.seconds == 0.5
    installation.clock.seconds += 0.5
    assert await bucket.take(500, 50, RATE) == Granted(50, 0)
    installation.clock.seconds += 3600
    assert await bucket.take(1000, 1000, RATE) == Granted(1000, 0)


async def test_at_another_rate_what_was_missing_goes_on_missing(installation: Installation):
    bucket, better = installation.bucket(ACME), Rate(per_second=1000, burst=5000)
    assert await bucket.take(900, 900, RATE) == Granted(900, 100)
    assert await bucket.take(4000, 4000, better) == Granted(4000, 100)
    with pytest.raises(EmptyBucketError) as empty:
        await bucket.take(1000, 1000, better)
    assert empty.value.seconds == 0.9
    with pytest.raises(EmptyBucketError) as empty:
        await bucket.take(100, 100, RATE)
    assert empty.value.seconds == 40


async def test_takers_at_once_never_get_more_than_there_is(installation: Installation):
    grants = await asyncio.gather(
        *(installation.bucket(ACME).take(90, 30, RATE) for _ in range(20)), return_exceptions=True
    )
    taken = sum(grant.points for grant in grants if isinstance(grant, Granted))
    assert taken <= 1000
    assert all(isinstance(grant, Granted | EmptyBucketError | StoreBusyError) for grant in grants)
    assert taken > 900


async def test_many_charges_cost_one_write_for_each_slice(installation: Installation):
    process = installation.process()
    for _ in range(100):
        assert await charged(process, 4)
        installation.clock.seconds += 0.04
    assert installation.writes() <= 6


async def test_over_any_time_a_tenant_gets_its_rate_and_its_burst_and_no_more(installation: Installation):
    chance = Random(7)  # noqa: S311 - a seeded test, no secret
    processes = [installation.process() for _ in range(3)]
    used, seconds = 0, 0.0
    for _ in range(400):
        points = chance.choice([1, 5, 40])
        used += points * await charged(chance.choice(processes), points)
        step = chance.choice([0.0, 0.01, 0.1])
        installation.clock.seconds += step
        seconds += step
    allowed = RATE.burst + RATE.per_second * seconds
    assert 0.9 * allowed < used <= allowed


async def test_ten_times_too_much_costs_a_few_writes_and_another_tenant_nothing(installation: Installation):
    process = installation.process()
    refused = 0
    while await charged(process, 100):
        pass
    installation.writes()
    for _ in range(1000):
        refused += not await charged(process, 100)
        assert await charged(process, 1, GLOBEX)
        installation.clock.seconds += 0.001
    assert refused >= 998
    assert installation.writes() < 25


async def test_a_refusal_says_when_to_come_back_and_it_is_true(installation: Installation):
    process = installation.process()
    assert await charged(process, 1000)
    with pytest.raises(RateLimitedError) as refusal:
        await process.charge(ACME, RATE, 250, Deadline.after(10))
    wait = refusal.value.extensions["retryAfter"]
    assert wait == 3
    installation.clock.seconds += 3
    assert await charged(process, 250)


async def test_what_is_given_back_can_be_used_again_without_a_write(installation: Installation):
    process = installation.process()
    assert await charged(process, 500)
    process.refund(ACME, RATE, 450)
    installation.writes()
    assert await charged(process, 450)
    assert installation.writes() == 0


async def test_a_lease_that_was_not_used_is_forgotten(installation: Installation):
    process = installation.process()
    assert await charged(process, 1)
    installation.writes()
    installation.clock.seconds += LEASE_SECONDS
    assert await charged(process, 1)
    assert installation.writes() >= 1


async def test_a_standing_tells_what_is_left_and_when_all_is(installation: Installation):
    process = installation.process()
    await process.charge(ACME, RATE, 500, Deadline.after(10))
    standing = process.refund(ACME, RATE, 100)
    assert (standing.limit, standing.remaining, standing.reset) == (1000, 600, 4)
    installation.clock.seconds += 2
    standing = process.refund(ACME, RATE, 0)
    assert (standing.remaining, standing.reset) == (800, 2)


async def test_while_the_table_is_down_a_process_grants_itself_a_slice_a_second(
    installation: Installation, caplog: pytest.LogCaptureFixture
):
    process = installation.process()
    installation.is_down = True
    with caplog.at_level(logging.WARNING):
        assert sum([await charged(process, 10) for _ in range(100)]) == SLICE / 10
        installation.clock.seconds += 1
        assert sum([await charged(process, 10) for _ in range(100)]) == SLICE / 10
    assert len(caplog.records) == 2
    installation.is_down = False
    installation.clock.seconds += 1
    assert await charged(process, 500)


async def test_fifty_charges_at_once_wait_for_one_lease_of_their_tenant(installation: Installation):
    process = installation.process()
    families = [(ACME, GLOBEX)[number % 2] for number in range(50)]
    assert all(await asyncio.gather(*(charged(process, 1, family) for family in families)))
    # A full bucket takes two: it is found full by the first.
    assert installation.writes() <= 4


async def test_a_bucket_that_takes_longer_than_anybody_waits_is_one_that_does_not_answer():
    async def late(*_: object) -> Granted:
        raise DeadlineExceededError

    budgets = Budgets(lambda *_: cast("Bucket", SimpleNamespace(take=late)), lambda: 1_000.0)
    await budgets.charge(tenant_family("umbrella"), Rate(100, 1_000), 5, Deadline.after(5))
