import dataclasses
from collections.abc import Callable, Iterator

import pytest

from bench.__main__ import main
from bench.contenders import NAMES
from bench.database import CannedDatabase
from bench.installation import BenchInstallation
from bench.observation import Observation, data_of, observe
from bench.race import LAMBDA, VIEW, race
from bench.tenant import BenchError
from bench.timing import QUICK, Case, Pace, measure

FLAT, BOARD, SINGLE = (
    "flat: 100 tasks of 10 scalars",
    "board: 20 tasks, three levels",
    "single: a task of 5 scalars",
)


@pytest.fixture(scope="module")
def installation(engine_endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> BenchInstallation:
    return BenchInstallation(tmp_path_factory.mktemp("bench"), engine_endpoint)


@pytest.fixture(scope="module")
def observation(installation: BenchInstallation) -> Iterator[Observation]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", "test")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "test")
        yield observe(installation)


def test_the_quick_run_reports_every_workload_at_both_doors(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--quick", "--only", "requests"])

    printed = capsys.readouterr().out
    assert [printed.count(f"\n  {title}") for title in (FLAT, BOARD, SINGLE)] == [3, 3, 3]
    assert VIEW in printed
    assert LAMBDA in printed


@pytest.mark.parametrize(
    ("title", "calls"),
    [
        (FLAT, {"Query": 1}),
        (BOARD, {"Query": 1, "BatchGetItem": 1}),
        (SINGLE, {"BatchGetItem": 1}),
    ],
)
def test_every_contender_makes_the_same_few_calls(
    observation: Observation, title: str, calls: dict[str, int]
) -> None:
    assert observation.workloads[title] == dict.fromkeys(NAMES, calls)


def test_the_calls_of_ten_operations_are_counted(observation: Observation) -> None:
    assert observation.operations == {
        "viewer": {"BatchGetItem": 1},
        "user by e-mail": {"BatchGetItem": 2},
        "10 nodes of three types": {"BatchGetItem": 1},
        "page of projects": {"Query": 1},
        "a person's agenda": {"Query": 1, "BatchGetItem": 1},
        "what is overdue in the tenant": {"Query": 4, "BatchGetItem": 1},
        "second page of comments": {"BatchGetItem": 2, "Query": 1},
        "createTask with idempotencyKey": {"BatchGetItem": 2, "TransactWriteItems": 1},
        "moveTask": {"BatchGetItem": 1, "UpdateItem": 1},
        "addComment": {"BatchGetItem": 1, "TransactWriteItems": 1},
    }


def test_the_workloads_are_as_large_as_they_say(observation: Observation) -> None:
    flat, board = (observation.data[title]["tasks"]["edges"] for title in (FLAT, BOARD))

    assert [len(edge["node"]) for edge in flat] == [10] * 100
    assert [len(edge["node"]["comments"]["edges"]) for edge in board] == [3] * 20
    assert len(observation.data[SINGLE]["task"]) == 5


def test_an_answer_unlike_the_engines_is_not_timed(
    installation: BenchInstallation, observation: Observation
) -> None:
    other = dataclasses.replace(observation, data={**observation.data, BOARD: {"tasks": None}})

    with pytest.raises(BenchError, match="bare answers board"):
        race(installation, other, QUICK)


@pytest.mark.parametrize("body", [b'{"data": null}', b'{"data": {"a": 1}, "errors": [{"message": "no"}]}'])
def test_a_failed_answer_is_no_answer(body: bytes) -> None:
    with pytest.raises(BenchError):
        data_of(body)


async def test_the_canned_database_answers_only_what_was_asked(
    installation: BenchInstallation, observation: Observation
) -> None:
    client = CannedDatabase(installation.settings, observation.exchanges).client

    with pytest.raises(KeyError):
        await client.query(TableName="bench", IndexName="by_position")


def working(name: str, ran: list[str]) -> Callable[[int], None]:
    def repeat(requests: int) -> None:
        ran.append(name)
        sum(range(100 * requests))

    return repeat


def test_every_other_round_runs_backwards() -> None:
    ran: list[str] = []
    a, b, c = (working(name, ran) for name in "abc")

    cases = measure([("one", [a, b]), ("two", [c])], Pace(rounds=3, slice_seconds=1e-5, max_seconds=60))

    assert "".join(ran[-9:]) == "abccbaabc"
    assert [[len(seconds) for seconds in case.seconds] for case in cases] == [[3, 3], [3]]


def test_an_overrun_stops_after_the_least_number_of_rounds() -> None:
    pace = Pace(rounds=9, slice_seconds=1e-5, max_seconds=0, min_rounds=2)

    (case,) = measure([("one", [working("a", [])])], pace)

    assert len(case.seconds[0]) == 2


def test_ratios_are_paired_within_a_round() -> None:
    ratio = Case("one", [[1.0, 2.0, 8.0], [2.0, 4.0, 4.0]]).ratio(0, to=1)

    assert (ratio.middle, ratio.low, ratio.high) == (0.5, 0.5, 2.0)
