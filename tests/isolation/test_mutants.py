"""The suites prove themselves: with the IAM guard off, the planted bugs are found.

Each is looked for by the walk, which is the same every time, so that no seed has to be lucky: judged by the
canaries and, lap by lap, beside a neighbour. It begins where the bug showed when it was planted first, and
goes on through all laps if it does not show there any more. By chance a third of a sample must be found too.
ISOLATION_MUTANTS=all has all four suites look for every bug, those by chance in up to 20 turns. The table at
the end of the run says which has found what.
"""

import asyncio
import os
from collections.abc import Callable, Collection, Coroutine
from typing import Any

import pytest
from hypothesis import seed

from tests.isolation.interference import compare
from tests.isolation.laps import LAPS
from tests.isolation.looks import CANARIES, INTERFERENCE, LOOKS, Look
from tests.isolation.machine import TwoTenants, run_two_tenants
from tests.isolation.mutants import MUTANTS
from tests.isolation.party import PAIRS
from tests.isolation.proof import PROOFS, Proof, Search, Suite
from tests.isolation.stage import Plant, Stage
from tests.isolation.trial import Trial
from tests.isolation.walk import compare_lap, walk

pytestmark = pytest.mark.cpu

EACH_FOR_ITSELF = os.environ.get("ISOLATION_MUTANTS") == "all"
CHANCES = ("canaries by chance", "interference by chance")
TURNS = 20
STRIDE = 1 if EACH_FOR_ITSELF else 6


def walks(endpoint: str, first: Look) -> list[Suite]:
    """The walk as it is taken without mutants, but for where it begins."""

    async def judged(plant: Plant) -> None:
        trial = Trial(Stage(endpoint, PAIRS[0], same_uids=False))
        try:
            await trial.open(plant)
            await walk(trial, (*LAPS[first.lap :], *LAPS[: first.lap]))
        finally:
            await trial.close()

    async def beside(plant: Plant, turn: int) -> None:
        await compare_lap(endpoint, (first.lap + turn) % len(LAPS), plant)

    suites = (
        Suite(CANARIES, running(lambda plant, _: judged(plant)), 1),
        Suite(INTERFERENCE, running(beside), len(LAPS)),
    )
    return sorted(suites, key=lambda suite: suite.name != first.suite)


def searches_by_chance(endpoint: str) -> list[Suite]:
    """The random suites as they are run without mutants; their turns are the first numbers of those runs."""

    def canaries(plant: Plant, turn: int) -> None:
        with asyncio.Runner() as runner:
            machine = seed(turn)(lambda: TwoTenants(runner, endpoint, plant))
            run_two_tenants(machine, shrink=False)

    interference = running(lambda plant, turn: compare(endpoint, turn, plant))
    return [Suite(name, look, TURNS) for name, look in zip(CHANCES, (canaries, interference), strict=True)]


def running(look: Callable[[Plant, int], Coroutine[Any, Any, None]]) -> Callable[[Plant, int], None]:
    def run(plant: Plant, turn: int) -> None:
        with asyncio.Runner() as runner:
            runner.run(look(plant, turn))

    return run


@pytest.mark.parametrize("plant", MUTANTS, ids=lambda plant: plant.__name__)
def test_a_planted_bug_is_found(plant: Plant, engine_endpoint: str):
    proof = PROOFS[plant.__name__] = Proof()
    for suite in walks(engine_endpoint, LOOKS.get(plant.__name__, Look())):
        if EACH_FOR_ITSELF or not proof.succeeded:
            proof.searches.append(Search(suite))
            proof.searches[-1].run(plant)
    assert proof.succeeded


@pytest.mark.parametrize("number", range(len(CHANCES)), ids=CHANCES)
def test_chance_finds_bugs_too(number: int, engine_endpoint: str):
    suite = searches_by_chance(engine_endpoint)[number]
    searches = {plant: Search(suite) for plant in MUTANTS[::STRIDE]}
    enough = len(searches) if EACH_FOR_ITSELF else len(searches) / 3
    for _ in range(TURNS):
        for plant, search in searches.items():
            if not search.found and found(searches.values()) < enough:
                search.take_turn(plant)
    for plant, search in searches.items():
        if search.turns and (proof := PROOFS.get(plant.__name__)):
            proof.searches.append(search)
    assert found(searches.values()) >= len(searches) / 3


def found(searches: Collection[Search]) -> int:
    return sum(bool(search.found) for search in searches)


def test_the_proof_is_large_enough():
    assert len(MUTANTS) >= 12
    names = {plant.__name__ for plant in MUTANTS}
    assert len(names) == len(MUTANTS)
    assert LOOKS.keys() <= names
    if PROOFS:
        assert sum(proof.succeeded for proof in PROOFS.values()) / len(PROOFS) >= 0.95
