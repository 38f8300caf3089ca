"""The suites prove themselves: with the IAM guard off, the planted bugs are found.

The suites take turns at a mutant until one has found it. ISOLATION_MUTANTS=all lets each go on until it has
found the mutant itself or has had its turns. The table at the end of the run says which suite found what.
"""

import asyncio
import os

import pytest
from hypothesis import seed

from tests.isolation.interference import compare
from tests.isolation.machine import TwoTenants, run_two_tenants
from tests.isolation.mutants import MUTANTS
from tests.isolation.proof import PROOFS, Proof, Search, Suite
from tests.isolation.stage import Plant

TURNS = 20
EACH_FOR_ITSELF = os.environ.get("ISOLATION_MUTANTS") == "all"


def suites(endpoint: str) -> dict[str, Suite]:
    """The suites as they are run without mutants; their turns are the first numbers of those runs."""

    def canaries(plant: Plant, turn: int) -> None:
        with asyncio.Runner() as runner:
            machine = seed(turn)(lambda: TwoTenants(runner, endpoint, plant))
            run_two_tenants(machine, shrink=False)

    def interference(plant: Plant, turn: int) -> None:
        with asyncio.Runner() as runner:
            runner.run(compare(endpoint, turn, plant))

    return {"canaries": canaries, "interference": interference}


@pytest.mark.parametrize("plant", MUTANTS, ids=lambda plant: plant.__name__)
def test_a_planted_bug_is_found(plant: Plant, engine_endpoint: str):
    looking = suites(engine_endpoint)
    proof = Proof(plant.__name__, {name: Search() for name in looking})
    PROOFS.append(proof)
    for _ in range(TURNS):
        for name, suite in looking.items():
            search = proof.searches[name]
            if not (search.found if EACH_FOR_ITSELF else proof.succeeded):
                search.take_turn(suite, plant)
    assert proof.succeeded


def test_the_proof_is_large_enough():
    assert len(MUTANTS) >= 12
    assert len({plant.__name__ for plant in MUTANTS}) == len(MUTANTS)
    if PROOFS:
        assert sum(proof.succeeded for proof in PROOFS) / len(PROOFS) >= 0.95
