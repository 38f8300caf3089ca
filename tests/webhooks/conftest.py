from collections.abc import AsyncIterator

import pytest

from tests.webhooks.receiver import Receiver, a_receiver
from tests.webhooks.stage import Hooks, open_hooks


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with a_receiver() as opened:
        yield opened


@pytest.fixture
async def hooks(engine_endpoint: str, receiver: Receiver) -> AsyncIterator[Hooks]:
    async with open_hooks(engine_endpoint, receiver) as opened:
        yield opened
