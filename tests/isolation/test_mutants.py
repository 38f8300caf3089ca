"""The suites prove themselves: with the IAM guard off, at least 95 % of the planted bugs are found.

The suites take turns at a mutant, a run each, until one has found it. ISOLATION_MUTANTS=all lets both go on
until each has found it or its turns are over; the table at the end of the test run says which suite found what.
"""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import seed

from tests.isolation.interference import compare
from tests.isolation.machine import TwoTenants, run_two_tenants
from tests.isolation.mutants import MUTANTS
from tests.isolation.party import IsolationError
from tests.isolation.stage import Plant

TURNS = 8
WITH_ALL = os.environ.get("ISOLATION_MUTANTS") == "all"
Suite = Callable[[asyncio.Runner, str, Plant, int], None]


def canaries(runner: asyncio.Runner, endpoint: str, plant: Plant, turn: int) -> None:
    machine = seed(turn)(lambda: TwoTenants(runner, endpoint, Counter(), plant))
    run_two_tenants(machine, shrink=False)


def interference(runner: asyncio.Runner, endpoint: str, plant: Plant, turn: int) -> None:
    runner.run(compare(endpoint, turn, plant))


SUITES: dict[str, Suite] = {"canaries": canaries, "interference": interference}


def finding(suite: Suite, endpoint: str, plant: Plant, turn: int) -> IsolationError | None:
    """What the suite found, if it did; Hypothesis may wrap it, as a mutant's memory makes runs differ."""
    try:
        with asyncio.Runner() as runner:
            suite(runner, endpoint, plant, turn)
    except IsolationError as found:
        return found
    except BaseExceptionGroup as several:
        found = several.subgroup(IsolationError)
        while isinstance(found, BaseExceptionGroup):
            found = found.exceptions[0]
        if not isinstance(found, IsolationError):
            raise
        return found
    return None

@pytest.mark.parametrize("plant", MUTANTS, ids=lambda plant: plant.__name__)
def test_one(plant, engine_endpoint):
    spent=Counter()
    done={}
    for turn in range(TURNS):
        for name, suite in SUITES.items():
            if name in done: continue
            started = time.perf_counter()
            found = finding(suite, engine_endpoint, plant, turn)
            spent[name]+=time.perf_counter()-started
            if found: done[name]=(turn,found)
        if (done and not WITH_ALL) or len(done)==2: break
    print(f"RESULT {plant.__name__:40}", *(f"{n:14} {done[n][0] if n in done else '-':3} {spent[n]:5.2f} {str(done[n][1])[:50] if n in done else '':50}" for n in SUITES))
