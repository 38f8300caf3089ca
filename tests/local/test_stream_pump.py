import asyncio
import json
import socket
import statistics
import time
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from aiobotocore.session import get_session

from graphql_api.local.dynamodb import EmbeddedDynamoDB
from graphql_api.local.pump import MappingSettings, StreamPump
from graphql_api.local.pump.record import lambda_record
from graphql_api.local.pump.shard import Shard, list_shards, readable
from tests.local.relay import relayed
from tests.local.served import PATIENCE_SECONDS, eventually

REGION = "us-east-1"
SESSION = get_session()
QUICK = (0.01, 0.02)

Answer = Callable[[Sequence[str]], Awaitable[Any]]


@dataclass
class Recorder:
    """A handler that keeps each event and when it came, and answers by the keys in it."""

    answer: Answer | None = None
    events: list[dict[str, Any]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    async def __call__(self, event: dict[str, Any]) -> dict[str, Any] | None:
        assert event["Records"]
        self.times.append(time.monotonic())
        self.events.append(json.loads(json.dumps(event)))
        keys = keys_of(event)
        for record in event["Records"]:
            record.clear()  # what it does to its event is its own affair
        return await self.answer(keys) if self.answer else None

    @property
    def batches(self) -> list[list[str]]:
        return [keys_of(event) for event in self.events]

    @property
    def delivered(self) -> list[str]:
        return [key for batch in self.batches for key in batch]


def keys_of(event: dict[str, Any]) -> list[str]:
    return [key_of(record) for record in event["Records"]]


def key_of(record: dict[str, Any]) -> str:
    return record["dynamodb"]["Keys"]["pk"]["S"]


@dataclass
class Table:
    client: Any
    name: str
    endpoint: str

    async def create(self) -> None:
        await self.client.create_table(
            TableName=self.name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )

    async def put(self, *keys: str, **attributes: Any) -> None:
        for key in keys:
            await self.client.put_item(TableName=self.name, Item={"pk": {"S": key}, **attributes})

    async def set_stream(self, *, enabled: bool) -> None:
        view = {"StreamViewType": "NEW_AND_OLD_IMAGES"} if enabled else {}
        await self.client.update_table(
            TableName=self.name, StreamSpecification={"StreamEnabled": enabled, **view}
        )

    def pump(self, handler: Recorder, endpoint: str | None = None, **settings: Any) -> StreamPump:
        quick = MappingSettings(**{"backoff": QUICK, **settings})
        return StreamPump(
            handler,
            table_name=self.name,
            region=REGION,
            endpoint=endpoint or self.endpoint,
            settings=quick,
        )


@asynccontextmanager
async def opened_table(endpoint: str) -> AsyncGenerator[Table]:
    async with SESSION.create_client("dynamodb", region_name=REGION, endpoint_url=endpoint) as client:
        yield Table(client, f"notes-{uuid.uuid4().hex[:12]}", endpoint)


@pytest.fixture
async def table(engine_endpoint: str) -> AsyncGenerator[Table]:
    async with opened_table(engine_endpoint) as opened:
        await opened.create()
        yield opened


def numbered(count: int) -> list[str]:
    return [f"{number:04}" for number in range(count)]


def failing_for(*poison: str) -> Answer:
    async def answer(keys: Sequence[str]) -> None:
        if set(poison) & set(keys):
            raise LookupError("poison")

    return answer


async def test_an_event_is_what_lambda_delivers(table: Table):
    handler = Recorder()
    before = int(time.time())
    attributes = {
        "binary": {"B": b"\x00\xff"},
        "binaries": {"BS": [b"x"]},
        "map": {"M": {"list": {"L": [{"B": b"z"}, {"NULL": True}, {"BOOL": False}]}}},
        "number": {"N": "1.50"},
    }
    image = {
        "pk": {"S": "a"},
        "binary": {"B": "AP8="},
        "binaries": {"BS": ["eA=="]},
        "map": {"M": {"list": {"L": [{"B": "eg=="}, {"NULL": True}, {"BOOL": False}]}}},
        "number": {"N": "1.5"},
    }
    async with table.pump(handler):
        await table.put("a", **attributes)
        await table.put("a")
        await table.client.delete_item(TableName=table.name, Key={"pk": {"S": "a"}})
        await eventually(lambda: len(handler.delivered) == 3)
    records = [record for event in handler.events for record in event["Records"]]
    inserted, modified, removed = (record["dynamodb"] for record in records)
    described = await table.client.describe_table(TableName=table.name)
    assert records[0] == {
        "eventID": records[0]["eventID"],
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": REGION,
        "dynamodb": {
            "ApproximateCreationDateTime": inserted["ApproximateCreationDateTime"],
            "Keys": {"pk": {"S": "a"}},
            "NewImage": image,
            "SequenceNumber": inserted["SequenceNumber"],
            "SizeBytes": inserted["SizeBytes"],
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
        "eventSourceARN": described["Table"]["LatestStreamArn"],
    }
    assert before <= inserted["ApproximateCreationDateTime"] <= time.time()
    assert [record["eventName"] for record in records] == ["INSERT", "MODIFY", "REMOVE"]
    assert (modified["OldImage"], modified["NewImage"]) == (image, {"pk": {"S": "a"}})
    assert removed["OldImage"] == {"pk": {"S": "a"}}
    assert "NewImage" not in removed
    assert len({record["eventID"] for record in records}) == 3


def test_what_ttl_deletes_is_told_by_lambdas_names():
    record = {
        "eventID": "1",
        "userIdentity": {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"},
        "dynamodb": {"ApproximateCreationDateTime": datetime(2026, 11, 20, 12, 0, 0, 500_000, UTC)},
    }
    assert lambda_record(record, "arn") == {
        "eventID": "1",
        "userIdentity": {"principalId": "dynamodb.amazonaws.com", "type": "Service"},
        "dynamodb": {"ApproximateCreationDateTime": 1795176000.5},
        "eventSourceARN": "arn",
    }


async def test_records_come_in_order_in_batches_of_a_hundred_and_once(table: Table):
    handler = Recorder()
    await table.put(*numbered(250))
    async with table.pump(handler):
        await eventually(lambda: len(handler.delivered) == 250)
    assert handler.delivered == numbered(250)
    assert [len(batch) for batch in handler.batches] == [100, 100, 50]


async def test_a_shard_has_one_batch_at_a_time(table: Table):
    running: list[int] = []
    inside = 0

    async def slow(_: Sequence[str]) -> None:
        nonlocal inside
        inside += 1
        running.append(inside)
        await asyncio.sleep(0.05)
        inside -= 1

    await table.put(*numbered(6))
    async with table.pump(Recorder(slow), batch_size=2):
        await eventually(lambda: len(running) == 3)
    assert running == [1, 1, 1]


@pytest.mark.parametrize("response", [None, {}, {"batchItemFailures": None}, {"batchItemFailures": []}])
async def test_nothing_reported_is_success(table: Table, response: Any):
    async def answer(_: Sequence[str]) -> Any:
        return response

    handler = Recorder(answer)
    async with table.pump(handler):
        await table.put("a")
        await eventually(lambda: handler.delivered)
        await table.put("b")
        await eventually(lambda: "b" in handler.delivered)
    assert handler.delivered == ["a", "b"]


@pytest.mark.parametrize(
    "response",
    [
        {"batchItemFailures": [{"itemIdentifier": ""}]},
        {"batchItemFailures": [{"itemIdentifier": None}]},
        {"batchItemFailures": [{"itemIdentifier": "12345"}]},
        {"batchItemFailures": [{"identifier": "wrong name"}]},
        {"batchItemFailures": ["not an object"]},
        {"batchItemFailures": "not a list"},
        "not a response",
    ],
)
async def test_what_cannot_be_read_fails_the_whole_batch(table: Table, response: Any):
    async def nonsense_once(_: Sequence[str]) -> Any:
        return response if len(handler.events) == 1 else None

    handler = Recorder(nonsense_once)
    await table.put(*"abc")
    async with table.pump(handler, bisect_batch_on_function_error=False):
        await eventually(lambda: len(handler.events) == 2)
    assert handler.batches == [["a", "b", "c"], ["a", "b", "c"]]


@pytest.mark.parametrize("bisect", [True, False])
async def test_a_batch_goes_on_from_the_lowest_reported_record(table: Table, bisect: bool):
    async def report_once(_: Sequence[str]) -> Any:
        if len(handler.events) > 1:
            return None
        records = handler.events[0]["Records"]
        reported = [records[index]["dynamodb"]["SequenceNumber"] for index in (4, 2, 3)]
        return {"batchItemFailures": [{"itemIdentifier": number} for number in reported]}

    handler = Recorder(report_once)
    await table.put(*"abcdef")
    async with table.pump(handler, bisect_batch_on_function_error=bisect):
        await eventually(lambda: len(handler.events) == 2)
    assert handler.batches == [list("abcdef"), list("cdef")]


async def test_bisecting_finds_the_poison_and_spares_its_neighbours(table: Table):
    handler = Recorder(failing_for("0005"))
    await table.put(*numbered(8))
    async with table.pump(handler, maximum_retry_attempts=2) as pump:
        await eventually(lambda: pump.on_failure)
        await table.put("later")
        await eventually(lambda: "later" in handler.delivered)
    [given_up] = pump.on_failure
    assert [key_of(record) for record in given_up.records] == ["0005"]
    assert (given_up.condition, given_up.attempts) == ("RetryAttemptsExhausted", 3)
    assert handler.batches.count(["0005"]) == 3
    succeeded = [key for batch in handler.batches if "0005" not in batch for key in batch]
    assert succeeded == [*(key for key in numbered(8) if key != "0005"), "later"]


async def test_a_reported_poison_record_spares_its_neighbours_too(table: Table):
    async def report(keys: Sequence[str]) -> Any:
        records = handler.events[-1]["Records"]
        poisoned = [record for record in records if key_of(record) == "0002"]
        done.extend(keys[: keys.index("0002")] if poisoned else keys)
        numbers = [record["dynamodb"]["SequenceNumber"] for record in poisoned]
        return {"batchItemFailures": [{"itemIdentifier": number} for number in numbers]}

    done: list[str] = []
    handler = Recorder(report)
    await table.put(*numbered(6))
    async with table.pump(handler, maximum_retry_attempts=1) as pump:
        await eventually(lambda: len(done) == 5)
    assert done == ["0000", "0001", "0003", "0004", "0005"]
    assert [key_of(record) for batch in pump.on_failure for record in batch.records] == ["0002"]


async def test_without_bisecting_a_batch_is_given_up_as_a_whole(table: Table):
    handler = Recorder(failing_for("b"))
    await table.put(*"abc")
    async with table.pump(
        handler, batch_size=2, maximum_retry_attempts=1, bisect_batch_on_function_error=False
    ) as pump:
        await eventually(lambda: "c" in handler.delivered)
    assert handler.batches == [["a", "b"], ["a", "b"], ["c"]]
    assert [[key_of(record) for record in batch.records] for batch in pump.on_failure] == [["a", "b"]]


async def test_waits_grow_to_their_bound(table: Table):
    handler = Recorder(failing_for("a"))
    await table.put("a")
    async with table.pump(handler, maximum_retry_attempts=4, backoff=(0.1, 0.3)) as pump:
        await eventually(lambda: pump.on_failure)
    waits = [later - earlier for earlier, later in pairwise(handler.times)]
    assert len(waits) == 4
    assert all(wait > 0.9 * least for wait, least in zip(waits, (0.1, 0.2, 0.3, 0.3), strict=True))
    assert waits[-1] < 0.7


async def test_a_function_that_hangs_is_cut_off_and_fails(table: Table):
    cut_off: list[str] = []

    async def hang(keys: Sequence[str]) -> None:
        if keys[0] == "a":
            try:
                await asyncio.Event().wait()
            finally:
                cut_off.extend(keys)

    handler = Recorder(hang)
    async with table.pump(handler, function_timeout=0.05, maximum_retry_attempts=1) as pump:
        await table.put("a", "b")
        await eventually(lambda: ["b"] in handler.batches)
    assert "a" in cut_off
    assert [key_of(record) for batch in pump.on_failure for record in batch.records] == ["a"]


async def test_a_record_past_its_age_is_given_up_without_an_invocation(table: Table):
    handler = Recorder()
    await table.put("a", "b")
    async with table.pump(handler, maximum_record_age=0) as pump:
        await eventually(lambda: pump.on_failure)
        assert not handler.events
        [given_up] = pump.on_failure
        assert (len(given_up.records), given_up.condition) == (2, "RecordAgeExceeded")
        await pump.redrive()
        assert (handler.delivered, pump.on_failure) == (["a", "b"], [])


async def test_redriving_delivers_what_is_cured_and_keeps_what_is_not(table: Table):
    poison = {"b", "d"}

    async def answer(keys: Sequence[str]) -> None:
        if poison & set(keys):
            raise LookupError

    handler = Recorder(answer)
    await table.put(*"abcde")
    async with table.pump(handler, maximum_retry_attempts=0) as pump:
        await eventually(lambda: len(pump.on_failure) == 2)
        poison.remove("b")
        handler.events.clear()
        await pump.redrive()
        assert handler.delivered == ["b", "d"]
        assert [[key_of(record) for record in batch.records] for batch in pump.on_failure] == [["d"]]


async def test_a_redrive_that_is_stopped_keeps_what_it_has_not_delivered(table: Table):
    handler = Recorder(failing_for("a", "b"))
    await table.put(*"ab")
    async with table.pump(handler, maximum_record_age=0, backoff=(30.0, 30.0)) as pump:
        await eventually(lambda: pump.on_failure)
        redriving = asyncio.create_task(pump.redrive())
        await eventually(lambda: handler.events)
    await redriving
    assert [[key_of(record) for record in batch.records] for batch in pump.on_failure] == [["a", "b"]]


async def test_stopping_waits_for_what_runs_and_starting_goes_on_behind_it(table: Table):
    begun, finished = asyncio.Event(), asyncio.Event()

    async def slow(_: Sequence[str]) -> None:
        begun.set()
        await asyncio.sleep(0.2)
        finished.set()

    handler = Recorder(slow)
    pump = table.pump(handler)
    await pump.start()
    await table.put("a")
    await asyncio.wait_for(begun.wait(), PATIENCE_SECONDS)
    await table.put("b")
    await pump.stop()
    assert finished.is_set()
    assert handler.delivered == ["a"]
    async with pump:
        await eventually(lambda: len(handler.delivered) == 2)
    assert handler.delivered == ["a", "b"]


async def test_stopping_does_not_wait_for_retries_and_forgets_none(table: Table):
    poison = {"b"}

    async def answer(keys: Sequence[str]) -> None:
        if poison & set(keys):
            raise LookupError

    handler = Recorder(answer)
    await table.put(*"abc")
    pump = table.pump(handler, backoff=(30.0, 30.0))
    await pump.start()
    await eventually(lambda: handler.events)
    began = time.monotonic()
    await pump.stop()
    assert time.monotonic() - began < 5
    poison.clear()
    async with pump:
        await eventually(lambda: len(handler.delivered) == 6)
    assert handler.batches == [["a", "b", "c"], ["a", "b", "c"]]
    assert not pump.on_failure


@pytest.mark.parametrize(
    ("operation", "error"),
    [
        ("DescribeTable", "ThrottlingException"),
        ("DescribeStream", "ResourceNotFoundException"),
        ("GetShardIterator", "TrimmedDataAccessException"),
        ("GetShardIterator", "InternalServerError"),
        ("GetRecords", "ExpiredIteratorException"),
        ("GetRecords", "TrimmedDataAccessException"),
        ("GetRecords", "ThrottlingException"),
        ("GetRecords", None),
    ],
)
async def test_no_error_of_the_stream_loses_or_repeats_a_record(
    table: Table, operation: str, error: str | None
):
    handler = Recorder()
    async with relayed(table.endpoint) as relay, table.pump(handler, relay.endpoint, batch_size=2):
        await table.put("a", "b", "c")
        await eventually(lambda: len(handler.delivered) == 3)
        relay.errors[operation] += [error] * 2
        # An iterator is not asked for again as long as the last one serves.
        relay.errors["GetRecords"] += ["ExpiredIteratorException"] if operation != "GetRecords" else []
        await table.put("d", "e", "f")
        await eventually(lambda: len(handler.delivered) == 6)
        await eventually(lambda: not relay.errors[operation])
        await table.put("g")
        await eventually(lambda: len(handler.delivered) == 7)
    assert handler.delivered == list("abcdefg")


async def test_an_engine_that_restarts_empty_loses_nothing_written_after(tmp_path: Path):
    handler = Recorder()
    engine = EmbeddedDynamoDB(tmp_path)
    await asyncio.to_thread(engine.start)
    try:
        async with relayed(engine.endpoint) as relay, opened_table(engine.endpoint) as before:
            await before.create()
            await before.put(*numbered(20))
            async with before.pump(handler, relay.endpoint):
                await eventually(lambda: len(handler.delivered) == 20)
                await asyncio.to_thread(engine.stop)
                await asyncio.to_thread(engine.start)
                async with opened_table(engine.endpoint) as after:
                    after.name = before.name
                    await after.put("x", "y", "z")
                    relay.target = engine.endpoint
                    await eventually(lambda: len(handler.delivered) == 23)
    finally:
        await asyncio.to_thread(engine.stop)
    assert handler.delivered == [*numbered(20), "x", "y", "z"]


async def test_a_restart_that_no_call_has_met_loses_nothing(tmp_path: Path):
    """The old iterator is still taken then, for a position that the new stream has not come to yet."""

    async def swap_engines(_: Sequence[str]) -> None:
        if len(handler.events) == 1:
            await asyncio.to_thread(engine.stop)
            await asyncio.to_thread(engine.start)
            async with opened_table(engine.endpoint) as after:
                after.name = before.name
                await after.put("x", "y", "z")
            relay.target = engine.endpoint

    handler = Recorder(swap_engines)
    engine = EmbeddedDynamoDB(tmp_path)
    await asyncio.to_thread(engine.start)
    try:
        async with relayed(engine.endpoint) as relay, opened_table(engine.endpoint) as before:
            await before.create()
            await before.put(*numbered(20))
            async with before.pump(handler, relay.endpoint):
                await eventually(lambda: len(handler.delivered) == 23)
    finally:
        await asyncio.to_thread(engine.stop)
    assert handler.delivered == [*numbered(20), "x", "y", "z"]


async def test_the_engine_may_be_away_when_the_pump_starts(table: Table):
    handler = Recorder()
    await table.put("a")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with table.pump(handler, f"http://127.0.0.1:{port}"):
        await asyncio.sleep(0.3)
        async with relayed(table.endpoint, port):
            await eventually(lambda: handler.delivered == ["a"])


async def test_a_table_may_come_after_the_pump(engine_endpoint: str):
    handler = Recorder()
    async with opened_table(engine_endpoint) as table, table.pump(handler):
        await asyncio.sleep(0.1)
        await table.create()
        await table.put("a")
        await eventually(lambda: handler.delivered == ["a"])


async def test_a_closed_stream_is_read_to_its_end_and_left_for_the_next(table: Table):
    handler = Recorder()
    await table.put("a", "b")
    closed = (await table.client.describe_table(TableName=table.name))["Table"]["LatestStreamArn"]
    async with relayed(table.endpoint) as relay, table.pump(handler, relay.endpoint, batch_size=1):
        await eventually(lambda: handler.delivered)
        await table.set_stream(enabled=False)
        await eventually(lambda: len(handler.delivered) == 2)
        await table.put("unseen")
        await table.set_stream(enabled=True)
        await table.put("c")
        await eventually(lambda: len(handler.delivered) == 3)
        relay.requests.clear()
        await asyncio.sleep(0.3)
        opened = [body["StreamArn"] for name, body in relay.requests if name == "GetShardIterator"]
        assert closed not in opened
    assert handler.delivered == ["a", "b", "c"]


async def test_records_reach_the_handler_quickly(table: Table):
    handler = Recorder()
    latencies: list[float] = []
    async with table.pump(handler):
        for number, key in enumerate(numbered(10), start=1):
            await asyncio.sleep(0.15)
            await table.put(key)
            written = time.monotonic()
            await eventually(lambda number=number: len(handler.times) == number)
            latencies.append(handler.times[-1] - written)
    assert statistics.median(latencies) < 0.25


def test_a_parent_shard_comes_before_its_children():
    parent = Shard("arn", "1", "0")
    children = [Shard("arn", "2", "1"), Shard("arn", "3", "1")]
    grandchild = Shard("arn", "4", "3")
    shards = [grandchild, *children, parent]
    assert readable(shards, set()) == [parent]
    assert readable(shards, {parent}) == children
    assert readable(shards, {parent, children[1]}) == [grandchild, children[0]]


async def test_shards_are_listed_over_all_pages():
    class PagedStream:
        async def describe_stream(self, **arguments: Any) -> dict[str, Any]:
            if "ExclusiveStartShardId" not in arguments:
                shards = [{"ShardId": "1"}, {"ShardId": "2", "ParentShardId": "1"}]
                return {"StreamDescription": {"Shards": shards, "LastEvaluatedShardId": "2"}}
            assert arguments["ExclusiveStartShardId"] == "2"
            return {"StreamDescription": {"Shards": [{"ShardId": "3", "ParentShardId": "2"}]}}

        async def get_shard_iterator(self, **arguments: Any) -> dict[str, Any]:
            raise NotImplementedError

        async def get_records(self, **arguments: Any) -> dict[str, Any]:
            raise NotImplementedError

    assert await list_shards(PagedStream(), "arn") == [
        Shard("arn", "1"),
        Shard("arn", "2", "1"),
        Shard("arn", "3", "2"),
    ]
