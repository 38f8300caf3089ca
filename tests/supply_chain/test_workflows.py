"""What the workflows run is in the Makefile, and what they use cannot change under them."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").iterdir())
PINNED = re.compile(r"\A[\w.-]+/[\w./-]+@[0-9a-f]{40}\Z")
USES = re.compile(r"^\s*(?:- )?uses: (\S+)(.*)$", re.MULTILINE)
MAKE = re.compile(r"^\s*make ([a-z0-9-]+)", re.MULTILINE)


@pytest.fixture(params=WORKFLOWS, ids=[path.name for path in WORKFLOWS])
def workflow(request: pytest.FixtureRequest) -> Path:
    return request.param


def unpinned(text: str) -> list[str]:
    """The actions that a tag or branch names, or whose version nobody can read."""
    return [
        action
        for action, comment in USES.findall(text)
        if not (PINNED.match(action) and re.fullmatch(r" # v\d+\.\d+\.\d+", comment))
    ]


def commands(workflow: Any) -> Iterator[str]:
    for job in workflow["jobs"].values():
        for step in job["steps"]:
            if "run" in step:
                yield step["run"]


def missing(scripts: Iterator[str], makefile: str) -> set[str]:
    """What is asked of make and is no target of the Makefile."""
    targets = set(re.findall(r"^([a-z0-9-]+):(?!=)", makefile, re.MULTILINE))
    return {target for script in scripts for target in MAKE.findall(script)} - targets


def test_actions_are_pinned_by_commit_with_their_version(workflow: Path) -> None:
    text = workflow.read_text()

    assert USES.findall(text)
    assert unpinned(text) == []


def test_what_is_not_pinned_is_found() -> None:
    commit = "08c6903cd8" * 4
    for action in (
        "actions/checkout@v5",
        "actions/checkout@main # v5.0.0",
        f"actions/checkout@{commit}",
        f"actions/checkout@{commit[:-1]} # v5.0.0",
        "docker://alpine:3 # v3.0.0",
    ):
        assert unpinned(f"steps:\n  - uses: {action}\n") == [action.split()[0]]
    assert unpinned(f"steps:\n  - uses: actions/checkout@{commit} # v5.0.0\n") == []


def test_one_version_of_an_action_is_used_everywhere() -> None:
    used = {line for path in WORKFLOWS for line in USES.findall(path.read_text())}

    assert len({action.partition("@")[0] for action, _ in used}) == len(used)


def test_what_is_asked_of_make_is_in_the_makefile(workflow: Path) -> None:
    parsed = yaml.safe_load(workflow.read_text())

    assert missing(commands(parsed), (ROOT / "Makefile").read_text()) == set()


def test_what_is_not_in_the_makefile_is_found() -> None:
    scripts = iter(["make test", "cd x\nmake dance STAGE=dev", "echo made"])

    assert missing(scripts, "test: lint\nSTAGE := dev\n") == {"dance"}


def test_ci_runs_the_gates_and_all_suites_and_builds_the_package() -> None:
    parsed = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    asked = {target for script in commands(parsed) for target in MAKE.findall(script)}

    assert asked == {"lint", "test", "e2e", "gates", "package"}


def test_each_stage_gets_the_same_bytes_and_waits_for_the_one_before() -> None:
    jobs = yaml.safe_load((ROOT / ".github/workflows/deploy.yml").read_text())["jobs"]

    assert [jobs[stage]["environment"] for stage in ("dev", "test", "prod")] == ["dev", "test", "prod"]
    assert jobs["dev"]["steps"] == jobs["test"]["steps"] == jobs["prod"]["steps"]
    assert [jobs[stage]["needs"][-1] for stage in ("test", "prod")] == ["dev", "test"]
    assert not any("make package" in script for script in commands({"jobs": {"dev": jobs["dev"]}}))


def test_no_job_has_more_rights_than_it_says(workflow: Path) -> None:
    parsed = yaml.safe_load(workflow.read_text())

    assert parsed["permissions"] == {}
    for name, job in parsed["jobs"].items():
        writes = {right for right, level in job["permissions"].items() if level == "write"}
        assert writes <= ({"id-token"} if "environment" in job else set()), name
