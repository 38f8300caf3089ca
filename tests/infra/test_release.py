import sys
from pathlib import Path

import pytest

from infra import release
from infra.release import digest, main, overrides


@pytest.fixture
def package(tmp_path: Path) -> Path:
    path = tmp_path / "lambda.zip"
    path.write_bytes(b"code")
    return path


def test_the_same_is_the_same_release(package: Path) -> None:
    assert digest(["A=1", "B=2"], package) == digest(["A=1", "B=2"], package)


def test_anything_else_is_another_release(package: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.zip"
    other.write_bytes(b"other code")
    releases = [
        digest(["A=1", "B=2"], package),
        digest(["A=1", "B=3"], package),
        digest(["A=1B=2"], package),
        digest(["A=1", "B=2"], package, "restored"),
        digest(["A=1", "B=2"], other),
    ]

    assert len(set(releases)) == len(releases)


@pytest.mark.parametrize("name", ["template.yaml", "cognito.yaml"])
def test_another_template_is_another_release(
    name: str, package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = digest([], package)
    for each in release.INFRA.glob("*.yaml"):
        (tmp_path / each.name).write_bytes(each.read_bytes())
    monkeypatch.setattr(release, "INFRA", tmp_path)
    assert digest([], package) == before

    (tmp_path / name).write_text("# changed")

    assert digest([], package) != before


def test_it_prints_the_stage_s_parameters_and_the_release(
    package: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["release", "prod", "again", "--package", str(package)])

    main()

    *parameters, printed = capsys.readouterr().out.split()
    assert parameters == overrides("prod")
    assert printed == f"Release={digest(parameters, package, 'again')}"
