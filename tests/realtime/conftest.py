from collections.abc import AsyncIterator

import pytest

from tests.realtime.stage import Stage, open_stage


@pytest.fixture
async def stage(engine_endpoint: str) -> AsyncIterator[Stage]:
    async with open_stage(engine_endpoint) as opened:
        yield opened
