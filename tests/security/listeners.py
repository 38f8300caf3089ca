"""Subscriptions as the matrix asks for them: each caller has a socket, through the WebSocket door."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

from tests.features.builders import done
from tests.realtime.stage import Client, Stage
from tests.security.permission_requests import CANARY, Stock
from tests.world import CALLER, World

Frames = list[dict[str, Any]]

_NUMBERS = count(1)


@dataclass
class Listener:
    """One caller's socket, or nobody's, with one subscription at a time."""

    caller: World
    client: Client
    operation: str = ""

    @classmethod
    async def open(cls, stage: Stage, caller: World) -> "Listener":
        listener = cls(caller, await stage.client())
        await listener._send({"type": "connection_init", "payload": caller.caller.headers})
        assert listener.client.taken() == [{"type": "connection_ack"}]
        return listener

    async def subscribe(self, document: str) -> None:
        self.operation = str(next(_NUMBERS))
        await self._send({"id": self.operation, "type": "subscribe", "payload": {"query": document}})

    async def complete(self) -> Frames:
        """What the subscription was sent, which ends with it."""
        await self._send({"id": self.operation, "type": "complete"})
        assert self.client.is_open
        frames = self.client.taken()
        assert all(frame["id"] == self.operation for frame in frames)
        return frames

    async def _send(self, message: dict[str, Any]) -> None:
        mark = CALLER.set(self.caller.caller.tenant)
        try:
            await self.client.send(message)
        finally:
            CALLER.reset(mark)


async def happen(stage: Stage, stock: Stock, document: str) -> None:
    """What the subscription is about happens to a tenant's things, and all who listen are told."""
    (change,) = [make for field, make in _CHANGES.items() if f" {field}" in document]
    await change(stock)
    await stage.pump()


async def _retitle(stock: Stock) -> None:
    title = f"{CANARY} {next(_NUMBERS)}"
    await done(stock.admin, "updateTask", "task { id }", id=stock.things["task"], title=title)


async def _rename(stock: Stock) -> None:
    name = f"{CANARY} {next(_NUMBERS)}"
    await done(stock.admin, "updateProject", "project { id }", id=stock.things["project"], name=name)


async def _reword(stock: Stock) -> None:
    body = f"{CANARY} {next(_NUMBERS)}"
    await done(stock.admin, "updateComment", "comment { id }", id=stock.things["comment"], body=body)


_CHANGES: dict[str, Callable[[Stock], Awaitable[None]]] = {
    "taskChanged": _retitle,
    "projectChanged": _rename,
    "commentChanged": _reword,
}
