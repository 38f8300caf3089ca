import re
from pathlib import Path

import pytest

from bench.__main__ import main
from bench.cold_start import FLOOR, Cost, Start, race, starts, table
from bench.tenant import BenchError
from infra.package.runtime import MissingPythonError, find_python


@pytest.fixture(scope="module")
def python() -> str:
    try:
        return find_python()
    except MissingPythonError as missing:
        pytest.skip(f"cold start NOT RUN: {missing}")


def test_a_start_costs_cpu_time_and_memory(python: str, tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text("kept = bytearray(50_000_000)\nsum(range(10_000_000))\n")

    bare = Start("bare", tmp_path, ())(python)
    heavy = Start("heavy", tmp_path, ("module",))(python)

    assert 0 < bare.cpu < heavy.cpu
    assert bare.wall < heavy.wall
    assert heavy.resident - bare.resident > 49_000_000


def test_a_start_that_fails_is_no_figure(python: str, tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text("raise ValueError('no settings')\n")

    with pytest.raises(BenchError, match=r"broken does not start: (.|\n)*no settings"):
        Start("broken", tmp_path, ("module",))(python)


def test_a_start_leaves_no_bytecode_behind_for_the_next(python: str, tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text("")

    Start("sources", tmp_path, ("module",))(python)

    assert [path.name for path in tmp_path.iterdir()] == ["module.py"]


def test_every_other_round_runs_backwards(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    def start(self: Start, python: str) -> Cost:
        ran.append(self.title)
        return Cost(1, 2, 3)

    monkeypatch.setattr(Start, "__call__", start)

    costs = race([Start(name, Path(), ()) for name in "ab"], "python", rounds=3)

    assert "".join(ran) == "ab" + "abbaab"
    assert costs == [[(1, 2, 3)] * 3] * 2


def test_the_table_compares_starts_of_a_round_with_the_floor() -> None:
    contenders = starts(Path())
    costs = [[Cost(0.2, 0.3, 50e6), Cost(0.4, 0.5, 70e6), Cost(0.5, 0.6, 60e6)] for _ in contenders]
    costs[FLOOR] = [Cost(0.1, 0.2, 40e6), Cost(0.1, 0.2, 40e6), Cost(0.5, 0.5, 40e6)]

    _, _, bare, floor, *_ = table(contenders, costs)

    assert re.split(r"\s{2,}", bare.strip()) == [
        *("bare Python", "400 (200-500)", "500 (300-600)", "60", "2.00 (1.00-4.00)")
    ]
    assert floor.endswith("1.00 (1.00-1.00)")


def test_without_the_runtimes_python_the_report_says_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> str:
        raise MissingPythonError("Python 3.13 is not installed")

    monkeypatch.setattr("bench.cold_start.find_python", missing)

    main(["--quick", "--only", "coldstart"])

    assert "NO FIGURES: Python 3.13 is not installed." in capsys.readouterr().out
