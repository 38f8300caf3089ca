from collections.abc import Iterator

import pytest

from tests.browser.walk import missing
from tests.local.server import Server, serving


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server as `make serve` starts it, for every walk."""
    if needed := ", ".join(missing()):
        pytest.skip(f"the walks of a browser were NOT RUN: they need {needed}")
    with serving(tmp_path_factory.mktemp("server")) as started:
        yield started
