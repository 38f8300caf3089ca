"""Frames to clients: API Gateway's management API, or anything that speaks it.

GoneError            the client is not there any more
UndeliverableError   it did not take the frame in the time and the tries there are
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Protocol

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as EndpointError

from graphql_api.deadline import Deadline
from graphql_api.settings import Settings
from graphql_api.store.client import aws_client

if TYPE_CHECKING:
    from types_aiobotocore_apigatewaymanagementapi.client import ApiGatewayManagementApiClient

MAX_FRAME_BYTES = 128 * 1024  # of a message (API Gateway)
# What a frame holds besides its payload: an operation id of 128 characters, escaped.
MAX_PAYLOAD_BYTES = MAX_FRAME_BYTES - 1024
MAX_TRIES = 4  # The SDK itself tries once.
POST_SECONDS = 4.0  # for a frame, its repetitions included
BASE_DELAY = 0.05  # seconds; full jitter between 0 and the doubled base

_log = logging.getLogger(__name__)


class GoneError(Exception):
    """The connection is closed: 410."""


class UndeliverableError(Exception):
    """The client's buffer is full, or the gateway fails: 429, 5xx, or no answer in time."""


class Gateway(Protocol):
    """What the product needs of the other end of a socket."""

    async def open(self) -> None: ...
    async def close(self) -> None: ...
    async def post(self, connection_id: str, data: bytes, deadline: Deadline) -> None:
        """Send a frame. Raises GoneError or UndeliverableError."""
        ...

    async def disconnect(self, connection_id: str, deadline: Deadline) -> None:
        """Close the socket. Raises GoneError or UndeliverableError."""
        ...


class ApiGateway:
    """The management API at `settings.connections_endpoint`; open it once, on the event loop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._resources = AsyncExitStack()
        self._client: ApiGatewayManagementApiClient | None = None

    async def open(self) -> None:
        """Make the client; calling it again changes nothing. Without an endpoint there is nothing to open."""
        if self._client is None and self._settings.connections_endpoint:
            client = aws_client(
                "apigatewaymanagementapi",
                self._settings,
                endpoint=self._settings.connections_endpoint,
                attempts=1,
            )
            self._client = await self._resources.enter_async_context(client)

    async def close(self) -> None:
        self._client = None
        await self._resources.aclose()

    async def post(self, connection_id: str, data: bytes, deadline: Deadline) -> None:
        """Send a frame; throttled and failed posts are tried again under the deadline."""
        await self._call(self._opened.post_to_connection, deadline, ConnectionId=connection_id, Data=data)

    async def disconnect(self, connection_id: str, deadline: Deadline) -> None:
        """Close the socket: the client sees close code 1000, the only one that API Gateway sends."""
        await self._call(self._opened.delete_connection, deadline, ConnectionId=connection_id)

    @property
    def _opened(self) -> "ApiGatewayManagementApiClient":
        if self._client is None:
            raise RuntimeError("CONNECTIONS_ENDPOINT is not set, or the gateway is not open")
        return self._client

    async def _call(
        self, operation: Callable[..., Awaitable[Any]], deadline: Deadline, **parameters: Any
    ) -> None:
        # One client must not use up the time of all: it can come back, and resume.
        deadline = min(deadline, Deadline.after(POST_SECONDS), key=lambda one: one.at)
        for attempt in range(MAX_TRIES):
            try:
                async with asyncio.timeout(max(deadline.remaining(), 0)):
                    await operation(**parameters)
            except ClientError as error:
                if _status(error) == 410:
                    _log.info("A client is gone.")
                    raise GoneError from None
                if not _is_transient(error):
                    raise UndeliverableError from error
            except TimeoutError as error:
                raise UndeliverableError from error
            except (HTTPClientError, EndpointError):
                pass
            else:
                return
            await _back_off(attempt, deadline)
        raise UndeliverableError


async def _back_off(attempt: int, deadline: Deadline) -> None:
    delay = random.uniform(0, BASE_DELAY * 2**attempt)  # noqa: S311 - jitter, not a secret
    if deadline.remaining() <= delay:
        raise UndeliverableError
    await asyncio.sleep(delay)


def _status(error: ClientError) -> int:
    return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)


def _is_transient(error: ClientError) -> bool:
    return _status(error) == 429 or _status(error) >= 500
