from collections.abc import AsyncIterator

import pytest

from tests.reliability.network import Network, network_of, skipping_time
from tests.reliability.virtual_time import BACKEND, virtual_deadlines
from tests.world import World

__all__ = ["virtual_deadlines"]


@pytest.fixture(scope="session")
def anyio_backend() -> object:
    return BACKEND


@pytest.fixture
async def network(world: World, virtual_deadlines: None) -> AsyncIterator[Network]:
    """The network under the whole system; time passes only as its accidents and the waits for them take."""
    async with network_of(world.services.sources.database.client) as network:
        with skipping_time(network):
            yield network
