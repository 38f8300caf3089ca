"""Every receiver is sent all that its webhook hears of, in order, at least once, whatever goes wrong."""

import os
from collections import Counter
from collections.abc import Sequence
from random import Random

import pytest

from tests.reliability.realtime.timeline import run
from tests.reliability.realtime.weather import Plan
from tests.reliability.webhooks.schedule import HookSchedule, Receiver, Troubles

pytestmark = pytest.mark.usefixtures("in_memory")
EACH = 4  # schedules of each trouble alone

TROUBLES: dict[str, tuple[str, Plan, Troubles]] = {
    "nothing": ("", Plan(), Troubles()),
    "messages are lost": ("lost message", Plan(), Troubles(lost=0.5)),
    "messages come twice": ("message twice", Plan(), Troubles(twice=0.5)),
    "messages are not taken": ("unsent", Plan(), Troubles(unsent=0.5)),
    "turns die": ("killed", Plan(), Troubles(killed=0.5)),
    "turns die and their messages are lost": ("killed", Plan(), Troubles(killed=0.5, lost=0.5)),
    "receivers fail": ("fails", Plan(), Troubles(fails=0.4)),
    "receivers take and do not answer": ("silent", Plan(), Troubles(silent=0.3)),
    "receivers want nothing more": ("gone", Plan(), Troubles(gone=0.1)),
    "the stream's function dies": ("killed", Plan(killed=0.5), Troubles()),
    "the database is throttled": ("throttled", Plan(throttled=0.05), Troubles()),
    "answers to commits are lost": ("lost", Plan(lost=0.1), Troubles()),
    "calls take seconds": ("slow", Plan(slow=0.03), Troubles(twice=0.2)),
}


class BrokenPromiseError(AssertionError):
    """A receiver was not sent what it should have been."""


def numbers() -> Sequence[int]:
    """Which schedules to run: WEBHOOK_SCHEDULES of them, 100 by default, or WEBHOOK_SEED alone."""
    if one := os.environ.get("WEBHOOK_SEED"):
        return [int(one)]
    return range(int(os.environ.get("WEBHOOK_SCHEDULES", "100")))


def anything(dice: Random) -> tuple[Plan, Troubles]:
    """Troubles by chance: each is absent from some schedules, rare in most and common in others."""

    def often(most: float) -> float:
        return dice.choice((0.0, most / 10, most / 3, most))

    plan = Plan(throttled=often(0.04), lost=often(0.03), slow=often(0.02), killed=often(0.3))
    return plan, Troubles(
        lost=often(0.5),
        twice=often(0.3),
        unsent=often(0.5),
        killed=often(0.5),
        fails=often(0.4),
        silent=often(0.2),
        gone=often(0.1),
    )


def check(expected: Sequence[str], receiver: Receiver) -> None:
    """Raise BrokenPromiseError unless all that was expected came, in that order for the first time, and none
    before the one before it was taken.
    """
    first = list(dict.fromkeys(change_id for change_id, _ in receiver.received))
    if first != list(expected):
        raise BrokenPromiseError(f"{len(first)} came of {len(expected)}, or in another order")
    taken: set[str] = set()
    for change_id, is_taken in receiver.received:
        place = expected.index(change_id)
        if place and expected[place - 1] not in taken:
            raise BrokenPromiseError(f"change {place} came before the one before it was taken")
        if is_taken:
            taken.add(change_id)
    if len(taken) != len(expected):
        raise BrokenPromiseError("the last one was never taken")


def run_schedule(number: int, plan: Plan, troubles: Troubles) -> HookSchedule:
    """The schedule of that number, after its promises were checked."""

    async def work() -> HookSchedule:
        schedule = HookSchedule(number, plan, troubles)
        await schedule.run()
        for uid in schedule.webhooks:
            check(await schedule.expected(uid), schedule.receivers[f"https://{uid}.example/"])
        return schedule

    try:
        return run(work)
    except Exception as failure:
        failure.add_note(f"WEBHOOK_SEED={number} {plan} {troubles}")
        raise


@pytest.mark.cpu
def test_no_schedule_breaks_a_promise():
    seen, sent, repeated = Counter[str](), 0, 0
    for number in numbers():
        schedule = run_schedule(number, *anything(Random(number)))  # noqa: S311 - a schedule, not a secret
        seen.update(schedule.weather.seen)
        for receiver in schedule.receivers.values():
            ids = [change_id for change_id, _ in receiver.received]
            sent, repeated = sent + len(ids), repeated + len(ids) - len(set(ids))
    if "WEBHOOK_SEED" not in os.environ:
        assert {"lost message", "message twice", "unsent", "killed", "fails", "silent", "gone"} <= seen.keys()
        assert sent > 5 * len(numbers())
        assert repeated > len(numbers())


@pytest.mark.parametrize("name", TROUBLES)
def test_no_trouble_alone_breaks_a_promise(name: str):
    cause, plan, troubles = TROUBLES[name]
    schedules = [run_schedule(number, plan, troubles) for number in range(EACH)]
    assert not cause or any(cause in schedule.weather.seen for schedule in schedules)
    assert any(receiver.received for schedule in schedules for receiver in schedule.receivers.values())


@pytest.mark.parametrize(
    "received",
    [
        [("a", True), ("b", True)],
        [("a", True), ("c", True), ("b", True)],
        [("a", False), ("b", True), ("c", True), ("a", True)],
        [("a", True), ("b", True), ("c", False)],
        [],
    ],
)
def test_a_broken_promise_is_found(received: list[tuple[str, bool]]):
    with pytest.raises(BrokenPromiseError):
        check(["a", "b", "c"], Receiver(received))
    check(["a", "b", "c"], Receiver([("a", False), ("a", True), ("b", True), ("a", True), ("c", True)]))
