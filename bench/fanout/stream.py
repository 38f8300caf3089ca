"""The table's stream, read by hand: what a change leaves there, as Lambda would deliver it."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from aiobotocore.session import get_session

from bench.tenant import BenchError
from graphql_api.changes.change import change_of
from graphql_api.local.pump.record import Record, lambda_record
from graphql_api.settings import Settings


class Stream:
    """The records of the stream, of which so many were `read`."""

    def __init__(self, client: Any, arn: str, iterator: str) -> None:
        self._client = client
        self._arn = arn
        self._iterator = iterator
        self.read = 0

    async def only_change(self) -> Record:
        """The one record since the last look that tells of a change. Raises BenchError."""
        changes = [record for record in await self.records() if change_of(record)]
        if len(changes) != 1:
            raise BenchError(f"{len(changes)} changes are in the stream")
        return changes[0]

    async def records(self) -> list[Record]:
        """All records since the last look."""
        found: list[Record] = []
        while True:
            answer = await self._client.get_records(ShardIterator=self._iterator)
            self._iterator = answer["NextShardIterator"]
            if not answer["Records"]:
                return found
            self.read += len(answer["Records"])
            found += [lambda_record(record, self._arn) for record in answer["Records"]]


@asynccontextmanager
async def open_stream(settings: Settings) -> AsyncGenerator[Stream]:
    """The stream of the data table, from its beginning."""
    async with get_session().create_client(
        "dynamodbstreams", region_name=settings.region, endpoint_url=settings.dynamodb_endpoint
    ) as client:
        arn = (await client.list_streams(TableName=settings.table_name))["Streams"][0]["StreamArn"]
        (shard,) = (await client.describe_stream(StreamArn=arn))["StreamDescription"]["Shards"]
        opened = await client.get_shard_iterator(
            StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )
        yield Stream(client, arn, opened["ShardIterator"])
