"""From a commit to its frame: gateway, pump and functions of one machine, and a WebSocket client."""

import asyncio
import dataclasses
import json
import random
import socket
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from starlette.applications import Starlette
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from bench.fanout.questions import same
from bench.fanout.system import System
from bench.tenant import Session
from graphql_api.bootstrap import Services
from graphql_api.handlers.events import StreamHandler, WebSocketHandler
from graphql_api.local.gateway import WebSocketGateway
from graphql_api.local.pump import StreamPump
from graphql_api.realtime.gateway import ApiGateway
from graphql_api.realtime.messages import SUBPROTOCOL

FRAME_SECONDS = 10.0
QUIET_SECONDS = 0.5
MAX_PAUSE = 0.1  # between changes: the pump shall be met at any moment of its own pause


async def latencies(system: System, changes: int) -> list[float]:
    """Seconds from a mutation's return to its frame, of so many changes. Raises TimeoutError."""
    project_id, task = await system.new_project()
    seconds: list[float] = []
    async with _served(system) as (services, address), _client(system, address) as client:
        session = Session(services, system.sample.admin)
        await _subscribe(client, session, project_id, task["id"])
        for number in range(changes):
            await asyncio.sleep(random.uniform(0, MAX_PAUSE))  # noqa: S311 - jitter, not a secret
            await _change(session, task["id"], f"Reading {number}")
            committed = time.perf_counter()
            await asyncio.wait_for(client.recv(), FRAME_SECONDS)
            seconds.append(time.perf_counter() - committed)
    return seconds


@asynccontextmanager
async def _served(system: System) -> AsyncGenerator[tuple[Services, str]]:
    """What serves one machine, and its address; the pump has come to the end of the stream."""
    listener = socket.create_server(("127.0.0.1", 0))
    address = f"127.0.0.1:{listener.getsockname()[1]}"
    settings = dataclasses.replace(
        system.services(system.nowhere).settings, connections_endpoint=f"http://{address}/_gateway"
    )
    services = system.services(ApiGateway(settings))
    gateway = WebSocketGateway(WebSocketHandler(services).handle, stage="bench")
    app = Starlette(routes=gateway.routes("/graphql", "/_gateway"))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, ws="websockets-sansio"))
    await services.gateway.open()
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        async with _pumped(services, await system.catch_up()):
            yield services, address
            await gateway.close()
    finally:
        server.should_exit = True
        await serving
        await services.gateway.close()


@asynccontextmanager
async def _pumped(services: Services, records: int) -> AsyncGenerator[None]:
    """A pump that has handled so many records."""
    handler, settings = StreamHandler(services), services.settings
    waiting, caught_up = records, asyncio.Event()

    async def handle(event: dict[str, Any]) -> dict[str, Any]:
        nonlocal waiting
        response = await handler.handle(event)
        waiting -= len(event["Records"])
        if waiting <= 0:
            caught_up.set()
        return response

    async with StreamPump(
        handle,
        table_name=settings.table_name,
        region=settings.region,
        endpoint=settings.dynamodb_endpoint,
    ):
        await asyncio.wait_for(caught_up.wait(), FRAME_SECONDS)
        yield


@asynccontextmanager
async def _client(system: System, address: str) -> AsyncGenerator[ClientConnection]:
    """A client that is signed in."""
    url, protocol = f"ws://{address}/graphql", Subprotocol(SUBPROTOCOL)
    async with connect(url, subprotocols=[protocol], compression=None) as client:
        signed_in = {"authorization": f"Bearer {system.admin_token}"}
        await client.send(json.dumps({"type": "connection_init", "payload": signed_in}))
        await asyncio.wait_for(client.recv(), FRAME_SECONDS)
        yield client


async def _subscribe(client: ClientConnection, session: Session, project_id: str, task_id: str) -> None:
    """Subscribe, which is not acknowledged, and return once events have come and no more are on their way."""
    message = {"id": "1", "type": "subscribe", "payload": same(0, project_id)}
    await client.send(json.dumps(message))
    frames = 0
    async with asyncio.timeout(FRAME_SECONDS * 3):
        while True:
            try:
                await asyncio.wait_for(client.recv(), QUIET_SECONDS)
                frames += 1
            except TimeoutError:
                if frames:
                    return
                await _change(session, task_id, "Reading before the first")


async def _change(session: Session, task_id: str, title: str) -> None:
    await session.mutate("updateTask", "task { id }", id=task_id, title=title)
