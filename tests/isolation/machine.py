"""Two tenants at random work, judged after every request; Hypothesis looks for the order that goes wrong."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from tests.isolation.arguments import OPERATIONS
from tests.isolation.documents import roots
from tests.isolation.party import PAIRS, Party, Pick, repeatable
from tests.isolation.request import Request
from tests.isolation.stage import Plant, Stage
from tests.isolation.trial import Trial
from tests.world import Caller

NOBODY = Caller()

# A step is drawn as a number, and everything in it follows from the number: what is rare in a step is as rare
# as it is meant to be, and a shrunk run still has fewer steps.
choices = st.integers(0, 2**64)
# What Hypothesis always tries first, all through a run.
NOTHING = 0


def picking(choice: int) -> Pick:
    return repeatable(choice).choice


class TwoTenants(RuleBasedStateMachine):
    """What the two do, alone and at once; a mutant's `plant` is in the product from the first step on."""

    def __init__(self, runner: asyncio.Runner, endpoint: str, plant: Plant | None = None) -> None:
        super().__init__()
        self._runner = runner
        self._endpoint = endpoint
        self._plant = plant
        self._opened: Trial | None = None

    @initialize(choice=choices)
    def found_two_tenants(self, choice: int) -> None:
        self._founding = choice

    @rule(choice=choices)
    def one_works(self, choice: int) -> None:
        if choice != NOTHING:
            self._runner.run(self._one_works(picking(choice)))

    @rule(choice=choices)
    def both_work_at_once(self, choice: int) -> None:
        if choice != NOTHING:
            self._runner.run(self._both_work(picking(choice)))

    @rule(choice=choices)
    def what_changed_is_told(self, choice: int) -> None:
        if choice != NOTHING and self._opened is not None:
            self._runner.run(self._tell(self._opened, picking(choice)))

    def teardown(self) -> None:
        if self._opened is None:
            return
        self._runner.run(self._opened.close())
        if self._plant is None:
            guard = self._opened.stage.world.guard
            assert not guard.refused
            assert "Scan" not in guard.operations

    async def _one_works(self, pick: Pick) -> None:
        trial = await self._ready()
        party = pick((*trial.stage.parties * 4, trial.stage.operator))
        await trial.serve((party, *_asked(trial, pick, party)))

    async def _both_work(self, pick: Pick) -> None:
        trial = await self._ready()
        await trial.serve(*((party, *_asked(trial, pick, party)) for party in trial.stage.parties))

    async def _tell(self, trial: Trial, pick: Pick) -> None:
        """All that lies in the stream, of both; some have hung up by then."""
        if party := pick((None,) * 4 + trial.stage.parties):
            await trial.hang_up(party)
        await trial.pump()

    async def _ready(self) -> Trial:
        """The trial, opened when something is to happen in it."""
        if self._opened is None:
            pick = picking(self._founding)
            stage = Stage(self._endpoint, pick(PAIRS), same_uids=pick((False, False, True)))
            self._opened = Trial(stage)
            await self._opened.open(self._plant)
        return self._opened


def _asked(trial: Trial, pick: Pick, party: Party) -> tuple[Caller, Request]:
    if party is trial.stage.operator:
        drawing = trial.drawing(pick, party, other=pick(trial.stage.parties))
        return party.people[0], drawing.request(pick((*OPERATIONS * 6, *roots())))
    if (past := trial.past[party.slug]) and pick((False,) * 5 + (True,)):
        request = pick(past)
    else:
        request = trial.drawing(pick, party).request()
    return pick((*party.people[1:2] * 6, *party.people * 2, trial.stranger(party), NOBODY)), request


def run_two_tenants(machine: Callable[[], TwoTenants], *, shrink: bool = True) -> None:
    """Search with a seeded machine. Raises what its judge raises, after printing the steps that led there."""
    bounds = settings(
        max_examples=2,
        stateful_step_count=30,
        database=None,
        deadline=None,
        report_multiple_bugs=False,
        phases=[Phase.generate, Phase.shrink] if shrink else [Phase.generate],
        suppress_health_check=[HealthCheck.too_slow],
    )
    run_state_machine_as_test(cast("Any", machine), settings=bounds)
