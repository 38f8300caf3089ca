"""A newcomer's first minute: the served page, in a real browser, against the real server."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from graphql_api.local.graphiql import BUNDLE

ROOT = Path(__file__).parents[2]
START_SECONDS = 60
WALK_SECONDS = 120

pytestmark = [pytest.mark.node, pytest.mark.browser, pytest.mark.slow]


def missing() -> Iterator[str]:
    if shutil.which("node") is None:
        yield "node"
    if not (ROOT / "tests/node/node_modules/playwright-core").is_dir():
        yield "`npm ci` in tests/node"
    if shutil.which(os.environ.get("CHROMIUM", "/usr/bin/chromium")) is None:
        yield "Chromium (its path in CHROMIUM, or /usr/bin/chromium)"
    if not (BUNDLE / "index.html").is_file():
        yield "the built page (`make ide`)"


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The server as `make serve` starts it, on a free port, with a state directory of its own."""
    if needed := ", ".join(missing()):
        pytest.skip(f"GraphiQL in a browser NOT RUN: it needs {needed}")
    directory = tmp_path_factory.mktemp("server")
    inherited = {name: value for name, value in os.environ.items() if name != "DYNAMODB_ENDPOINT"}
    environment = inherited | {"PORT": "0", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "graphql_api", "serve"]
    with (
        (directory / "output").open("wb") as output,
        subprocess.Popen(command, cwd=directory, env=environment, stdout=output, stderr=output) as server,
    ):
        try:
            yield announced_origin(server, directory / "output")
        finally:
            server.send_signal(signal.SIGINT)


def announced_origin(server: subprocess.Popen[bytes], output: Path) -> str:
    deadline = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        for line in output.read_text().splitlines():
            if line.split()[:1] == ["GraphiQL"]:
                return line.split()[1].rstrip("/")
        time.sleep(0.1)
    raise AssertionError(f"The server did not start: {output.read_text()}")


@pytest.fixture(scope="module")
def seen(origin: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the walk of graphiql.mjs saw; a screenshot stays behind."""
    screenshot = tmp_path_factory.mktemp("browser") / "graphiql.png"
    walk = subprocess.run(
        ["node", str(Path(__file__).with_name("graphiql.mjs")), origin, str(screenshot)],
        capture_output=True,
        text=True,
        timeout=WALK_SECONDS,
        check=False,
    )
    assert walk.returncode == 0, f"{walk.stdout}\n{walk.stderr}\nscreenshot: {screenshot}"
    return json.loads(walk.stdout)


def data(run: dict[str, Any]) -> dict[str, Any]:
    assert "errors" not in run["body"]
    return run["body"]["data"]


def test_each_demo_tenant_has_a_tab_with_its_own_token(seen: dict[str, Any]) -> None:
    assert seen["titles"] == ["acme", "globex"]
    assert f'"Authorization": "Bearer {seen["tokens"][0][:20]}' in seen["headers"]
    assert [seen[run]["authorization"] for run in ("first", "second")] == [
        f"Bearer {token}" for token in seen["tokens"]
    ]


def test_the_prefilled_query_shows_tasks_with_project_assignee_and_comments(seen: dict[str, Any]) -> None:
    answer = data(seen["first"])
    tasks = [edge["node"] for edge in answer["tasks"]["edges"]]
    assert answer["tenant"]["name"] == "Acme Robotics"
    assert len(tasks) == 5
    assert all(task["project"]["name"] for task in tasks)
    assert any(task["assignee"] for task in tasks)
    assert any(task["comments"]["edges"] for task in tasks)
    pane = "".join(seen["first"]["pane"].split())  # the editor wraps long lines
    assert json.dumps(tasks[0]["title"], ensure_ascii=False).replace(" ", "") in pane


def test_the_other_tab_shows_another_tenant_and_none_of_the_first_ones_tasks(seen: dict[str, Any]) -> None:
    tenants = [data(seen[run])["tenant"]["name"] for run in ("first", "second")]
    first, second = (
        {edge["node"]["id"] for edge in data(seen[run])["tasks"]["edges"]} for run in ("first", "second")
    )
    assert tenants == ["Acme Robotics", "Globex Logistics"]
    assert len(first) == len(second) == 5
    assert not first & second


def test_a_reload_keeps_the_tab_and_renews_its_token(seen: dict[str, Any]) -> None:
    assert seen["renewedTokens"][1] != seen["tokens"][1]
    assert seen["reloaded"]["authorization"] == f"Bearer {seen['renewedTokens'][1]}"
    assert data(seen["reloaded"]) == data(seen["second"])


def test_the_page_is_quiet_obeys_its_policy_and_stays_on_its_origin(seen: dict[str, Any]) -> None:
    assert seen["problems"] == []
