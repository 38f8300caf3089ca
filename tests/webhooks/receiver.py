"""A receiver of webhooks on this machine: a real server that keeps what it is sent."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass(frozen=True)
class Received:
    """One request as it came."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def message(self) -> dict[str, Any]:
        return json.loads(self.body)

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def event(self) -> dict[str, Any]:
        """What its subscription answered for its one field."""
        ((_, event),) = self.message["data"]["data"].items()
        return event


@dataclass
class Receiver:
    """`answer` makes the response to each request; 204 at first."""

    port: int = 0
    received: list[Received] = field(default_factory=list[Received])
    answer: Callable[[Received], Awaitable[web.StreamResponse]] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def taken(self) -> list[Received]:
        """What came since the last look."""
        received, self.received = self.received, []
        return received

    def says(self, status: int, text: str = "", **headers: str) -> None:
        """Answer so from now on."""

        async def answer(_: Received) -> web.StreamResponse:
            return web.Response(status=status, text=text, headers=headers)

        self.answer = answer

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        received = Received(request.path, dict(request.headers), await request.read())
        self.received.append(received)
        await asyncio.sleep(0)
        return web.Response(status=204) if self.answer is None else await self.answer(received)


@asynccontextmanager
async def a_receiver() -> AsyncIterator[Receiver]:
    """A receiver on a free port of 127.0.0.1."""
    receiver = Receiver()
    runner = web.ServerRunner(web.Server(receiver._handle))  # pyright: ignore[reportArgumentType]
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.port = runner.addresses[0][1]
    try:
        yield receiver
    finally:
        await runner.cleanup()
