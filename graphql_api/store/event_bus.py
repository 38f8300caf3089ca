"""Amazon EventBridge: events put on a bus, every one of them or an error."""

import asyncio
import json
import logging
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from graphql_api.settings import Settings
from graphql_api.store.client import aws_client

MAX_EVENTS = 10  # of a PutEvents
SOURCE = "graphql-api"
MAX_TRIES = 3
_PAUSE = 0.1  # seconds before the second try, doubled before the third

_log = logging.getLogger(__name__)


class NotTakenError(Exception):
    """Somebody was given something and did not take all of it; it is to be given again."""


@dataclass(frozen=True, slots=True)
class BusEvent:
    """`type` is such as `Task.UPDATED`; `detail` becomes JSON of a few hundred bytes; 256 KB may be."""

    at: datetime
    type: str
    detail: dict[str, Any]


class EventBus:
    """One bus, by name; its client is made when it is first given something."""

    def __init__(self, settings: Settings, name: str) -> None:
        self._settings = settings
        self._name = name
        self._resources = AsyncExitStack()
        self._client: Any = None

    async def put(self, events: Sequence[BusEvent]) -> None:
        """Put all of them, in order. Raises NotTakenError; some can be there then."""
        for start in range(0, len(events), MAX_EVENTS):
            await self._put([self._entry(event) for event in events[start : start + MAX_EVENTS]])

    async def close(self) -> None:
        self._client = None
        await self._resources.aclose()

    async def _put(self, entries: list[dict[str, Any]]) -> None:
        for attempt in range(MAX_TRIES):
            try:
                answer = await (await self._opened()).put_events(Entries=entries)
            except (BotoCoreError, ClientError) as error:
                raise NotTakenError("the bus does not answer") from error
            refused: list[str | None] = [each.get("ErrorCode") for each in answer["Entries"]]
            entries = [entry for entry, code in zip(entries, refused, strict=True) if code]
            if not entries:
                return
            _log.info("A bus did not take every event.", extra={"codes": sorted(filter(None, set(refused)))})
            await asyncio.sleep(_PAUSE * 2**attempt)
        raise NotTakenError(f"{len(entries)} events were refused")

    def _entry(self, event: BusEvent) -> dict[str, Any]:
        return {
            "EventBusName": self._name,
            "Source": SOURCE,
            "DetailType": event.type,
            "Time": event.at,
            "Detail": json.dumps(event.detail, separators=(",", ":")),
        }

    async def _opened(self) -> Any:
        if self._client is None:
            client = aws_client("events", self._settings)
            self._client = await self._resources.enter_async_context(client)
        return self._client
