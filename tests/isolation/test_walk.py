"""The walk: every field works for both tenants and shows neither in the other, and they need every grant."""

import asyncio

import pytest

from tests.isolation.documents import roots
from tests.isolation.laps import LAPS, route
from tests.isolation.party import PAIRS
from tests.isolation.request import Request
from tests.isolation.stage import Stage
from tests.isolation.trial import Trial
from tests.isolation.walk import compare_lap, walk


@pytest.mark.parametrize(("slugs", "same_uids"), [(PAIRS[0], False), (PAIRS[3], True)])
async def test_every_field_serves_both_and_shows_neither(
    slugs: tuple[str, str], same_uids: bool, engine_endpoint: str
):
    trial = Trial(Stage(engine_endpoint, slugs, same_uids=same_uids))
    try:
        await trial.open()
        assert await walk(trial) == set()
        await trial.serve(
            (
                trial.stage.parties[0],
                trial.stage.parties[0].people[0],
                Request("taskChanged", {}, method="SOCKET"),
            )
        )
        assert await trial.sweep() == 2
        await trial.flush()
    finally:
        await trial.close()
    guard = trial.stage.world.guard
    assert guard.calls
    assert not guard.refused
    # Who may take a whole tenant or goes the round for sinks answers no request; tests/iam have those.
    assert {policy for policy, _ in guard.unused_grants} == {"lifecycle", "rounds"}


@pytest.mark.parametrize("number", range(len(LAPS)))
def test_a_lap_beside_a_neighbour_is_as_alone(number: int, engine_endpoint: str):
    with asyncio.Runner() as runner:
        runner.run(compare_lap(engine_endpoint, number))


def test_the_walk_leads_past_every_field():
    assert set(route()) == roots().keys()
