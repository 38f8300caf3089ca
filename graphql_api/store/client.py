"""The DynamoDB client of a process, and whose rights a call is made with."""

from contextlib import AsyncExitStack
from contextvars import ContextVar
from typing import TYPE_CHECKING, Self

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

from graphql_api.settings import Settings
from graphql_api.store.keys import Family

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.client import DynamoDBClient

# Keeps the service model that clients are made from; credentials are resolved when a client is made.
_SESSION = get_session()

# The key family a call works in. The suite decides each call by the policy of that principal; tenant-scoped
# credentials will sign by it.
PRINCIPAL: ContextVar[Family | None] = ContextVar("principal", default=None)


def client_config(*, validate_parameters: bool, attempts: int = 3) -> AioConfig:
    """Bounds on every call: the SDK's own defaults wait 60 s and, throttled, retry for 25 s."""
    return AioConfig(
        connect_timeout=1,
        read_timeout=2,
        retries={"mode": "standard", "total_max_attempts": attempts},
        max_pool_connections=50,
        tcp_keepalive=True,
        parameter_validation=validate_parameters,
        user_agent="graphql-api",
    )


class Database:
    """Owns the process's one client and the names of its tables; open it once, on the event loop."""

    def __init__(self, settings: Settings) -> None:
        self.table_name = settings.table_name
        self.control_table_name = settings.control_table_name
        self._settings = settings
        self._resources = AsyncExitStack()
        self._client: DynamoDBClient | None = None

    @property
    def client(self) -> "DynamoDBClient":
        if self._client is None:
            raise RuntimeError("the database is not open")
        return self._client

    async def open(self) -> Self:
        """Make the client; calling it again changes nothing."""
        if self._client is None:
            self._client = await self._resources.enter_async_context(
                _SESSION.create_client(
                    "dynamodb",
                    region_name=self._settings.region,
                    endpoint_url=self._settings.dynamodb_endpoint,
                    config=client_config(validate_parameters=self._settings.is_development),
                )
            )
        return self

    async def close(self) -> None:
        self._client = None
        await self._resources.aclose()
