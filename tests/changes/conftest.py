from collections.abc import AsyncIterator

import pytest

from tests.changes.ledger import Ledger
from tests.realtime.stage import Stage, open_stage
from tests.reliability.network import Network, network_of, skipping_time
from tests.reliability.virtual_time import BACKEND, virtual_deadlines
from tests.world import World

__all__ = ["virtual_deadlines"]


@pytest.fixture(scope="session")
def anyio_backend() -> object:
    return BACKEND


@pytest.fixture
def ledger(world: World) -> Ledger:
    """The empty log of acme."""
    return Ledger(world)


@pytest.fixture
async def network(ledger: Ledger, virtual_deadlines: None) -> AsyncIterator[Network]:
    """The network under the log; time passes only as its accidents and the waits for them take."""
    async with network_of(ledger.world.services.sources.database.client) as network:
        with skipping_time(network):
            yield network


@pytest.fixture
async def stage(engine_endpoint: str) -> AsyncIterator[Stage]:
    async with open_stage(engine_endpoint) as opened:
        yield opened
