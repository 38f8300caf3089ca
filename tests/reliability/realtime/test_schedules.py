"""Nothing is lost, repeated, reordered, stalled or leaked, whatever goes wrong at once."""

import os
from collections import Counter

import pytest

from graphql_api.store.keys import SEPARATOR
from tests.reliability.realtime.memory import CONTROL
from tests.reliability.realtime.schedule import Schedule
from tests.reliability.realtime.trial import numbers, run_schedule
from tests.reliability.realtime.weather import MAX_SKEW, RESTLESS, Plan

pytestmark = pytest.mark.usefixtures("in_memory")
EACH = 6  # schedules of each fault alone

FAULTS: dict[str, tuple[str, Plan]] = {
    "batches come again": ("", Plan(rereading=0.9)),
    "two consumers of one shard": ("", Plan(readers=2, rereading=0.5)),
    "consumers die": ("killed", Plan(killed=0.7)),
    "handlers of messages die": ("killed", Plan(sockets_killed=0.2)),
    "posts are answered 410": ("post", Plan(post=0.2, accidents=(410,))),
    "posts are answered 413": ("post", Plan(post=0.2, accidents=(413,))),
    "posts are answered 429": ("post", Plan(post=0.5, accidents=(429,))),
    "posts are answered 500": ("post", Plan(post=0.5, accidents=(500,))),
    "posts time out, delivered": ("post", Plan(post=0.4, accidents=("lost",))),
    "posts time out, delivered later": ("post", Plan(post=0.4, accidents=("late",))),
    "posts time out, not delivered": ("post", Plan(post=0.4, accidents=("dropped",))),
    "posts hang": ("post", Plan(post=0.1, accidents=("hangs",))),
    "the database is throttled": ("throttled", Plan(throttled=0.05)),
    "answers to commits are lost": ("lost", Plan(lost=0.1)),
    "calls take seconds": ("slow", Plan(slow=0.02)),
    "some invocations are slow": ("sluggish", Plan(sluggish=0.4)),
    "connections drop in the handshake and in the replay": ("early drop", Plan(drops=0.7)),
    "nobody is told of disconnects": ("ghost", Plan(ghosts=1.0, drops=0.3)),
    "clocks are five minutes off": ("", Plan(skew=MAX_SKEW)),
    "a record cannot be read": ("", Plan(poison=True)),
    "somebody is suspended meanwhile": ("", Plan(suspensions=True)),
    "always somebody comes, goes and writes": ("sluggish", RESTLESS),
}


@pytest.mark.cpu
def test_no_schedule_breaks_a_promise():
    seen, told, sessions, repetitions = Counter[str](), 0, 0, 0
    for number in numbers():
        schedule = run_schedule(number)
        seen.update(schedule.weather.seen)
        told += sum(len(client.told) for client in schedule.clients)
        sessions += sum(client.sessions for client in schedule.clients)
        repetitions += sum(client.repetitions for client in schedule.clients)
    if "REALTIME_SEED" not in os.environ:
        assert {"throttled", "lost", "slow", "killed", "post", "early drop", "ghost"} <= seen.keys()
        assert told > 5 * len(numbers())
        assert min(sessions, repetitions) > len(numbers())


@pytest.mark.parametrize("name", FAULTS)
def test_no_fault_alone_breaks_a_promise(name: str):
    cause, plan = FAULTS[name]
    schedules = [run_schedule(number, plan) for number in range(EACH)]
    assert not cause or any(cause in schedule.weather.seen for schedule in schedules)


def test_a_schedule_is_the_same_each_time_it_is_run():
    assert _frames(run_schedule(3)) == _frames(run_schedule(3))


def test_budgets_usage_and_audit_are_at_work_in_a_schedule():
    written = run_schedule(3).database.tables[CONTROL].items
    kinds = {key.partition.split(SEPARATOR)[2] for key in written if key.partition.startswith("T#")}
    assert {"AUDIT", "BUDGET", "USAGE"} <= kinds


def _frames(schedule: Schedule) -> list[tuple[str, list[bytes]]]:
    return [(one.id, one.received) for one in schedule.management.connections.values()]
