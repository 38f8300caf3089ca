"""The event source mapping: batches of a shard to the function, and what happens when it fails."""

import asyncio
import json
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, NamedTuple, cast

from graphql_api.local.pump.record import Record, created_at, sequence_number

Handler = Callable[[dict[str, Any]], Awaitable[dict[str, Any] | None]]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingSettings:
    """The mapping's properties under AWS's names, with `ReportBatchItemFailures` always on; times in seconds.

    `function_timeout`: when a running function is cut off. `backoff`: the wait after the first failure, which
    doubles with each further one, and the longest wait.
    """

    batch_size: int = 100
    bisect_batch_on_function_error: bool = True
    maximum_retry_attempts: int = 5
    maximum_record_age: float = 24 * 60 * 60
    function_timeout: float = 60
    backoff: tuple[float, float] = (0.05, 1.0)


@dataclass(frozen=True, slots=True)
class Discarded:
    """Consecutive records that their shard went on without; `condition` is AWS's word for why."""

    shard_id: str
    records: tuple[Record, ...]
    condition: str
    attempts: int


class _Batch(NamedTuple):
    records: Sequence[Record]
    retries: int = 0


class EventSourceMapping:
    """Delivers batches to `handler`; `on_failure` holds what it gave up on, oldest first."""

    def __init__(self, handler: Handler, settings: MappingSettings, stopping: asyncio.Event) -> None:
        self.on_failure: list[Discarded] = []
        self._handler = handler
        self._settings = settings
        self._stopping = stopping

    async def deliver(self, shard_id: str, records: Sequence[Record], *, is_redrive: bool = False) -> int:
        """In order, until each is handled or discarded; how many are, which is all unless stopped meanwhile.

        A redriven record may be of any age.
        """
        pending, failures = deque([_Batch(records)]), 0
        while pending and not self._stopping.is_set():
            batch = pending.popleft()
            if not is_redrive and (expired := self._expired(batch)):
                self._discard(shard_id, batch.records[:expired], "RecordAgeExceeded", batch.retries)
                again = [_Batch(batch.records[expired:], batch.retries)]
            else:
                succeeded = await self._invoke(batch.records)
                failures = 0 if succeeded else failures + 1
                again = self._again(shard_id, batch, succeeded)
            pending.extendleft(batch for batch in reversed(again) if batch.records)
            await self._back_off(failures)
        return len(records) - sum(len(batch.records) for batch in pending)

    async def redrive(self) -> None:
        """Deliver again what was discarded; what fails again is discarded again. Nothing once stopped."""
        discarded, self.on_failure = deque(self.on_failure), []
        while discarded and not self._stopping.is_set():
            batch = discarded.popleft()
            settled = await self.deliver(batch.shard_id, batch.records, is_redrive=True)
            if left := batch.records[settled:]:
                self.on_failure.append(Discarded(batch.shard_id, left, batch.condition, batch.attempts))
        self.on_failure += discarded

    async def _invoke(self, records: Sequence[Record]) -> int:
        """How many of the first records the function has handled."""
        # Each invocation has an event of its own, as if it came over the wire.
        event = json.loads(json.dumps({"Records": list(records)}))
        invocation = asyncio.wait_for(self._handler(event), self._settings.function_timeout)
        [outcome] = await asyncio.gather(invocation, return_exceptions=True)
        if isinstance(outcome, BaseException):
            first = {"sequence_number": sequence_number(records[0]), "records": len(records)}
            _log.warning("The stream handler failed.", exc_info=outcome, extra=first)
            return 0
        return _handled(outcome, records)

    def _again(self, shard_id: str, batch: _Batch, succeeded: int) -> list[_Batch]:
        """What is to be delivered again. Splitting uses up no retry; what has none left is discarded."""
        records, retries = batch.records[succeeded:], batch.retries
        if not records:
            return []
        if self._settings.bisect_batch_on_function_error and len(batch.records) > 1:
            # At the record that was reported; in the middle if that was the first, or none.
            middle = 0 if succeeded else len(records) // 2
            return [_Batch(records[:middle], retries), _Batch(records[middle:], retries)]
        if retries >= self._settings.maximum_retry_attempts:
            self._discard(shard_id, records, "RetryAttemptsExhausted", retries + 1)
            return []
        return [_Batch(records, retries + 1)]

    def _expired(self, batch: _Batch) -> int:
        oldest = time.time() - self._settings.maximum_record_age
        return sum(1 for _ in takewhile(lambda record: created_at(record) < oldest, batch.records))

    def _discard(self, shard_id: str, records: Sequence[Record], condition: str, attempts: int) -> None:
        self.on_failure.append(Discarded(shard_id, tuple(records), condition, attempts))
        first = {"sequence_number": sequence_number(records[0]), "records": len(records)}
        _log.error("Stream records were given up.", extra={"condition": condition, **first})

    async def _back_off(self, failures: int) -> None:
        if failures:
            shortest, longest = self._settings.backoff
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), min(shortest * 2 ** (failures - 1), longest))


def _handled(response: object, records: Sequence[Record]) -> int:
    """As Lambda reads `ReportBatchItemFailures`: nothing reported is success, nonsense is failure.

    Everything from the earliest reported record on is to be delivered again, even what succeeded.
    """
    if response is None:
        return len(records)
    if not isinstance(response, dict):
        return 0
    failures: object = cast("dict[str, object]", response).get("batchItemFailures")
    if not failures:
        return len(records)
    if not isinstance(failures, list):
        return 0
    positions = {sequence_number(record): position for position, record in enumerate(records)}
    reported = cast("list[object]", failures)
    return min(positions.get(_identifier(failure), 0) for failure in reported)


def _identifier(failure: object) -> str:
    if not isinstance(failure, dict):
        return ""
    return str(cast("dict[str, object]", failure).get("itemIdentifier"))
