import base64
import json
from typing import Any

import pytest

from tests.e2e.followers import following
from tests.e2e.system import Member, System

POISON = {"pk": {"S": "T#acme#TASK#01k7tb9rg5fpnatm2po5todjt0"}, "sk": {"S": "TASK"}}
PATIENCE_SECONDS = 20


def renaming(table: str, task: dict[str, Any], tenant: str, title: str) -> dict[str, Any]:
    """A write past the API, as by an import, of a member of a transaction."""
    uid = base64.b64decode(task["id"]).decode().partition(":")[2]
    return {
        "Update": {
            "TableName": table,
            "Key": {"pk": {"S": f"T#{tenant}#TASK#{uid}"}, "sk": {"S": "TASK"}},
            "UpdateExpression": "SET title = :title",
            "ExpressionAttributeValues": {":title": {"S": title}},
        }
    }


def set_aside(system: System) -> dict[str, Any]:
    """The next message of the on-failure queue."""
    sqs = system.account.client("sqs")
    queue = system.outputs["StreamFailuresUrl"]
    received = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=PATIENCE_SECONDS)
    (message,) = received.get("Messages", [])
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    return json.loads(message["Body"])


def record_at(system: System, place: dict[str, Any]) -> dict[str, Any]:
    """The stream's record that a message of the queue is about, as an operator finds it."""
    streams = system.account.client("dynamodbstreams")
    iterator = streams.get_shard_iterator(
        StreamArn=place["streamArn"],
        ShardId=place["shardId"],
        ShardIteratorType="AT_SEQUENCE_NUMBER",
        SequenceNumber=place["startSequenceNumber"],
    )["ShardIterator"]
    return streams.get_records(ShardIterator=iterator, Limit=1)["Records"][0]["dynamodb"]


@pytest.fixture(scope="module")
def table(system: System) -> str:
    return system.outputs["TableName"]


async def test_a_poison_record_is_set_aside_and_its_neighbours_are_delivered(
    table: str, system: System, acme: Member, globex: Member
):
    tasks = {member.tenant: [system.create_task(member) for _ in range(2)] for member in (acme, globex)}
    async with (
        following("graphql-ws", system, acme) as ours,
        following("graphql-ws", system, globex) as theirs,
    ):
        # One batch: a neighbour before it and one behind, of the same tenant and of another.
        system.account.client("dynamodb").transact_write_items(
            TransactItems=[
                renaming(table, tasks["acme"][0], "acme", "before, ours"),
                renaming(table, tasks["globex"][0], "globex", "before, theirs"),
                {"Put": {"TableName": table, "Item": POISON}},
                renaming(table, tasks["globex"][1], "globex", "behind, theirs"),
                renaming(table, tasks["acme"][1], "acme", "behind, ours"),
            ]
        )
        for follower, whose in ((ours, "ours"), (theirs, "theirs")):
            await follower.told(f"behind, {whose}")
            assert follower.titles[-2:] == [f"before, {whose}", f"behind, {whose}"]
    message = set_aside(system)
    place = message["DDBStreamBatchInfo"]
    assert message["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert (place["batchSize"], place["startSequenceNumber"]) == (1, place["endSequenceNumber"])
    assert record_at(system, place)["Keys"] == POISON
