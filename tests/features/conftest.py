"""One world for a whole module, where its tests look only at what they made themselves."""

from collections.abc import AsyncIterator

import pytest

from graphql_api.auth.identity import Role
from tests.world import World, open_world


@pytest.fixture(scope="module")
async def shared_world(engine_endpoint: str) -> AsyncIterator[World]:
    """A world that outlives a test, seen by acme's administrator."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", "test")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "test")
        opened = await open_world(engine_endpoint)
    try:
        yield opened.as_("acme", Role.ADMIN)
    finally:
        await opened.services.close()
    assert not opened.guard.refused
    assert "Scan" not in opened.guard.operations
