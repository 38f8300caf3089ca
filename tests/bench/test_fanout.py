import json
from collections.abc import Iterator

import pytest

from bench.__main__ import main
from bench.fanout.peer import LIBRARY, Peer, PeerError
from bench.fanout.questions import Question, other_document, other_variables, same
from bench.fanout.race import Effort, Scenario, race
from bench.fanout.reading import Row
from bench.fanout.sink import Sink
from bench.fanout.system import System
from bench.installation import BenchInstallation
from bench.tenant import BenchError

SIZES = (1, 5)
SCENARIOS = [
    Scenario(question.__name__, question, SIZES) for question in (same, other_variables, other_document)
]
EFFORT = Effort(SCENARIOS, rounds=1, seconds=0)


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    with Sink() as started:
        yield started


@pytest.fixture(scope="module")
def system(engine_endpoint: str, sink: Sink, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    installation = BenchInstallation(tmp_path_factory.mktemp("fanout"), engine_endpoint)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", "test")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "test")
        with System(installation, sink.endpoint) as opened:
            yield opened


@pytest.fixture(scope="module")
def rows(system: System, sink: Sink) -> list[Row]:
    return race(system, None, sink, EFFORT)


@pytest.fixture(scope="module")
def peer(engine_endpoint: str, sink: Sink) -> Iterator[Peer]:
    try:
        started = Peer(engine_endpoint, sink.endpoint)
    except PeerError as missing:
        pytest.skip(f"{LIBRARY} NOT RUN: {missing}")
    with started:
        yield started


def test_an_event_is_executed_once_for_all_who_ask_the_same(rows: list[Row]) -> None:
    executions = {(row.title, row.subscribers): row.ours.executions for row in rows}

    assert executions == {
        ("same", 1): 1,
        ("same", 5): 1,
        ("other_variables", 1): 1,
        ("other_variables", 5): 5,
        ("other_document", 1): 1,
        ("other_document", 5): 5,
    }


def test_who_listens_is_one_query_for_each_topic_however_many_they_are(rows: list[Row]) -> None:
    # The topics of a task: all tasks, the task, its project, its assignee.
    assert {row.ours.calls["Query"] for row in rows} == {4}


def test_the_calls_of_an_event_do_not_grow_with_its_subscribers(rows: list[Row]) -> None:
    first, *others = (row.ours.calls for row in rows)

    assert all(other == first for other in others)
    assert sum(first.values()) > first["Query"]


def test_a_new_process_reads_members_and_what_groups_ask_in_three_calls(rows: list[Row]) -> None:
    """The records of all people, the tenant's own standing, and what all groups ask."""
    for row in rows:
        assert row.first.calls["BatchGetItem"] - row.ours.calls["BatchGetItem"] == 3


def test_each_byte_of_a_call_is_counted(rows: list[Row]) -> None:
    one, five = (row.ours.bytes for row in rows[:2])

    assert 1_000 < one < five < 5 * one


def test_the_peer_executes_once_for_each_subscriber(peer: Peer, sink: Sink) -> None:
    peer.open("alone")
    peer.join(0, [same(number, "project") for number in range(3)])
    sink.taken()
    payload = {"projectId": "project", "id": "1", "task": {"id": "2"}}

    observed = peer.observe(payload)

    assert (observed.executions, observed.calls, sink.taken()) == (3, {"Query": 1}, 3)
    assert observed.bytes > 1_000
    assert peer.publish(payload) > 0


def test_an_event_that_does_not_reach_everybody_is_not_timed(system: System) -> None:
    class Deaf(Sink):
        def taken(self) -> int:
            return 0

    # A place of its own: the sockets have a subscription called 0 from the other scenarios.
    missing = [Scenario("", same, ())] * len(SCENARIOS) + [Scenario("same", same, (1,))]

    with pytest.raises(BenchError, match="0 frames in place of 1"):
        race(system, None, Deaf(), Effort(missing, rounds=1, seconds=0))


@pytest.mark.parametrize(
    ("question", "distinct"), [(same, 1), (other_variables, 1000), (other_document, 1000)]
)
def test_a_thousand_subscribers_ask_as_differently_as_they_say(question: Question, distinct: int) -> None:
    assert len({json.dumps(question(number, "project")) for number in range(1000)}) == distinct


def test_without_node_the_report_says_so_and_has_the_rest(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")

    main(["--quick", "--only", "fanout"])

    printed = capsys.readouterr().out
    assert "NO FIGURES OF THE PEER: node is not installed." in printed
    assert printed.count("\n  4 ask the same") == 2
    assert "2 changes: p50" in printed
