"""A line of metrics for each operation, as CloudWatch takes it out of the log."""

import json
import time
from typing import Any

import pytest

from graphql_api.auth.identity import Role
from graphql_api.metering.metrics import Metrics
from tests.log_lines import log_lines, metrics_of
from tests.realtime.stage import Stage, open_stage
from tests.world import World

SECRET = "what only its author knows"
CREATE = """mutation Begin($input: CreateProjectInput!) {
    createProject(input: $input) { ... on CreateProjectPayload { project { id } } } }"""
VALUES = ("Operations", "Errors", "Points", "Duration")


@pytest.fixture
def world(world: World) -> World:
    metered(world)
    return world


def metered(world: World) -> None:
    world.services.operations._metrics = Metrics("tests")


async def test_an_operation_leaves_one_line_of_metrics(world: World):
    with log_lines() as lines:
        answer = await world.as_("acme", Role.ADMIN).execute(CREATE, input={"name": SECRET})
    (line,) = metrics_of(lines())
    assert line["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "tests"
    assert abs(line["_aws"]["Timestamp"] / 1000 - time.time()) < 60
    assert (line["tenant"], line["operation"], line["kind"]) == ("acme", "Begin", "mutation")
    assert line["request_id"] == answer.reply.headers["x-request-id"]
    assert (line["Operations"], line["Errors"], line["bytes"]) == (1, 0, len(answer.reply.body))
    assert line["Points"] > 0 < line["Duration"]
    assert line["write_units"] > 0


async def test_metrics_are_few_and_by_tenant_alone(world: World):
    with log_lines() as lines:
        await world.as_("globex", Role.VIEWER).data("query Board { viewer { name } }")
    (line,) = metrics_of(lines())
    (metrics,) = line["_aws"]["CloudWatchMetrics"]
    assert metrics["Dimensions"] == [["tenant"]]
    assert [metric["Name"] for metric in metrics["Metrics"]] == list(VALUES)
    assert all(isinstance(line[name], int | float) for name in VALUES)


@pytest.mark.parametrize(
    "document",
    [
        "query Named($id: ID!) { project(id: $id) { name } }",
        f'query Named {{ project(id: "{SECRET}") {{ name }} }}',
        f'query Named {{ nothing(of: "{SECRET}") }}',
        f'query Named {{ "{SECRET}"',
    ],
)
async def test_no_argument_is_in_any_line(world: World, document: str):
    with log_lines() as lines:
        await world.as_("acme", Role.ADMIN).execute(document, id=SECRET)
    assert metrics_of(lines())
    assert SECRET not in json.dumps(lines())


async def test_who_is_of_no_tenant_leaves_none(world: World):
    with log_lines() as lines:
        await world.execute("{ __typename }")
        await world.as_(None, Role.PLATFORM).data("{ plans { tier } }")
    assert metrics_of(lines()) == []


async def test_without_a_namespace_nothing_is_written(world: World):
    world.services.operations._metrics = Metrics(None)
    with log_lines() as lines:
        await world.as_("acme", Role.ADMIN).data("{ viewer { name } }")
    assert lines() == []


async def test_an_operation_over_a_socket_is_told_the_same_way(engine_endpoint: str):
    async with open_stage(engine_endpoint) as stage:
        metered(stage.world)
        lines = await told(stage)
    (line,) = metrics_of(lines)
    assert (line["tenant"], line["operation"], line["kind"]) == ("acme", "Watch", "subscription")
    assert line["request_id"]


async def told(stage: Stage) -> list[dict[str, Any]]:
    client = await stage.client("acme")
    with log_lines() as lines:
        await client.subscribe("subscription Watch { taskChanged { id } }")
        await client.ping()
        return lines()
