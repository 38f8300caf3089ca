from typing import Any

import pytest
from botocore.exceptions import ClientError
from types_aiobotocore_dynamodb import DynamoDBClient

from tests.iam.access import Access
from tests.iam.guard import (
    CONNECTIONS_ROLE,
    PLATFORM_ROLE,
    Call,
    ForeignKeyWrittenError,
    PolicyGuard,
    Principal,
    TenantSession,
)
from tests.iam.policy import Grant
from tests.iam.stub_client import TABLE, Caller, watched_client

ACME = TenantSession("acme")
KEY: Any = {"pk": {"S": "T#acme#task#1"}, "sk": {"S": "task"}}
FOREIGN: Any = {"pk": {"S": "T#globex#task#1"}, "sk": {"S": "task"}}


async def test_an_allowed_call_is_sent_and_kept(
    dynamodb: DynamoDBClient, guard: PolicyGuard, caller: Caller, sent: list[str]
) -> None:
    caller.principal = ACME

    await dynamodb.put_item(TableName="data", Item=KEY)

    assert sent == ["PutItem"]
    access = Access("PutItem", "data", None, ("T#acme#task#1",), (("pk", "T#acme#task#1"),))
    grants = frozenset({Grant("OwnItems", "dynamodb:PutItem")})
    assert guard.calls == [Call("PutItem", ACME, (access,), grants)]


async def test_a_denied_call_is_kept_and_never_sent(
    dynamodb: DynamoDBClient, guard: PolicyGuard, caller: Caller, sent: list[str]
) -> None:
    caller.principal = ACME

    with pytest.raises(ClientError) as denied:
        await dynamodb.put_item(TableName="data", Item=FOREIGN)

    assert denied.value.response.get("Error", {}).get("Code") == "AccessDeniedException"
    assert denied.value.operation_name == "PutItem"
    assert sent == []
    (call,) = guard.refused
    assert not call.allowed
    assert call.accesses == (
        Access("PutItem", "data", None, ("T#globex#task#1",), (("pk", "T#globex#task#1"),)),
    )


async def test_one_foreign_member_denies_the_whole_transaction(
    dynamodb: DynamoDBClient, caller: Caller, sent: list[str]
) -> None:
    caller.principal = ACME
    check: Any = {"TableName": "data", "Key": FOREIGN, "ConditionExpression": "attribute_exists(pk)"}

    with pytest.raises(ClientError, match="ConditionCheckItem"):
        await dynamodb.transact_write_items(
            TransactItems=[{"Put": {"TableName": "data", "Item": KEY}}, {"ConditionCheck": check}]
        )

    assert sent == []


async def test_the_caller_is_asked_at_each_call(
    dynamodb: DynamoDBClient, caller: Caller, sent: list[str]
) -> None:
    caller.principal = ACME
    await dynamodb.put_item(TableName="data", Item=KEY)
    caller.principal = PLATFORM_ROLE

    with pytest.raises(ClientError):
        await dynamodb.put_item(TableName="data", Item=KEY)

    await dynamodb.put_item(TableName="data", Item={"pk": {"S": "P#tenants"}, "sk": {"S": "acme"}})
    assert sent == ["PutItem", "PutItem"]


@pytest.mark.parametrize(
    ("principal", "own"),
    [(ACME, "T#acme#SOCKET#1"), (CONNECTIONS_ROLE, "C#1")],
    ids=["a tenant", "connections"],
)
async def test_each_role_deletes_its_own_on_the_control_table_alone(
    principal: Principal, own: str, dynamodb: DynamoDBClient, caller: Caller, sent: list[str]
) -> None:
    caller.principal = principal
    item: Any = {"pk": {"S": own}, "sk": {"S": "SOCKET"}}

    await dynamodb.delete_item(TableName="control", Key=item)

    with pytest.raises(ClientError, match="may not DeleteItem"):
        await dynamodb.delete_item(TableName="data", Key=item)
    with pytest.raises(ClientError, match="may not DeleteItem"):
        await dynamodb.delete_item(TableName="control", Key=FOREIGN)
    assert sent == ["DeleteItem"]


async def test_one_table_of_a_call_denies_the_other(
    dynamodb: DynamoDBClient, caller: Caller, sent: list[str]
) -> None:
    caller.principal = ACME
    put: Any = {"Put": {"TableName": "data", "Item": KEY}}
    check: Any = {"TableName": "control", "Key": KEY, "ConditionExpression": "attribute_exists(pk)"}

    elsewhere: Any = {"Put": {"TableName": "control", "Item": KEY}}
    await dynamodb.transact_write_items(TransactItems=[put, elsewhere])
    with pytest.raises(ClientError, match=r"ConditionCheckItem.*control"):
        await dynamodb.transact_write_items(TransactItems=[put, {"ConditionCheck": check}])
    with pytest.raises(ClientError, match="globex"):
        await dynamodb.batch_get_item(RequestItems={"data": {"Keys": [KEY]}, "control": {"Keys": [FOREIGN]}})

    assert sent == ["TransactWriteItems"]


async def test_nobody_may_do_nothing(dynamodb: DynamoDBClient, guard: PolicyGuard, sent: list[str]) -> None:
    with pytest.raises(ClientError):
        await dynamodb.put_item(TableName="data", Item=KEY)

    assert [call.principal for call in guard.refused] == [None]
    assert sent == []


async def test_an_unknown_operation_is_denied(
    dynamodb: DynamoDBClient, caller: Caller, sent: list[str]
) -> None:
    caller.principal = ACME

    with pytest.raises(ClientError, match="not known"):
        await dynamodb.list_tables()

    assert sent == []


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("put_item", {"TableName": "control", "Item": {**KEY, "whose": FOREIGN["pk"]}}),
        ("put_item", {"TableName": "control", "Item": {**KEY, "whose": {"S": "C#1"}}}),
        ("put_item", {"Item": {**KEY, "project": FOREIGN["pk"]}}),
        ("put_item", {"Item": {**KEY, "assignee": {"S": "P#tenants"}}}),
        (
            "update_item",
            {
                "Key": KEY,
                "UpdateExpression": "SET #p = :p",
                "ExpressionAttributeNames": {"#p": "project"},
                "ExpressionAttributeValues": {":p": FOREIGN["pk"]},
            },
        ),
        ("update_item", {"Key": KEY, "UpdateExpression": "SET project = title"}),
    ],
)
async def test_a_foreign_index_key_passes_iam_and_not_the_guard(
    operation: str,
    params: dict[str, Any],
    dynamodb: DynamoDBClient,
    guard: PolicyGuard,
    caller: Caller,
    sent: list[str],
) -> None:
    caller.principal = ACME

    with pytest.raises(ForeignKeyWrittenError):
        await getattr(dynamodb, operation)(**{"TableName": "data", **params})

    assert sent == []
    (call,) = guard.refused
    assert call.poisoning
    assert call.grants


async def test_a_foreign_index_key_is_seen_inside_a_transaction(
    dynamodb: DynamoDBClient, caller: Caller
) -> None:
    caller.principal = ACME

    with pytest.raises(ForeignKeyWrittenError, match="assignee"):
        await dynamodb.transact_write_items(
            TransactItems=[{"Put": {"TableName": "data", "Item": {**KEY, "assignee": FOREIGN["pk"]}}}]
        )


async def test_calls_are_counted_exactly(
    dynamodb: DynamoDBClient, guard: PolicyGuard, caller: Caller
) -> None:
    caller.principal = ACME
    await dynamodb.put_item(TableName="data", Item=KEY)
    await dynamodb.batch_get_item(RequestItems={"data": {"Keys": [KEY]}})
    await dynamodb.batch_get_item(RequestItems={"data": {"Keys": [KEY]}})
    with pytest.raises(ClientError):
        await dynamodb.scan(TableName="data")

    assert guard.operations == {"PutItem": 1, "BatchGetItem": 2, "Scan": 1}
    assert len(guard.refused) == 1

    guard.forget_calls()
    assert guard.calls == []
    assert ("tenant", Grant("OwnItems", "dynamodb:PutItem")) in guard.grants_used


async def test_a_grant_no_call_needed_is_told(
    dynamodb: DynamoDBClient, guard: PolicyGuard, caller: Caller
) -> None:
    before = guard.unused_grants
    caller.principal = ACME
    await dynamodb.query(
        TableName="data",
        IndexName="agenda",
        KeyConditionExpression="assignee = :a",
        ExpressionAttributeValues={":a": {"S": "T#acme#user#1"}},
    )

    assert before - guard.unused_grants == {("tenant", Grant("OwnLists", "dynamodb:Query"))}
    # The same action of another statement is a grant of its own.
    assert ("tenant", Grant("OwnLogAndSockets", "dynamodb:Query")) in guard.unused_grants
    assert ("tenant", Grant("OwnTimelines", "dynamodb:Query")) in guard.unused_grants
    assert ("tenant", Grant("OwnItems", "dynamodb:PutItem")) in guard.unused_grants


async def test_the_verdict_is_the_policies_own(caller: Caller, sent: list[str]) -> None:
    lax = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
    guard = PolicyGuard([TABLE], caller, {"tenant": lax})
    caller.principal = ACME

    async with watched_client(guard, sent) as client:
        await client.scan(TableName="data")
        await client.get_item(TableName="data", Key=FOREIGN)

    assert sent == ["Scan", "GetItem"]
    assert guard.unused_grants == set()
