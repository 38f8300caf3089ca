"""The webhooks' queue in the hand of a test: messages with delays, redelivered until they are done with."""

import itertools
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from graphql_api.store.queue import MAX_DELAY, UnsentError

VISIBILITY = timedelta(seconds=120)
BATCH = 10
Handle = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


@dataclass
class Message:
    """A message, and from when on it can be received."""

    id: str
    body: str
    visible_at: datetime
    receipts: int = 0


@dataclass
class Mailbox:
    """What SQS promises of a standard queue, by the clock of a test. `is_down` refuses what is sent."""

    now: Callable[[], datetime]
    messages: list[Message] = field(default_factory=list[Message])
    is_down: bool = False
    _numbers: Any = field(default_factory=lambda: itertools.count(1))

    async def close(self) -> None:
        return

    async def send(self, bodies: Sequence[str], delay: timedelta = timedelta()) -> None:
        assert timedelta() <= delay <= MAX_DELAY
        if self.is_down:
            raise UnsentError
        visible_at = self.now() + delay
        self.messages += [Message(f"message-{next(self._numbers)}", body, visible_at) for body in bodies]

    async def deliver(self, handle: Handle) -> int:
        """Hand on what can be received now, until nothing can; how many messages that were."""
        handed = 0
        while batch := [one for one in self.messages if one.visible_at <= self.now()][:BATCH]:
            await self.hand_on(batch, handle)
            handed += len(batch)
        return handed

    async def hand_on(self, batch: Sequence[Message], handle: Handle) -> None:
        """One invocation with these messages; what it does not fail is done with."""
        for message in batch:
            message.visible_at, message.receipts = self.now() + VISIBILITY, message.receipts + 1
        answer = await handle({"Records": [_record(message) for message in batch]})
        failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        done = {message.id for message in batch} - failed
        self.messages = [message for message in self.messages if message.id not in done]

    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(message.body) for message in self.messages]


def _record(message: Message) -> dict[str, Any]:
    return {
        "messageId": message.id,
        "body": message.body,
        "attributes": {"ApproximateReceiveCount": str(message.receipts)},
        "eventSource": "aws:sqs",
    }
