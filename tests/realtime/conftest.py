from collections.abc import AsyncIterator

import pytest

from tests.realtime.stage import Clock, Stage, open_stage


@pytest.fixture
async def stage(engine_endpoint: str) -> AsyncIterator[Stage]:
    async with open_stage(engine_endpoint) as opened:
        yield opened


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def clocked(engine_endpoint: str, clock: Clock) -> AsyncIterator[Stage]:
    """A stage whose time of day is `clock`."""
    async with open_stage(engine_endpoint, now=clock) as opened:
        yield opened
