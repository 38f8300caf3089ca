"""The example consumer counts right whatever the order and however often events come."""

import importlib.util
import json
import random
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from graphql_api.auth.identity import Role
from graphql_api.local.event_file import EventFile
from tests.features.builders import a_project, a_task, done
from tests.realtime.stage import Stage, open_stage

EXAMPLE = Path(__file__).parents[2] / "docs/examples/done_tasks.py"
Event = dict[str, Any]


class Consumer:
    """The example's function over a table of its own."""

    def __init__(self, handler: Callable[[Event, object], None], client: Any, table: str) -> None:
        self._handler = handler
        self._client = client
        self._table = table

    def consume(self, *events: Event) -> None:
        for event in events:
            self._handler(event, None)

    def counted(self, tenant: str = "acme") -> dict[str, int]:
        """The counters that are not 0, by project."""
        answer = self._client.query(
            TableName=self._table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": f"{tenant}#PROJECT"}},
        )
        found = {item["sk"]["S"]: int(item["done"]["N"]) for item in answer["Items"]}
        return {project: count for project, count in found.items() if count}


@pytest.fixture
def consumer(engine_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Consumer:
    table = f"counters-{uuid.uuid4().hex[:8]}"
    monkeypatch.setenv("COUNTERS_TABLE", table)
    monkeypatch.setenv("AWS_ENDPOINT_URL", engine_endpoint)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    client: Any = botocore.session.get_session().create_client("dynamodb")
    client.create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
    )
    spec = importlib.util.spec_from_file_location("done_tasks", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return Consumer(module.handler, client, table)


@pytest.fixture
async def stage(engine_endpoint: str, tmp_path: Path) -> AsyncIterator[Stage]:
    async with open_stage(engine_endpoint, bus=EventFile(tmp_path / "events.jsonl")) as opened:
        yield opened


def events(directory: Path) -> list[Event]:
    """Those that the system has put on its bus."""
    return [json.loads(line) for line in (directory / "events.jsonl").read_text().splitlines()]


async def a_busy_day(stage: Stage) -> dict[str, int]:
    """Tasks are done, reopened, deleted and restored; how many of each project are done at its end."""
    world = stage.world.as_("acme", Role.ADMIN)
    projects = [await a_project(world, name) for name in ("one", "two", "three")]
    tasks = [await a_task(world, projects[number % 2]) for number in range(6)]
    for task in tasks[:5]:
        await _move(stage, task, "in_progress", "in_review", "done")
    await _move(stage, tasks[0], "in_progress")
    await _move(stage, tasks[1], "in_progress", "in_review", "done")
    for task in tasks[2:4]:
        await done(world, "deleteTask", "task { id }", id=task)
    await done(world, "restoreTask", "task { id }", id=tasks[3])
    await stage.pump()
    # Of one: done is the fifth; of two: the second and the fourth.
    return {projects[0]: 1, projects[1]: 2}


async def _move(stage: Stage, task: str, *states: str) -> None:
    for state in states:
        await done(stage.world.as_("acme", Role.ADMIN), "moveTask", "task { id }", id=task, to=state)


async def test_tasks_that_are_done_are_counted_by_project(stage: Stage, consumer: Consumer, tmp_path: Path):
    expected = await a_busy_day(stage)

    consumer.consume(*events(tmp_path))

    assert consumer.counted() == expected
    assert consumer.counted("globex") == {}


async def test_neither_repetition_nor_order_changes_a_count(stage: Stage, consumer: Consumer, tmp_path: Path):
    expected = await a_busy_day(stage)
    told = events(tmp_path)
    chance = random.Random(20261120)  # noqa: S311 - an order, not a secret

    for _ in range(4):
        consumer.consume(*chance.sample(told, len(told)))

    assert consumer.counted() == expected


async def test_events_of_another_kind_are_passed_over(consumer: Consumer):
    consumer.consume({"detail": {"tenant": "acme", "sequence": 1, "entityId": "x"}})

    assert consumer.counted() == {}
