"""A queue inside a process: what SQS promises of a standard one, and its mapping to a function."""

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from graphql_api.store.queue import MAX_DELAY

BATCH_SIZE, MAX_RECEIVES = 10, 5
MAX_INVOCATIONS = 5  # at once
VISIBILITY_SECONDS = 120.0
IDLE_SECONDS, SHUTDOWN_SECONDS = 0.1, 3.0

Handle = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Message:
    """A message, and when it can be received, by the loop's clock."""

    id: str
    body: str
    visible_at: float
    receives: int = 0


class LocalQueue:
    """Messages of this process; gone with it, as are their delays."""

    def __init__(self) -> None:
        self._messages: list[_Message] = []
        self._numbers = itertools.count(1)
        self.dead_letters: list[str] = []

    async def close(self) -> None:
        """There is nothing to close."""

    async def send(self, bodies: Sequence[str], delay: timedelta = timedelta()) -> None:
        visible_at = _clock() + min(delay, MAX_DELAY).total_seconds()
        self._messages += [_Message(f"message-{next(self._numbers)}", body, visible_at) for body in bodies]

    async def serve(self, handle: Handle) -> None:
        """Hand messages on until cancelled; invocations that run are given time to end."""
        running: set[asyncio.Task[None]] = set()
        try:
            while True:
                running = {task for task in running if not task.done()}
                if len(running) < MAX_INVOCATIONS and (batch := self._received()):
                    running.add(asyncio.create_task(self._invoke(handle, batch)))
                else:
                    await asyncio.sleep(IDLE_SECONDS)
        finally:
            if running:
                await asyncio.wait(running, timeout=SHUTDOWN_SECONDS)

    def _received(self) -> list[_Message]:
        batch = [message for message in self._messages if message.visible_at <= _clock()][:BATCH_SIZE]
        for message in batch:
            message.receives += 1
            message.visible_at = _clock() + VISIBILITY_SECONDS
        for spent in [message for message in batch if message.receives > MAX_RECEIVES]:
            batch.remove(spent)
            self._messages.remove(spent)
            self.dead_letters.append(spent.body)
            _log.error("A message was given up.", extra={"body": spent.body})
        return batch

    async def _invoke(self, handle: Handle, batch: Sequence[_Message]) -> None:
        records = [{"messageId": message.id, "body": message.body} for message in batch]
        answer = await handle({"Records": records})
        failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        done = {message.id for message in batch} - failed
        self._messages = [message for message in self._messages if message.id not in done]


def _clock() -> float:
    return asyncio.get_running_loop().time()
