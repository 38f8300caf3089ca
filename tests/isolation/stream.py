"""The data table's stream, read by hand: each tenant's records have numbers and times of its own."""

from collections import Counter
from typing import Any

from tests.isolation.party import RECORD
from tests.isolation.sources import Sources
from tests.world import CALLER


class Stream:
    """What a table's stream holds, in Lambda's shape. Tenants' records have equal ids, as if each tenant had
    a stream to itself: no id may be trusted to be unlike another's.
    """

    def __init__(self, client: Any, sources: Sources) -> None:
        self.numbers: Counter[str] = Counter()
        self._client = client
        self._sources = sources
        self._iterator = ""

    async def open(self, table: str) -> None:
        """From what comes next on."""
        (stream,) = (await self._client.list_streams(TableName=table))["Streams"]
        arn = stream["StreamArn"]
        (shard,) = (await self._client.describe_stream(StreamArn=arn))["StreamDescription"]["Shards"]
        begun = await self._client.get_shard_iterator(
            StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )
        self._iterator = begun["ShardIterator"]
        await self._read()

    async def records(self) -> list[dict[str, Any]]:
        """What came since the last look."""
        return [self._record(record) for record in await self._read()]

    async def _read(self) -> list[dict[str, Any]]:
        """It is read often, so one page holds all."""
        answer = await self._client.get_records(ShardIterator=self._iterator)
        self._iterator = answer["NextShardIterator"]
        return answer["Records"]

    def _record(self, record: dict[str, Any]) -> dict[str, Any]:
        owner = owner_of_record(record)
        family = record["dynamodb"]["Keys"]["pk"]["S"][:1] + owner
        self.numbers[family] += 1
        number = self.numbers[family]
        mark = CALLER.set(owner)
        seen_at = self._sources.now().timestamp()
        CALLER.reset(mark)
        written = {
            **record["dynamodb"],
            "ApproximateCreationDateTime": seen_at,
            "SequenceNumber": str(number),
        }
        return {**record, "eventID": f"{RECORD}{number:05}", "dynamodb": written}


def owner_of_record(record: dict[str, Any]) -> str:
    """The slug of the tenant that it concerns: P#REGISTRATION#<slug> and T#<slug>#... have it as well."""
    kind, *path = record["dynamodb"]["Keys"]["pk"]["S"].split("#")
    return path[0] if kind == "T" else path[-1]
