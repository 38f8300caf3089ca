import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.clients.stack import Stack, complaints, open_stack
from tests.realtime.stage import Stage, open_stage

ROOT = Path(__file__).parents[2]
NODE_PROJECT = ROOT / "tests/clients/node"


@pytest.fixture(scope="module")
async def stack(engine_endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    async with open_stack(engine_endpoint, tmp_path_factory.mktemp("state")) as opened:
        yield opened


@pytest.fixture(scope="module")
async def stage(engine_endpoint: str) -> AsyncIterator[Stage]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        async with open_stage(engine_endpoint) as opened:
            yield opened


@pytest.fixture(scope="module")
def reference() -> Iterator[str]:
    """`host:port` of the reference server over our schema."""
    node = shutil.which("node")
    if node is None or not (NODE_PROJECT / "node_modules").is_dir():
        pytest.skip("the reference server was NOT RUN: it needs node and `npm ci` in tests/clients/node")
    command = [node, "reference.mjs", str(ROOT / "schema.graphql")]
    with subprocess.Popen(
        command,
        cwd=NODE_PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        yield f"127.0.0.1:{process.stdout.readline().strip()}"
        process.terminate()


@pytest.fixture(autouse=True)
def nothing_breaks(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever a client sends, the server neither fails nor logs a traceback."""
    yield
    assert complaints(caplog.get_records("call")) == []
