from collections.abc import AsyncIterator

import pytest
from types_aiobotocore_dynamodb import DynamoDBClient

from tests.iam.guard import PolicyGuard
from tests.iam.stub_client import TABLES, Caller, watched_client


@pytest.fixture
def caller() -> Caller:
    return Caller()


@pytest.fixture
def guard(caller: Caller) -> PolicyGuard:
    return PolicyGuard(TABLES, caller)


@pytest.fixture
def sent() -> list[str]:
    """The requests that left the client."""
    return []


@pytest.fixture
async def dynamodb(guard: PolicyGuard, sent: list[str]) -> AsyncIterator[DynamoDBClient]:
    async with watched_client(guard, sent) as client:
        yield client
