"""Who may become whom, and what each role reaches: the template's roles and nothing of the product."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.e2e.system import System

OWN, REGISTRATION = "T#acme#NOTE#1", "P#REGISTRATION#acme"
FUNCTIONS = ["HttpFunction", "WebSocketFunction", "StreamFunction", "SweepFunction", "JobsFunction"]


def role_session(system: System, name: str, credentials: dict[str, str] | None = None) -> dict[str, str]:
    """A session of the stack's role of that logical name."""
    role = system.account.client("iam").get_role(RoleName=system.stack.resources()[name])["Role"]
    return system.account.session_of(role["Arn"], *([credentials] if credentials else []))


def read(system: System, session: dict[str, str], partition: str, table: str = "TableName") -> None:
    """The one read that every role of the product may make somewhere."""
    key = {"pk": {"S": partition}, "sk": {"S": "NOTE"}}
    system.account.client("dynamodb", session).batch_get_item(
        RequestItems={system.outputs[table]: {"Keys": [key]}}
    )


class Raw:
    """Calls by hand, on acme's own items unless a test says otherwise."""

    def __init__(self, dynamodb: Any, system: System, partition: str = OWN, table: str = "TableName") -> None:
        self._dynamodb = dynamodb
        self._table = system.outputs[table]
        self._key = {"pk": {"S": partition}, "sk": {"S": "NOTE"}}

    def scan(self) -> None:
        self._dynamodb.scan(TableName=self._table)

    def get(self) -> None:
        self._dynamodb.get_item(TableName=self._table, Key=self._key)

    def put(self) -> None:
        self._dynamodb.put_item(TableName=self._table, Item=self._key)

    def update(self) -> None:
        self._dynamodb.update_item(TableName=self._table, Key=self._key)

    def delete(self) -> None:
        self._dynamodb.delete_item(TableName=self._table, Key=self._key)

    def query(self) -> None:
        self._dynamodb.query(
            TableName=self._table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": self._key["pk"]},
        )

    def batch_write(self) -> None:
        self._dynamodb.batch_write_item(RequestItems={self._table: [{"PutRequest": {"Item": self._key}}]})

    def transact_get(self) -> None:
        self._dynamodb.transact_get_items(
            TransactItems=[{"Get": {"TableName": self._table, "Key": self._key}}]
        )

    def partiql(self) -> None:
        self._dynamodb.execute_statement(Statement=f'SELECT * FROM "{self._table}"')  # noqa: S608 - made to be refused

    def describe_table(self) -> None:
        self._dynamodb.describe_table(TableName=self._table)

    def delete_table(self) -> None:
        self._dynamodb.delete_table(TableName=self._table)


RAW = [
    Raw.scan,
    Raw.get,
    Raw.delete,
    Raw.query,
    Raw.batch_write,
    Raw.transact_get,
    Raw.partiql,
    Raw.describe_table,
    Raw.delete_table,
]


@pytest.mark.parametrize("call", RAW, ids=lambda call: call.__name__)
def test_a_tenants_session_may_do_nothing_that_the_product_does_not(call: Any, system: System):
    http = system.account.session_of(system.outputs["HttpFunctionRoleArn"])
    session = system.account.session_of(system.outputs["TenantRoleArn"], http, tags={"tenant": "acme"})
    with pytest.raises(ClientError, match="AccessDenied"):
        call(Raw(system.account.client("dynamodb", session), system))


@pytest.mark.parametrize(
    "tags",
    [{}, {"tenant": ""}, {"Tenant": "acme"}, {"tenant": "acme", "other": "1"}],
    ids=["none", "empty", "another", "one more"],
)
def test_the_tenant_role_is_not_given_without_exactly_one_tenant(tags: dict[str, str], system: System):
    http = system.account.session_of(system.outputs["HttpFunctionRoleArn"])
    with pytest.raises(ClientError, match="AccessDenied"):
        system.account.session_of(system.outputs["TenantRoleArn"], http, tags=tags)


@pytest.mark.parametrize("table", ["TableName", "ControlTableName"])
@pytest.mark.parametrize("partition", [OWN, REGISTRATION])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_functions_own_role_reaches_no_item(function: str, partition: str, table: str, system: System):
    session = role_session(system, f"{function}Role")
    with pytest.raises(ClientError, match="AccessDenied"):
        read(system, session, partition, table)
    raw = Raw(system.account.client("dynamodb", session), system, partition, table)
    for call in (raw.get, raw.put, raw.update, raw.delete, raw.query, raw.scan, raw.batch_write):
        with pytest.raises(ClientError, match="AccessDenied"):
            call()


def test_the_platforms_session_reaches_the_registry_and_no_tenant(system: System):
    http = system.account.session_of(system.outputs["HttpFunctionRoleArn"])
    session = system.account.session_of(system.outputs["PlatformRoleArn"], http)
    read(system, session, REGISTRATION)
    with pytest.raises(ClientError, match="AccessDenied"):
        read(system, session, OWN)


def test_who_erases_reaches_one_tenant_and_answers_no_request(system: System):
    jobs, http = (role_session(system, f"{name}FunctionRole") for name in ("Jobs", "Http"))
    arn = system.account.client("iam").get_role(RoleName=system.stack.resources()["LifecycleRole"])["Role"][
        "Arn"
    ]
    session = system.account.session_of(arn, jobs, tags={"tenant": "acme"})
    Raw(system.account.client("dynamodb", session), system, "T#acme#NOTE#erased").delete()
    with pytest.raises(ClientError, match="AccessDenied"):
        Raw(system.account.client("dynamodb", session), system, "T#globex#NOTE#1").delete()
    with pytest.raises(ClientError, match="AccessDenied"):
        system.account.session_of(arn, http, tags={"tenant": "acme"})


def test_the_stream_may_read_the_registry_and_not_write_it(system: System):
    session = role_session(system, "RegistryReaderRole", role_session(system, "StreamFunctionRole"))
    read(system, session, REGISTRATION)
    with pytest.raises(ClientError, match="AccessDenied"):
        system.account.client("dynamodb", session).put_item(
            TableName=system.outputs["TableName"], Item={"pk": {"S": REGISTRATION}, "sk": {"S": "N"}}
        )


@pytest.mark.parametrize("function", ["StreamFunction", "SweepFunction"])
def test_what_nobody_calls_for_the_platform_cannot_become_the_platform(function: str, system: System):
    with pytest.raises(ClientError, match="AccessDenied"):
        role_session(system, "PlatformRole", role_session(system, f"{function}Role"))
