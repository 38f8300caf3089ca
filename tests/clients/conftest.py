from collections.abc import AsyncIterator, Iterator

import pytest

from tests.clients.stack import Stack, complaints, open_stack


@pytest.fixture(scope="module")
async def stack(engine_endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    async with open_stack(engine_endpoint, tmp_path_factory.mktemp("state")) as opened:
        yield opened


@pytest.fixture(autouse=True)
def nothing_breaks(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever a client does, the server neither fails nor logs a traceback."""
    yield
    assert complaints(caplog.get_records("call")) == []
