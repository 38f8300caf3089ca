"""Schedules by number: a failure names its own, and REALTIME_SEED runs that one alone."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random

from tests.reliability.realtime.invariants import check
from tests.reliability.realtime.schedule import Cast, Schedule
from tests.reliability.realtime.timeline import run
from tests.reliability.realtime.weather import Plan, anything

ARRIVAL_SECONDS = 15.0


def numbers() -> Sequence[int]:
    """Which schedules to run: REALTIME_SCHEDULES of them, 1000 by default, or REALTIME_SEED alone."""
    if one := os.environ.get("REALTIME_SEED"):
        return [int(one)]
    return range(int(os.environ.get("REALTIME_SCHEDULES", "1000")))


def run_schedule(number: int, plan: Plan | None = None) -> Schedule:
    """The schedule of that number after all its promises were checked, under a plan of its own by default."""
    chosen = plan or anything(Random(number))  # noqa: S311 - a schedule, not a secret

    async def work() -> Schedule:
        schedule = Schedule(number, chosen)
        await schedule.run()
        check(schedule)
        return schedule

    try:
        return run(work)
    except Exception as failure:
        failure.add_note(f"REALTIME_SEED={number} {chosen}")
        raise


@asynccontextmanager
async def in_good_weather(cast: Cast | None = None, plan: Plan | None = None) -> AsyncIterator[Schedule]:
    """A schedule in which nothing goes wrong by itself and nobody writes, once all clients are there."""
    schedule = Schedule(0, plan or Plan(lifetime=1e9), cast)
    schedule.open()
    await asyncio.sleep(ARRIVAL_SECONDS)
    try:
        yield schedule
    finally:
        await schedule.close()
