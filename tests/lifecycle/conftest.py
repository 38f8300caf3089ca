import shutil
from collections.abc import AsyncIterator

import pytest

from tests.realtime.stage import Clock, Stage, open_stage


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def stage(engine_endpoint: str, clock: Clock) -> AsyncIterator[Stage]:
    """A stage whose time of day is `clock`, and whose exports go when it does."""
    async with open_stage(engine_endpoint, now=clock) as opened:
        yield opened
    shutil.rmtree(opened.world.services.settings.export_directory, ignore_errors=True)
