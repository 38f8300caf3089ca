"""The whole system as `serve` runs it, in this process: the real doors, gateway and stream pump."""

import asyncio
import dataclasses
import http.client
import json
import logging
import socket
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from graphql_api.auth.identity import Role
from graphql_api.changes.cursor import EventCursor
from graphql_api.handlers.events import MAX_SECONDS, WebSocketHandler
from graphql_api.local import demo, installation, keys, serve
from graphql_api.local.gateway import Faults, WebSocketGateway
from graphql_api.local.installation import AUDIENCE, GATEWAY_PATH, ISSUER, Installation
from graphql_api.store.cursor import Seals
from graphql_api.store.keys import tenant_family
from tests.local.served import eventually

TENANT = "acme"
# What the web server says of a frame that it closes 1007 for, and of every handshake that we refuse; on AWS
# both are API Gateway's.
OF_THE_WEB_SERVER = (
    "Invalid UTF-8 sequence received from client.",
    "ASGI callable returned without completing handshake.",
)


@dataclass
class Door:
    """The connections that were opened, what clients said, and how many events are being handled."""

    connections: list[str] = field(default_factory=list[str])
    messages: list[str] = field(default_factory=list[str])
    running: int = 0

    def note(self, event: dict[str, Any]) -> None:
        """Keep what an event says of that."""
        context = event["requestContext"]
        if context["eventType"] == "CONNECT":
            self.connections.append(context["connectionId"])
        if context["eventType"] == "MESSAGE":
            self.messages.append(event["body"])


@dataclass
class Echo(Faults):
    """While it sounds, the gateway delivers each frame twice, as it may after an answer that was lost."""

    sounds: bool = False

    async def post(self, connection_id: str, frame: str, deliver: Callable[[], int]) -> int:
        return (deliver() and deliver()) if self.sounds else deliver()


@dataclass(frozen=True)
class Stack:
    """A running installation at `address`, `host:port`."""

    address: str
    installation: Installation
    door: Door
    echo: Echo

    def token(self, role: Role = Role.MEMBER, lifetime: int = 3600) -> str:
        """A token of the demo tenant; `lifetime` in seconds."""
        person = demo.TENANTS[0].person(role)
        return self.installation.issuer.mint_token(
            issuer=ISSUER,
            audience=AUDIENCE,
            subject=person.uid(TENANT),
            roles=[role],
            tenant=TENANT,
            lifetime=lifetime,
        )

    def expired_token(self) -> str:
        """A token of two hours ago, good for one."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(keys, "time", SimpleNamespace(time=lambda: time.time() - 7200))
            return self.token()

    def foreign_cursor(self) -> str:
        """A cursor of a log that is not there any more, as after the tenant's data was restored."""
        seals = Seals([self.installation.cursor_secret])
        return EventCursor("an earlier log", 7).seal(seals, tenant_family(TENANT))

    async def data(self, query: str, role: Role = Role.MANAGER, **variables: Any) -> Any:
        """The data of an operation over HTTP that must not fail."""
        body = json.dumps({"query": query, "variables": variables})
        headers = {"content-type": "application/json", "authorization": f"Bearer {self.token(role)}"}
        status, answer = await asyncio.to_thread(self._request, "POST", "/graphql", body, headers)
        payload = json.loads(answer)
        assert (status, payload.get("errors")) == (200, None), payload
        return payload["data"]

    async def close(self, connection_id: str) -> None:
        """Close a connection over the management API, as the product does."""
        assert await self._manage("DELETE", connection_id) == 204

    async def post(self, connection_id: str, frame: str) -> None:
        """Send a client a frame over the management API."""
        assert await self._manage("POST", connection_id, frame) == 200

    async def _manage(self, method: str, connection_id: str, body: str | None = None) -> int:
        path = f"{GATEWAY_PATH}/@connections/{connection_id}"
        status, _ = await asyncio.to_thread(self._request, method, path, body, _SIGNED)
        return status

    def _request(
        self, method: str, path: str, body: str | None, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        with closing(http.client.HTTPConnection(self.address, timeout=30)) as connection:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response.status, response.read()


_SIGNED = {"authorization": "AWS4-HMAC-SHA256 Credential=test"}


@asynccontextmanager
async def open_stack(endpoint: str, directory: Path) -> AsyncIterator[Stack]:
    """A stack over that engine, with tables and a state directory of its own and little demo data."""
    door, echo = Door(), Echo()
    with pytest.MonkeyPatch.context() as patch:
        _make_it_small(patch)
        patch.setattr(serve, "WebSocketHandler", _watching(door))
        patch.setattr(serve, "WebSocketGateway", partial(WebSocketGateway, faults=echo))
        listener = socket.create_server(("127.0.0.1", 0))
        installed = Installation.at(directory)
        app = serve.create_local_app(installed, listener.getsockname()[1], endpoint)
        server = serve.LocalServer(app)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        await eventually(lambda: server.started or serving.done())
        try:
            yield Stack(f"127.0.0.1:{listener.getsockname()[1]}", installed, door, echo)
        finally:
            server.should_exit = True
            await serving


def _make_it_small(patch: pytest.MonkeyPatch) -> None:
    name = f"test-{uuid.uuid4().hex[:12]}"
    patch.setattr(installation, "TABLE_NAME", name)
    patch.setattr(installation, "CONTROL_TABLE_NAME", f"{name}-control")
    small = tuple(dataclasses.replace(tenant, projects=tenant.projects[:1]) for tenant in demo.TENANTS)
    patch.setattr(demo, "TENANTS", small)
    patch.setattr(serve, "banner", lambda *_: "")
    patch.setenv("AWS_ACCESS_KEY_ID", "test")
    patch.setenv("AWS_SECRET_ACCESS_KEY", "test")


def _watching(door: Door) -> type[WebSocketHandler]:
    class Watched(WebSocketHandler):
        async def handle(self, event: Any, seconds: float = MAX_SECONDS) -> dict[str, Any]:
            door.note(event)
            door.running += 1
            try:
                return await super().handle(event, seconds)
            finally:
                door.running -= 1

    return Watched


def complaints(records: list[logging.LogRecord]) -> list[str]:
    """What a log says of failures: errors, and anything with a traceback."""
    return [
        f"{record.name}: {record.getMessage()} {record.exc_info or ''}"
        for record in records
        if (record.levelno >= logging.ERROR or record.exc_info) and record.msg not in OF_THE_WEB_SERVER
    ]
