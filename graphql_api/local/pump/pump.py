"""The pump: a reader for each shard of a table's stream, for as long as it runs."""

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import AsyncExitStack, suppress
from types import TracebackType
from typing import Any, Self, TypeVar

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

from graphql_api.local.pump.mapping import Discarded, EventSourceMapping, Handler, MappingSettings
from graphql_api.local.pump.record import sequence_number
from graphql_api.local.pump.shard import Shard, ShardReader, list_shards, readable
from graphql_api.store.client import client_config

# Between two reads of a shard: after records, and at most. Lambda itself reads four times a second.
BUSY_SECONDS, IDLE_SECONDS = 0.02, 0.1
DISCOVERY_SECONDS = 1.0
RETRY_SECONDS = 0.2

T = TypeVar("T")

_SESSION = get_session()
# No repetitions of the SDK's: one could reach an engine that has restarted, with an iterator from before.
_CONFIG = client_config(validate_parameters=False).merge(AioConfig(retries={"total_max_attempts": 1}))
_log = logging.getLogger(__name__)


class StreamPump:
    """Reads the stream of `table_name` and delivers its records to `handler`, as Lambda does.

    It begins with the oldest record there is and, while the object lives, skips none: not over a stop and
    start, not over errors of the engine. Records of one shard are delivered in order, one batch at a time; a
    record may be delivered again. What it gives up is in `on_failure`.
    """

    def __init__(
        self,
        handler: Handler,
        *,
        table_name: str,
        region: str,
        endpoint: str | None,
        settings: MappingSettings | None = None,
    ) -> None:
        self._settings = settings or MappingSettings()
        self._stopping = asyncio.Event()
        self._mapping = EventSourceMapping(handler, self._settings, self._stopping)
        self._table_name = table_name
        self._region = region
        self._endpoint = endpoint
        self._clients = AsyncExitStack()
        self._dynamodb: Any = None
        self._streams: Any = None
        self._settled: dict[Shard, str] = {}
        self._finished: set[Shard] = set()
        self._running: asyncio.Task[None] | None = None
        self._trouble = ""

    @property
    def on_failure(self) -> list[Discarded]:
        """The on-failure queue, oldest first."""
        return self._mapping.on_failure

    async def redrive(self) -> None:
        """Deliver what is in the on-failure queue once more, beside the stream."""
        await self._mapping.redrive()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Begin to read; the table need not exist yet, nor the engine answer."""
        self._stopping.clear()
        self._dynamodb, self._streams = [await self._open(name) for name in ("dynamodb", "dynamodbstreams")]
        self._running = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Read no more, and return once the invocations that run have ended."""
        self._stopping.set()
        if self._running:
            await self._running
        await self._clients.aclose()

    async def _open(self, service: str) -> Any:
        client: Any = _SESSION.create_client(
            service,
            region_name=self._region,
            endpoint_url=self._endpoint,
            config=_CONFIG,
        )
        return await self._clients.enter_async_context(client)

    async def _run(self) -> None:
        reading: dict[Shard, asyncio.Task[bool]] = {}
        stopping = asyncio.create_task(self._stopping.wait())
        while not self._stopping.is_set():
            found = await self._attempt(self._discover())
            if found is None:
                continue
            for shard in found:
                if shard not in reading:
                    reading[shard] = asyncio.create_task(self._drain(shard))
            awaited = {stopping, *reading.values()}
            await asyncio.wait(awaited, timeout=DISCOVERY_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            for shard in [shard for shard, task in reading.items() if task.done()]:
                if await self._attempt(reading.pop(shard)):
                    self._finished.add(shard)
        await asyncio.gather(*reading.values(), return_exceptions=True)

    async def _discover(self) -> list[Shard]:
        description = await self._dynamodb.describe_table(TableName=self._table_name)
        stream_arn = description["Table"].get("LatestStreamArn")
        return readable(await list_shards(self._streams, stream_arn), self._finished) if stream_arn else []

    async def _drain(self, shard: Shard) -> bool:
        """Until the shard is closed and has been delivered, which is True, or the pump stops."""
        reader = ShardReader(self._streams, shard, self._settings.batch_size)
        pause = BUSY_SECONDS
        while not self._stopping.is_set():
            records, is_last = await reader.read(self._settled.get(shard))
            self._trouble = ""
            settled = await self._mapping.deliver(shard.shard_id, records) if records else 0
            if settled:
                self._settled[shard] = sequence_number(records[settled - 1])
            if is_last and settled == len(records):
                return True
            pause = BUSY_SECONDS if records else min(pause * 1.5, IDLE_SECONDS)
            await self._pause(pause)
        return False

    async def _attempt(self, work: Coroutine[Any, Any, T] | asyncio.Task[T]) -> T | None:
        """Its result; None, and a pause, if it failed. The place in each shard is kept meanwhile."""
        [outcome] = await asyncio.gather(work, return_exceptions=True)
        if not isinstance(outcome, BaseException):
            return outcome
        if self._trouble != repr(outcome):
            self._trouble = repr(outcome)  # told once, not five times a second
            _log.warning("The stream cannot be read; trying again.", exc_info=outcome)
        await self._pause(RETRY_SECONDS)
        return None

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
