"""Messages to a queue of SQS: small ones, whose loss somebody else makes good."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from graphql_api.settings import Settings
from graphql_api.store.client import aws_client

MAX_BATCH = 10  # SendMessageBatch
MAX_DELAY = timedelta(minutes=15)  # of a message (SQS)
SEND_SECONDS = 1.0  # for ten messages; who sends has other work, that of others.


class UnsentError(Exception):
    """The queue did not take the messages, or not all."""


class Queue(Protocol):
    """Where messages go."""

    async def close(self) -> None: ...
    async def send(self, bodies: Sequence[str], delay: timedelta = timedelta()) -> None:
        """Send them, each to be received after the delay, in no order. Raises UnsentError."""
        ...


class SqsQueue:
    """The queue at `settings.webhook_queue_url`. Its client is made for the first message."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._resources = AsyncExitStack()
        self._making = asyncio.Lock()
        self._client: Any = None

    async def close(self) -> None:
        self._client = None
        await self._resources.aclose()

    async def send(self, bodies: Sequence[str], delay: timedelta = timedelta()) -> None:
        seconds = int(min(delay, MAX_DELAY).total_seconds())
        try:
            client = await self._made()
            for start in range(0, len(bodies), MAX_BATCH):
                async with asyncio.timeout(SEND_SECONDS):
                    await self._send(client, bodies[start : start + MAX_BATCH], seconds)
        except (BotoCoreError, ClientError, TimeoutError) as error:
            raise UnsentError from error

    async def _send(self, client: Any, bodies: Sequence[str], seconds: int) -> None:
        entries = [
            {"Id": str(number), "MessageBody": body, "DelaySeconds": seconds}
            for number, body in enumerate(bodies)
        ]
        answer = await client.send_message_batch(QueueUrl=self._settings.webhook_queue_url, Entries=entries)
        if answer.get("Failed"):
            raise UnsentError

    async def _made(self) -> Any:
        if self._settings.webhook_queue_url is None:
            raise UnsentError
        async with self._making:
            if self._client is None:
                client = aws_client("sqs", self._settings, attempts=1)
                self._client = await self._resources.enter_async_context(client)
        return self._client
