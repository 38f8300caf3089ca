"""Routes behind a real server on a free port, and waiting for what other tasks do."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.routing import BaseRoute

PATIENCE_SECONDS = 10.0


@asynccontextmanager
async def served(routes: Sequence[BaseRoute], port: int = 0) -> AsyncGenerator[str]:
    """`host:port` of a server with these routes, set up as the gateway wants it."""
    listener = socket.create_server(("127.0.0.1", port))
    config = uvicorn.Config(
        Starlette(routes=routes),
        log_config=None,
        ws="websockets-sansio",
        ws_ping_interval=None,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    await eventually(lambda: server.started)
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


async def eventually(condition: Callable[[], object]) -> None:
    """Returns as soon as it holds."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():  # noqa: ASYNC110 - what is waited for sets no event
            await asyncio.sleep(0.005)
