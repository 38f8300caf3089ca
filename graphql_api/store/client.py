"""The AWS clients of a process, and whose rights a call is made with."""

from contextlib import AbstractAsyncContextManager, AsyncExitStack
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Self

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession, get_session

from graphql_api.settings import Settings
from graphql_api.store.credentials import Roles, Vending
from graphql_api.store.keys import Family

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.client import DynamoDBClient

# Keeps the service models that clients are made from. Its credentials are the process's own: on Lambda those
# of the function's role.
_SESSION = get_session()

# The key family a call works in. It is signed as that principal, and the suite decides it by that principal's
# policy.
PRINCIPAL: ContextVar[Family | None] = ContextVar("principal", default=None)


# How S3 signs today, and by the region's own name: the SDK's defaults make URLs that S3 takes neither for a
# bucket of a younger region nor for an object under a key of KMS.
_OF_S3 = AioConfig(signature_version="s3v4", s3={"addressing_style": "virtual"})


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


def aws_client(
    service: str,
    settings: Settings,
    *,
    endpoint: str | None = None,
    attempts: int = 3,
    session: AioSession = _SESSION,
) -> AbstractAsyncContextManager[Any]:
    """A client of that service, signed by the process's own credentials unless the session has others."""
    config = client_config(validate_parameters=settings.is_development, attempts=attempts)
    return session.create_client(
        service,
        region_name=settings.region,
        endpoint_url=endpoint,
        config=config.merge(_OF_S3) if service == "s3" else config,
    )


class Database:
    """Owns the process's one DynamoDB client and the names of its tables; open it once, on the event loop."""

    def __init__(self, settings: Settings) -> None:
        self.table_name = settings.table_name
        self.control_table_name = settings.control_table_name
        self._settings = settings
        self._resources = AsyncExitStack()
        self._client: DynamoDBClient | None = None
        self._vending: Vending | None = None
        self._signing = _SESSION

    @property
    def is_open(self) -> bool:
        return self._client is not None

    @property
    def client(self) -> "DynamoDBClient":
        if self._client is None:
            raise RuntimeError("the database is not open")
        return self._client

    async def open(self) -> Self:
        """Make the client; calling it again changes nothing."""
        if self._client is None:
            self._signing = await self._session()
            endpoint = self._settings.dynamodb_endpoint
            self._client = await self.client_of("dynamodb", endpoint)
        return self

    async def client_of(self, service: str, endpoint: str | None = None) -> Any:
        """A client whose calls are signed by their principal's session; it is closed with this."""
        client = aws_client(service, self._settings, endpoint=endpoint, session=self._signing)
        return await self._resources.enter_async_context(client)

    def renew_session(self, family: Family) -> bool:
        """After a refusal: whether the family's next call is signed by another session than this one was."""
        return self._vending is not None and self._vending.renew(family)

    async def close(self) -> None:
        self._client = None
        await self._resources.aclose()

    async def _session(self) -> AioSession:
        """The process's own, or one that signs each call with its principal's session."""
        roles = Roles.of(self._settings)
        if roles is None:
            return _SESSION
        sts = await self._resources.enter_async_context(aws_client("sts", self._settings))
        session = get_session()
        session.register_component("data_loader", _SESSION.get_component("data_loader"))
        self._vending = Vending(roles, sts, _SESSION, PRINCIPAL.get)
        session.register_component("credential_provider", self._vending)
        return session
