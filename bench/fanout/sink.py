"""Where frames are posted: a process that answers each POST with 200 and tells how many there were."""

import asyncio
import re
import subprocess
import sys
import urllib.request
from types import TracebackType
from typing import Self

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class SinkError(Exception):
    """The sink did not start."""


class Sink:
    """The process, as a context manager; `endpoint` is what a management API's client is given."""

    def __init__(self) -> None:
        self._port = 0

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.fanout.sink"],
            stdin=subprocess.PIPE,  # It ends when this closes.
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        told = self._process.stdout.readline()
        if not told:
            raise SinkError(f"exit code {self._process.wait()}")
        self._port = int(told)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.communicate()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._port}/bench"

    def taken(self) -> int:
        """The posts since the last time."""
        with urllib.request.urlopen(f"{self.endpoint}/taken") as answer:  # noqa: S310 - our own child
            return int(answer.read())


class _Posts(asyncio.Protocol):
    """One connection; requests follow each other on it."""

    count = 0

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._buffer[:end])
            length = _LENGTH.search(head)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self._buffer) < whole:
                return
            del self._buffer[:whole]
            self._answer(head)

    def _answer(self, head: bytes) -> None:
        assert self._transport is not None
        body = b""
        if head.startswith(b"POST"):
            _Posts.count += 1
        else:
            body, _Posts.count = b"%d" % _Posts.count, 0
        self._transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Posts, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve())
