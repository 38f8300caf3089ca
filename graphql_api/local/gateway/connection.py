"""One client's socket: what comes from it, what is sent to it, and how it ends."""

import asyncio
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from starlette.types import Message
from starlette.websockets import WebSocket, WebSocketState

CLOSE_SECONDS = 2.0  # for a client to take its last frames; one that does not read is cut off


class Close(NamedTuple):
    """How a WebSocket ended (RFC 6455, section 7.4)."""

    code: int
    reason: str


ABNORMAL = Close(1006, "Connection closed abnormally")
NORMAL = Close(1000, "Connection closed normally")
GOING_AWAY = Close(1001, "Going away")
TOO_BIG = Close(1009, "Message too big")


@dataclass(frozen=True, slots=True)
class Limits:
    """API Gateway's quotas for WebSocket APIs, in bytes and seconds. How many frames it keeps for a client
    that does not read is not documented. Its 32 KB for one frame is not held: the server joins frames.
    """

    message_bytes: int = 128 * 1024
    idle_seconds: float = 10 * 60
    lifetime_seconds: float = 2 * 60 * 60
    integration_seconds: float = 29
    unsent_frames: int = 64


class Connection:
    """A client between its handshake and its close, with a queue of what is to be sent to it.

    `connected_at` and `last_active_at` are seconds since the epoch.
    """

    def __init__(self, socket: WebSocket, limits: Limits) -> None:
        self.id = new_id()
        self.socket = socket
        self.connected_at = self.last_active_at = time.time()
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._began = self._active = self._loop.time()
        self._unsent: asyncio.Queue[str | Close] = asyncio.Queue()
        self._ended: asyncio.Future[Close] = self._loop.create_future()

    def post(self, frame: str) -> bool:
        """Queue a frame; False if too many wait already."""
        if self._unsent.qsize() >= self._limits.unsent_frames:
            return False
        self._unsent.put_nowait(frame)
        self._touch()
        return True

    def end(self, close: Close) -> None:
        """Close it, once what was queued before has been sent or has had its time."""
        self._unsent.put_nowait(close)
        self._loop.call_later(CLOSE_SECONDS, self._settle, close)

    async def run(self, receive: Callable[[str], None]) -> Close:
        """Carry messages both ways until either side ends it; tells how."""
        tasks = [asyncio.create_task(work) for work in (self._read(receive), self._write(), self._expire())]
        for task in tasks:
            # Whichever direction breaks, the connection is over.
            task.add_done_callback(lambda _: self._settle(ABNORMAL))
        try:
            close = await self._ended
            if self.socket.client_state is WebSocketState.CONNECTED:
                await self._send_close(close)
            return close
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self, receive: Callable[[str], None]) -> None:
        while (message := await self.socket.receive())["type"] == "websocket.receive":
            data = message.get("bytes") or (message.get("text") or "").encode()
            if len(data) > self._limits.message_bytes:
                self._settle(TOO_BIG)
                return
            self._touch()
            receive(data.decode(errors="replace"))  # AWS makes text of a binary message too
        self._settle(_closed_by_client(message))

    async def _write(self) -> None:
        while isinstance(item := await self._unsent.get(), str):
            await self.socket.send_text(item)
        self._settle(item)

    async def _expire(self) -> None:
        seconds = self._remaining_seconds()
        while seconds > 0:
            await asyncio.sleep(seconds)
            seconds = self._remaining_seconds()
        self._settle(GOING_AWAY)

    async def _send_close(self, close: Close) -> None:
        # A client that does not read takes no close frame either, and one may vanish at any moment.
        with suppress(TimeoutError, OSError, RuntimeError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.socket.close(close.code, close.reason)

    def _remaining_seconds(self) -> float:
        end = min(self._began + self._limits.lifetime_seconds, self._active + self._limits.idle_seconds)
        return end - self._loop.time()

    def _settle(self, close: Close) -> None:
        if not self._ended.done():
            self._ended.set_result(close)

    def _touch(self) -> None:
        self.last_active_at, self._active = time.time(), self._loop.time()


def new_id() -> str:
    """As API Gateway's ids of connections, requests and messages look: 16 characters, the last one `=`."""
    return secrets.token_urlsafe(11) + "="


def _closed_by_client(message: Message) -> Close:
    # The server reports no reason, not even an empty one, where no close frame came.
    if message.get("reason") is None:
        return ABNORMAL
    return Close(int(message["code"]), message["reason"])
