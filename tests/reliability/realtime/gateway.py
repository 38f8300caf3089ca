"""API Gateway's end of the sockets: connections, and the management API that the product's client calls."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError, ReadTimeoutError

Frame = dict[str, Any]


@dataclass(slots=True)
class Connection:
    """One socket; `frames` ends with None once it is closed. `received` is all that ever came, as bytes."""

    id: str
    tenant: str
    frames: asyncio.Queue[Frame | None] = field(default_factory=asyncio.Queue[Frame | None])
    received: list[bytes] = field(default_factory=list[bytes])
    is_open: bool = True

    def deliver(self, data: bytes) -> None:
        if self.is_open:
            self.received.append(data)
            self.frames.put_nowait(json.loads(data))

    def close(self) -> None:
        if self.is_open:
            self.is_open = False
            self.frames.put_nowait(None)


# What becomes of a call: None is well, an int the status of a refusal, else by name, see `ManagementApi`.
Accident = int | str | None


class ManagementApi:
    """Stands for the SDK's client. `accident` says what becomes of each call.

    a status      refused with it, the frame not delivered
    "lost"        delivered, but the answer never comes
    "late"        no answer; the frame is delivered some seconds later
    "dropped"     no answer, not delivered
    "hangs"       nothing for a long time, not delivered
    """

    def __init__(self, travel: Callable[[], Awaitable[None]]) -> None:
        self.connections: dict[str, Connection] = {}
        self.accident: Callable[[str], Accident] = lambda _: None
        self.posts = 0
        self._travel = travel

    async def post_to_connection(self, *, ConnectionId: str, Data: bytes) -> None:  # noqa: N803 - the SDK's
        self.posts += 1
        await self._travel()
        accident = self.accident("PostToConnection")
        connection = self._opened(ConnectionId, "PostToConnection")
        if isinstance(accident, int):
            raise _refusal(accident, "PostToConnection")
        if accident in (None, "lost"):
            connection.deliver(Data)
        elif accident == "late":
            asyncio.get_running_loop().call_later(3.0, connection.deliver, Data)
        elif accident == "hangs":
            await asyncio.sleep(60)
        await self._travel()
        if accident is not None:
            raise ReadTimeoutError(endpoint_url="https://gateway.test")

    async def delete_connection(self, *, ConnectionId: str) -> None:  # noqa: N803 - the SDK's
        await self._travel()
        accident = self.accident("DeleteConnection")
        connection = self._opened(ConnectionId, "DeleteConnection")
        if isinstance(accident, int):
            raise _refusal(accident, "DeleteConnection")
        if accident not in ("dropped", "hangs"):
            connection.close()
        await self._travel()
        if accident is not None:
            raise ReadTimeoutError(endpoint_url="https://gateway.test")

    def _opened(self, connection_id: str, operation: str) -> Connection:
        connection = self.connections.get(connection_id)
        if connection is None or not connection.is_open:
            raise _refusal(410, operation)
        return connection


def _refusal(status: int, operation: str) -> ClientError:
    codes = {410: "GoneException", 413: "PayloadTooLargeException", 429: "LimitExceededException"}
    error = {"Error": {"Code": codes.get(status, "InternalServerError")}}
    return ClientError({**error, "ResponseMetadata": {"HTTPStatusCode": status}}, operation)  # pyright: ignore[reportArgumentType]
