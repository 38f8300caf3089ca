from collections.abc import AsyncIterator

import pytest
from hypothesis import settings

from tests.reliability.network import Network, skipping_time
from tests.reliability.virtual_time import BACKEND, virtual_deadlines
from tests.store.notes import NoteStore, open_store

__all__ = ["virtual_deadlines"]

# Examples are not timed: this machine may be busy.
settings.register_profile("untimed", settings(), deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def anyio_backend() -> object:
    return BACKEND


@pytest.fixture
async def store(engine_endpoint: str) -> AsyncIterator[NoteStore]:
    """A table of its own for one test. Every call must have been allowed by the shipped policy."""
    async with open_store(engine_endpoint) as opened:
        yield opened


@pytest.fixture
async def network(store: NoteStore, virtual_deadlines: None) -> AsyncIterator[Network]:
    """The network under the store; time passes only as its accidents and the waits for them take."""
    store.network.attempts.clear()
    with skipping_time(store.network):
        yield store.network
