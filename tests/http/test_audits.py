import json
import shutil
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.http.doors import http_api_door, rest_api_door, uvicorn_door

NODE = Path(__file__).parent.parent / "node"

pytestmark = [pytest.mark.node, pytest.mark.slow]


@pytest.mark.parametrize("door", [uvicorn_door, http_api_door, rest_api_door])
def test_every_audit_of_the_specification_passes(door: Callable[[], AbstractContextManager[str]]):
    node = shutil.which("node")
    if node is None or not (NODE / "node_modules" / "graphql-http").is_dir():
        pytest.skip("GraphQL-over-HTTP audits NOT RUN: they need node and `npm ci` in tests/node")
    with door() as url:
        run = subprocess.run(
            [node, "audit.mjs", url], cwd=NODE, capture_output=True, text=True, timeout=60, check=True
        )
    outcomes = json.loads(run.stdout)
    assert len(outcomes) == 61
    assert [outcome for outcome in outcomes if outcome["status"] != "ok"] == []
