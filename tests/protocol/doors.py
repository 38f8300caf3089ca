"""Three doors to the protocol: the reference server, our gateway over real sockets, our handler by itself."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin, Subprotocol

from tests.clients.stack import Stack
from tests.protocol.frames import short
from tests.protocol.row import Row, Step
from tests.realtime.stage import Client, Stage

PATIENCE_SECONDS = 10.0
SILENCE_SECONDS = 0.1


class Session(Protocol):
    """One client's connection, in the words of the table."""

    async def send(self, step: Step) -> None: ...
    async def take(self, count: int) -> list[str]:
        """The next answers, fewer if no more come in time."""
        ...

    async def rest(self) -> list[str]:
        """What else was answered."""
        ...

    async def settle(self) -> None:
        """Wait until everything that was sent has been handled."""
        ...


class SocketSession:
    """Over a real socket; `words` stand for tokens in the frames."""

    def __init__(
        self, words: Mapping[str, str], settle: Callable[[], Awaitable[None]], opening: list[str]
    ) -> None:
        self.socket: ClientConnection | None = None
        self._words = words
        self._settle = settle
        self._answers = opening
        self._has_closed = False

    async def send(self, step: Step) -> None:
        assert self.socket is not None
        # The server may close at the first of several frames.
        with suppress(ConnectionClosed):
            for frame in step.frames:
                said = replaced(frame, self._words) if isinstance(frame, str) else frame
                await self.socket.send(said, text=True if step.is_text else None)

    async def take(self, count: int) -> list[str]:
        while len(self._answers) < count and await self._receive(PATIENCE_SECONDS):
            pass
        taken, self._answers = self._answers[:count], self._answers[count:]
        return taken

    async def rest(self) -> list[str]:
        while await self._receive(SILENCE_SECONDS):
            pass
        return self._answers

    async def settle(self) -> None:
        with suppress(ConnectionClosed):
            if self.socket is not None:
                await (await self.socket.ping())
        await self._settle()

    async def _receive(self, seconds: float) -> bool:
        """Whether another answer came in that time."""
        if self.socket is None or self._has_closed:
            return False
        try:
            async with asyncio.timeout(seconds):
                self._answers.append(short(str(await self.socket.recv())))
        except TimeoutError:
            return False
        except ConnectionClosed:
            self._has_closed = True
            self._answers.append(f"close {self.socket.close_code}")
        return True


class HandlerSession:
    """API Gateway's events handed to the handler; several frames of a step side by side."""

    def __init__(self, stage: Stage, client: Client, words: Mapping[str, str], opening: list[str]) -> None:
        self._stage = stage
        self._client = client
        self._words = words
        self._answers = opening
        self._has_closed = bool(opening)

    async def send(self, step: Step) -> None:
        said = [replaced(frame, self._words) for frame in step.frames if isinstance(frame, str)]
        await asyncio.gather(*map(self._client.send_text, said))
        await self._stage.pump()
        self._answers += [short(json.dumps(frame)) for frame in self._client.taken()]
        if not self._client.is_open and not self._has_closed:
            self._has_closed = True
            self._answers.append("close 1000")

    async def take(self, count: int) -> list[str]:
        taken, self._answers = self._answers[:count], self._answers[count:]
        return taken

    async def rest(self) -> list[str]:
        return self._answers

    async def settle(self) -> None:
        return


def replaced(text: str, words: Mapping[str, str]) -> str:
    """The text with a token for each of its words."""
    for word, token in words.items():
        text = text.replace(word, token)
    return text


@asynccontextmanager
async def socket_session(
    address: str, row: Row, words: Mapping[str, str], settle: Callable[[], Awaitable[None]]
) -> AsyncIterator[Session]:
    protocols = [Subprotocol(replaced(name, words)) for name in row.protocols] or None
    origin = None if row.origin is None else Origin(replaced(row.origin, words))
    session = SocketSession(words, settle, [])
    options: dict[str, Any] = {"subprotocols": protocols, "origin": origin, "compression": None}
    try:
        async with connect(f"ws://{address}/graphql", max_size=None, **options) as socket:
            session.socket = socket
            yield session
    except InvalidStatus as refusal:
        yield SocketSession(words, settle, [f"http {refusal.response.status_code}"])


@asynccontextmanager
async def handler_session(stage: Stage, row: Row, words: Mapping[str, str]) -> AsyncIterator[Session]:
    client = Client(stage, f"socket-{next(stage.numbers)}=")
    headers = {"Sec-WebSocket-Protocol": replaced(", ".join(row.protocols), words)}
    response = await client.connect(**headers, **({} if row.origin is None else {"Origin": row.origin}))
    status = response["statusCode"]
    yield HandlerSession(stage, client, words, [] if status == 200 else [f"http {status}"])
    if client.is_open:
        await client.disconnect()


def idle(stack: Stack) -> Callable[[], Awaitable[None]]:
    """Waits until no invocation of the WebSocket door runs."""

    async def wait() -> None:
        # The frames before the ping have been read by now, but may not have become invocations yet.
        await asyncio.sleep(0.02)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while stack.door.running:  # noqa: ASYNC110 - the count is all there is
                await asyncio.sleep(0.005)

    return wait


async def pause() -> None:
    """The reference looks its caller up for 20 ms."""
    await asyncio.sleep(0.04)
