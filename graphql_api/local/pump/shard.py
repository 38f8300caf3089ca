"""Reading a stream: which shards it has, and the records of one from where the last reader stopped."""

import asyncio
import logging
import math
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple, Protocol

from botocore.exceptions import ClientError

from graphql_api.local.pump.record import Record, lambda_record

# An iterator may stand for a position in an engine that has restarted since, empty; no restart is this fast.
TRUST_SECONDS = 0.2

_log = logging.getLogger(__name__)


class StreamsClient(Protocol):
    """The part of the DynamoDB Streams client that is used."""

    async def describe_stream(self, **arguments: Any) -> dict[str, Any]: ...
    async def get_shard_iterator(self, **arguments: Any) -> dict[str, Any]: ...
    async def get_records(self, **arguments: Any) -> dict[str, Any]: ...


class Shard(NamedTuple):
    stream_arn: str
    shard_id: str
    parent_id: str | None = None


class Page(NamedTuple):
    """Records in their order; after `is_last` the shard has no more, ever."""

    records: list[Record]
    is_last: bool


class ShardReader:
    """Reads a shard page by page, each after the record that the caller has come to."""

    def __init__(self, client: StreamsClient, shard: Shard, limit: int) -> None:
        self._client = client
        self._shard = shard
        self._limit = limit
        self._iterator: str | None = None
        self._read_at = -math.inf

    async def read(self, after: str | None) -> Page:
        """What follows the sequence number `after`, or the oldest; a reader that raised is of no more use."""
        loop = asyncio.get_running_loop()
        if self._iterator is None or loop.time() - self._read_at > TRUST_SECONDS:
            self._iterator = await self._open(after)
        answer = await self._client.get_records(ShardIterator=self._iterator, Limit=self._limit)
        self._read_at = loop.time()
        self._iterator = answer.get("NextShardIterator")
        records = [lambda_record(record, self._shard.stream_arn) for record in answer["Records"]]
        return Page(records, self._iterator is None)

    async def _open(self, after: str | None) -> str:
        if after is not None:
            try:
                return await self._iterator_at("AFTER_SEQUENCE_NUMBER", SequenceNumber=after)
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") != "TrimmedDataAccessException":
                    raise
                # Older than a day, or the engine was restarted: what is left begins behind it.
                _log.warning("The stream has forgotten its last record that was handled.")
        return await self._iterator_at("TRIM_HORIZON")

    async def _iterator_at(self, iterator_type: str, **position: str) -> str:
        answer = await self._client.get_shard_iterator(
            StreamArn=self._shard.stream_arn,
            ShardId=self._shard.shard_id,
            ShardIteratorType=iterator_type,
            **position,
        )
        return answer["ShardIterator"]


async def list_shards(client: StreamsClient, stream_arn: str) -> list[Shard]:
    """All shards of the stream that still hold records, closed ones included."""
    shards: list[Shard] = []
    page: dict[str, str] = {}
    while True:
        answer = await client.describe_stream(StreamArn=stream_arn, **page)
        description = answer["StreamDescription"]
        shards += [
            Shard(stream_arn, shard["ShardId"], shard.get("ParentShardId")) for shard in description["Shards"]
        ]
        if "LastEvaluatedShardId" not in description:
            return shards
        page = {"ExclusiveStartShardId": description["LastEvaluatedShardId"]}


def readable(shards: Sequence[Shard], finished: Collection[Shard]) -> list[Shard]:
    """Those whose turn it is: a parent's records come before its children's."""
    waiting = {shard.shard_id for shard in shards if shard not in finished}
    return [shard for shard in shards if shard not in finished and shard.parent_id not in waiting]
