"""The scenes, each a promise of its own."""

import pytest

from tests.reliability.realtime import scenes
from tests.reliability.realtime.timeline import run

pytestmark = pytest.mark.usefixtures("in_memory")


def test_whichever_post_a_consumer_dies_with_everybody_is_told_everything():
    posts = run(lambda: scenes.a_consumer_dies_after(10**6))
    assert posts >= 6
    for number in range(posts):
        run(lambda number=number: scenes.a_consumer_dies_after(number))


def test_what_comes_between_the_last_look_and_going_live_is_told():
    run(scenes.a_change_comes_before_going_live)


def test_a_cursor_of_a_log_that_is_gone_leads_to_a_new_snapshot():
    run(scenes.a_log_is_begun_anew)


def test_a_poison_record_is_isolated_and_redriven():
    run(scenes.a_record_is_poison)


def test_a_ping_has_sent_what_nobody_pushed():
    run(scenes.nobody_pushes)


def test_other_versions_items_and_log_texts_are_told_too():
    run(scenes.an_older_version_writes)


def test_who_is_suspended_hears_nothing_and_catches_up_afterwards():
    run(scenes.somebody_is_suspended)


def test_a_frame_that_hangs_longer_than_a_hold_lasts_loses_nothing():
    run(scenes.the_fanout_is_out_of_breath)
