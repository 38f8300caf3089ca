import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.e2e.deployment import Stack, released
from tests.e2e.system import STUB, Member, System
from tests.e2e.test_realtime import said, subscribe

FUNCTIONS = [
    "HttpFunction",
    "WebSocketFunction",
    "StreamFunction",
    "SweepFunction",
    "JobsFunction",
    "WebhookFunction",
]
GROUPS = ("http", "websocket", "stream", "sweep", "jobs", "webhook", "http-access", "websocket-access")
PROJECT = "query ($project: ID!) { project(id: $project) { name } }"


def function(system: System, name: str) -> dict[str, Any]:
    """The configuration of what the alias of that function runs."""
    functions = system.account.client("lambda")
    physical = system.stack.resources()[name]
    return functions.get_function_configuration(FunctionName=physical, Qualifier="live")


def test_the_stack_is_complete(system: System):
    assert system.stack.status() in ("CREATE_COMPLETE", "UPDATE_COMPLETE")


def test_no_function_has_a_secret_in_its_environment(system: System):
    secret = system.account.client("secretsmanager").get_secret_value(
        SecretId=system.outputs["CursorSecretArn"]
    )["SecretString"]
    for name in FUNCTIONS:
        environment = json.dumps(function(system, name)["Environment"])
        assert len(secret) == 64
        assert secret not in environment


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_runs_the_code_that_was_uploaded(name: str, system: System, acme: Member):
    assert function(system, name)["CodeSize"] > 1_000_000
    assert STUB not in "".join(system.bodies)


@pytest.mark.parametrize("name", ["Sweep", "Jobs"])
def test_what_is_scheduled_comes_each_minute_and_may_be_invoked(name: str, system: System):
    events, functions = system.account.client("events"), system.account.client("lambda")
    resources = system.stack.resources()
    rule = events.describe_rule(Name=resources[f"{name}Schedule"])
    (target,) = events.list_targets_by_rule(Rule=resources[f"{name}Schedule"])["Targets"]
    assert (rule["State"], rule["ScheduleExpression"]) == ("ENABLED", "rate(1 minute)")
    assert target["Arn"] == resources[f"{name}FunctionAliaslive"]
    policy = json.loads(
        functions.get_policy(FunctionName=resources[f"{name}Function"], Qualifier="live")["Policy"]
    )
    allowed = [statement["Principal"] for statement in policy["Statement"]]
    assert {"Service": "events.amazonaws.com"} in allowed


@pytest.mark.parametrize("name", ["Sweep", "Jobs"])
def test_what_is_scheduled_answers_an_invocation(name: str, system: System, acme: Member):
    alias = system.stack.resources()[f"{name}FunctionAliaslive"]
    answer = system.account.client("lambda").invoke(FunctionName=alias, Payload=b"{}")
    assert (answer["StatusCode"], answer.get("FunctionError")) == (200, None)
    assert json.load(answer["Payload"]) is None


def test_functions_log_into_groups_with_an_end(system: System, acme: Member):
    groups = system.account.client("logs").describe_log_groups(logGroupNamePrefix="/")["logGroups"]
    assert {group["logGroupName"]: group.get("retentionInDays") for group in groups} == {
        f"/{system.stack.name}/{name}": 30 for name in GROUPS
    }


def test_a_deployment_of_the_same_changes_nothing(system: System, template: str):
    with pytest.raises(ClientError, match=re.escape("No updates are to be performed")):
        system.stack.deploy(template, system.stack.deployed)


async def test_an_update_reaches_the_functions_and_keeps_data_and_sockets(
    system: System, acme: Member, template: str, parameters: dict[str, str], package: Path
):
    before = system.stack.resources()
    async with system.socket() as socket:
        await subscribe(socket, acme)
        changed = released({**parameters, "AuditRetentionDays": "500"}, package)
        assert system.stack.deploy(template, changed) == "UPDATE_COMPLETE"
        for name in FUNCTIONS:
            assert function(system, name)["Environment"]["Variables"]["LOG_RETENTION_DAYS"] == "500"
        task = system.create_task(acme)
        assert (await said(socket))["payload"]["data"]["taskChanged"]["task"] == task
    after = system.stack.resources()
    for name in ("Table", "ControlTable", "CursorSecret", "HttpApi", "WebSocketApi"):
        assert after[name] == before[name]
    assert system.data(PROJECT, acme.token, project=acme.project) == {"name": "acme project"}


@pytest.fixture
def second(system: System, template: str, parameters: dict[str, str], package: Path) -> Iterator[Stack]:
    """Another stage beside the first, in the same account."""
    stack = Stack(system.account, "second")
    other = released({**parameters, "Stage": "test"}, package)
    assert stack.deploy(template, other) == "CREATE_COMPLETE"
    yield stack
    if stack.status() != "ABSENT":
        stack.delete()


def test_a_deleted_stack_leaves_the_tables_alone(second: Stack, system: System):
    resources = second.resources()
    assert second.delete() == "ABSENT"
    tables = system.account.client("dynamodb").list_tables()["TableNames"]
    roles = [role["RoleName"] for role in system.account.client("iam").list_roles()["Roles"]]
    functions = [
        each["FunctionName"] for each in system.account.client("lambda").list_functions()["Functions"]
    ]
    assert {resources["Table"], resources["ControlTable"]} <= set(tables)
    assert not [name for name in (*roles, *functions) if name.startswith("second-")]
    assert system.call("{ viewer { id } }").codes == ["UNAUTHENTICATED"]


@pytest.mark.parametrize("forbidden", [{"Stage": "prod"}, {"JwksUrl": ""}], ids=["prod", "no keys"])
def test_what_the_templates_rules_forbid_is_not_deployed(
    forbidden: dict[str, str], system: System, template: str, parameters: dict[str, str]
):
    with pytest.raises(ClientError, match="ValidationError"):
        Stack(system.account, "forbidden").deploy(template, parameters | forbidden)
