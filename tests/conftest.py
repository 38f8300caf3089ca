"""One engine for the whole suite, one world for each test that asks for it."""

from collections.abc import AsyncIterator, Iterator

import pytest

from graphql_api.auth.identity import Role
from graphql_api.schema import build_schema
from graphql_api.settings import Profile
from tests.engines import start_engine
from tests.world import World, open_world


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def engine_endpoint() -> Iterator[str]:
    with start_engine() as engine:
        yield engine.endpoint


@pytest.fixture(scope="session", autouse=True)
def one_schema() -> Iterator[None]:
    """The schema is the same for every world, and building it takes longer than most tests."""
    schema = build_schema()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("graphql_api.bootstrap.build_schema", lambda: schema)
        yield


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys that no AWS account knows."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")


@pytest.fixture
async def world(engine_endpoint: str, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """The whole system; `identity` names the caller. Every call must have been allowed, and none a Scan."""
    opened = await open_world(engine_endpoint, profile=getattr(request, "param", Profile.DEVELOPMENT))
    marker = request.node.get_closest_marker("identity")
    try:
        yield opened.as_(marker.kwargs["tenant"], Role(marker.kwargs["role"])) if marker else opened
    finally:
        await opened.services.close()
    assert not opened.guard.refused
    assert "Scan" not in opened.guard.operations
