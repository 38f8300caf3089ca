"""The proof proves itself: each weaker design, planted alone, is found."""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.reliability.realtime import mutants, scenes
from tests.reliability.realtime.invariants import BrokenPromiseError
from tests.reliability.realtime.mutants import MUTANTS, Mutant
from tests.reliability.realtime.timeline import run
from tests.reliability.realtime.trial import run_schedule
from tests.reliability.realtime.weather import RESTLESS, Plan

pytestmark = pytest.mark.usefixtures("in_memory")
TURNS = range(40)
Look = Callable[[], object]


def by_chance(plan: Plan | None = None) -> Sequence[Look]:
    return [lambda number=number: run_schedule(number, plan) for number in TURNS]


def by_scene(scene: Callable[[], Coroutine[Any, Any, None]]) -> Sequence[Look]:
    return [lambda: run(scene)]


# Where each is looked for; whatever is not named here is found by schedules of any kind.
SEARCHES: dict[Mutant, Sequence[Look]] = {
    mutants.any_epoch: by_scene(scenes.a_log_is_begun_anew),
    mutants.note_ignored: by_scene(scenes.a_change_comes_before_going_live),
    mutants.replay_before_registering: by_chance(RESTLESS),
    mutants.subscribers_by_index: by_chance(RESTLESS),
    mutants.posts_out_of_order: by_chance(RESTLESS),
    mutants.cursor_of_the_head: by_chance(Plan(pace=1.5, writes=10)),
    mutants.cursor_of_a_pong: by_chance(replace(RESTLESS, writes=12)),
    mutants.post_errors_swallowed: by_chance(Plan(post=0.5, accidents=(429, 500), lifetime=8.0)),
    mutants.batch_always_done: by_chance(Plan(throttled=0.1)),
    mutants.pushed_by_whoever_logged: by_chance(Plan(killed=0.7, readers=2)),
}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_weaker_design_is_found(mutant: Mutant):
    search = SEARCHES.get(mutant) or by_chance()
    with pytest.MonkeyPatch.context() as patch:
        mutant(patch)
        found = next((look for look in search if _breaks_a_promise(look)), None)
    assert found is not None
    assert not _breaks_a_promise(found), "the product itself does the same"


def _breaks_a_promise(look: Look) -> bool:
    try:
        look()
    except BrokenPromiseError:
        return True
    return False


def test_the_proof_is_large_enough():
    assert len({mutant.__name__ for mutant in MUTANTS}) == len(MUTANTS) >= 12
