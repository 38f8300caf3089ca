"""Sockets in memory: what API Gateway would tell the product of each, and what each was sent."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import orjson

from graphql_api.deadline import Deadline
from graphql_api.handlers.events import WebSocketHandler
from graphql_api.realtime.gateway import GoneError
from tests.asgi import Reply
from tests.isolation.party import plain
from tests.isolation.request import TENANT_HEADERS, Request
from tests.world import CALLER, Caller

SUBPROTOCOL = "graphql-transport-ws"
MAX_HELD = 12


class Client:
    """One caller's socket. `frames` are what came and nobody has taken, each with what was said to have it;
    `held` are its subscriptions by id, each with its root field. A socket that ends is followed by a new one.
    """

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.connection_id: str | None = None
        self.frames: list[tuple[dict[str, Any], str]] = []
        self.held: dict[str, str] = {}
        self.lock = asyncio.Lock()
        self._said: dict[str, str] = {}
        self._said_last = ""

    def hear(self, frame: dict[str, Any]) -> None:
        # At once: the same id may ask for something else before the frame is looked at.
        self.frames.append((frame, self._said.get(frame.get("id", ""), self._said_last)))
        if frame["type"] in ("error", "complete"):
            self.held.pop(frame["id"], None)

    def says(self, message: dict[str, Any]) -> None:
        """Remember what is said, which an answer may repeat."""
        self._said_last = plain(message)
        if "id" in message:
            self._said[message["id"]] = self._said_last


class Gateway:
    """The other end of every socket. The id that was freed last is the next one to be given."""

    def __init__(self) -> None:
        self._clients: dict[str, Client] = {}
        self._free: list[str] = []
        self._made = 0

    async def open(self) -> None:
        return

    async def close(self) -> None:
        return

    async def post(self, connection_id: str, data: bytes, deadline: Deadline) -> None:
        if connection_id not in self._clients:
            raise GoneError
        self._clients[connection_id].hear(json.loads(data))

    async def disconnect(self, connection_id: str, deadline: Deadline) -> None:
        self._clients.pop(connection_id, None)

    def take(self, client: Client) -> str:
        """An id for a client that connects."""
        if not self._free:
            self._made += 1
            self._free.append(f"socket-{self._made}=")
        client.connection_id = self._free.pop()
        self._clients[client.connection_id] = client
        return client.connection_id

    def is_open(self, client: Client) -> bool:
        return client.connection_id is not None and self._clients.get(client.connection_id) is client

    def free(self, client: Client) -> None:
        """Of a socket whose end the product has been told."""
        if client.connection_id is not None:
            self._clients.pop(client.connection_id, None)
            self._free.append(client.connection_id)
        client.connection_id, client.held = None, {}


class Sockets:
    """A socket for each caller who needs one, through the product's WebSocket door."""

    def __init__(self, door: WebSocketHandler, gateway: Gateway) -> None:
        self._door = door
        self._gateway = gateway
        self._clients: dict[Caller, Client] = {}

    async def ask(self, caller: Caller, headers: dict[str, str], request: Request, request_id: str) -> Reply:
        """What an operation is answered, as if over HTTP; of a subscription whether it is refused."""
        client = self._clients.setdefault(caller, Client(caller))
        async with client.lock:
            await self._ready(client, headers, request, request_id)
            before = len(client.frames)
            if request.is_subscription:
                client.held[request_id] = request.root
            message = {"id": request_id, "type": "subscribe", "payload": request.payload, **request.claims}
            await self._say(client, message, request_id)
            answer = _answer(client.frames[before:], request_id, is_event=request.is_subscription)
        return Reply(200, {"x-request-id": request_id}, orjson.dumps(answer))

    async def say(self, caller: Caller, text: str) -> None:
        """Say anything over a socket that is open."""
        client = self._clients.setdefault(caller, Client(caller))
        async with client.lock:
            if self._gateway.is_open(client):
                await self._event(client, "MESSAGE", "noise", body=text)

    async def hang_up(self, tenant: str | None) -> None:
        """End the sockets of a tenant, for the clients' part."""
        for client in list(self._of(tenant)):
            async with client.lock:
                await self._end(client)

    def taken(self, tenant: str | None) -> Iterator[tuple[Client, dict[str, Any], str]]:
        """The frames that came to the tenant's clients since the last look, one client's after another's, and
        what each answers.
        """
        for client in self._of(tenant):
            frames, client.frames = client.frames, []
            yield from ((client, frame, said) for frame, said in frames)

    def _of(self, tenant: str | None) -> Iterator[Client]:
        mine = [client for client in self._clients.values() if client.caller.tenant == tenant]
        return iter(sorted(mine, key=lambda client: str(client.caller)))

    async def _ready(
        self, client: Client, headers: dict[str, str], request: Request, request_id: str
    ) -> None:
        """Connected, with room for the operation; who names a tenant does it in a ping as well."""
        if not self._gateway.is_open(client):
            await self._end(client)
            await self._connect(client, headers, request)
        outdated = [*list(client.held)[: 1 - MAX_HELD], *({request_id} & client.held.keys())]
        for operation_id in dict.fromkeys(outdated):
            del client.held[operation_id]
            await self._say(client, {"type": "complete", "id": operation_id}, operation_id)
        if request.claimed:
            await self._say(client, {"type": "ping", "payload": {**request.claims}}, "ping")

    async def _connect(self, client: Client, headers: dict[str, str], request: Request) -> None:
        self._gateway.take(client)
        named = {name: request.claimed for name in TENANT_HEADERS if request.claimed}
        await self._event(
            client, "CONNECT", "connect", headers={"sec-websocket-protocol": SUBPROTOCOL, **named}
        )
        await self._say(client, {"type": "connection_init", "payload": {**headers, **request.claims}}, "init")

    async def _end(self, client: Client) -> None:
        if client.connection_id is not None:
            await self._event(client, "DISCONNECT", "disconnect")
            self._gateway.free(client)

    async def _say(self, client: Client, message: dict[str, Any], request_id: str) -> None:
        client.says(message)
        await self._event(client, "MESSAGE", request_id, body=json.dumps(message))

    async def _event(self, client: Client, event_type: str, request_id: str, **more: Any) -> None:
        context = {"eventType": event_type, "connectionId": client.connection_id, "requestId": request_id}
        mark = CALLER.set(client.caller.tenant)
        try:
            await self._door.handle({"requestContext": context, **more})
        finally:
            CALLER.reset(mark)


def _answer(frames: list[tuple[dict[str, Any], str]], operation_id: str, *, is_event: bool) -> dict[str, Any]:
    own = [frame for frame, _ in frames if frame.get("id") == operation_id]
    for frame in own:
        if frame["type"] == "error":
            return {"errors": frame["payload"]}
        if frame["type"] == "next" and not is_event:
            return frame["payload"]
    return {"data": None}
