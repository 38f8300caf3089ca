import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.iam.guard import PlatformRole, PolicyGuard, Principal, TenantSession
from tests.iam.policy import Policy, Request
from tests.iam.shipped import shipped_policies, shipped_policy, table_arn
from tests.iam.stub_client import TABLE

T1, PLATFORM = TenantSession("t1"), PlatformRole()
POLICIES = {name: Policy(document) for name, document in shipped_policies("data").items()}
TENANT_POLICY, PLATFORM_POLICY = POLICIES["tenant"], POLICIES["platform"]

CallParams = tuple[str, dict[str, Any]]


def key(partition: str) -> dict[str, Any]:
    return {"pk": {"S": partition}, "sk": {"S": "x"}}


def put(partition: str) -> CallParams:
    return "PutItem", {"TableName": "data", "Item": key(partition)}


def update(partition: str) -> CallParams:
    return "UpdateItem", {"TableName": "data", "Key": key(partition)}


def delete(partition: str) -> CallParams:
    return "DeleteItem", {"TableName": "data", "Key": key(partition)}


def query(partition: str, index: str | None = None) -> CallParams:
    attribute = "pk" if index is None else "project"
    return "Query", {
        "TableName": "data",
        **({} if index is None else {"IndexName": index}),
        "KeyConditionExpression": f"{attribute} = :p",
        "ExpressionAttributeValues": {":p": {"S": partition}},
    }


def batch(*partitions: str) -> CallParams:
    return "BatchGetItem", {"RequestItems": {"data": {"Keys": [key(each) for each in partitions]}}}


def get(partition: str) -> CallParams:
    """What reads one item: only the batch is granted."""
    return batch(partition)


def batch_write(*partitions: str) -> CallParams:
    puts = [{"PutRequest": {"Item": key(each)}} for each in partitions]
    return "BatchWriteItem", {"RequestItems": {"data": puts}}


def transaction(put: str, check: str) -> CallParams:
    checked = {"TableName": "data", "Key": key(check), "ConditionExpression": "attribute_exists(pk)"}
    return "TransactWriteItems", {
        "TransactItems": [{"Put": {"TableName": "data", "Item": key(put)}}, {"ConditionCheck": checked}]
    }


def transact_get(*partitions: str) -> CallParams:
    gets = [{"Get": {"TableName": "data", "Key": key(each)}} for each in partitions]
    return "TransactGetItems", {"TransactItems": gets}


def whole(operation: str, **params: Any) -> CallParams:
    return operation, {"TableName": "data", **params}


ALLOWED: list[tuple[Principal, CallParams]] = [
    (T1, get("T#t1#task#1")),
    (T1, put("T#t1#task#1")),
    (T1, update("T#t1#task#1")),
    (T1, query("T#t1#project#1", "by_position")),
    (T1, batch("T#t1#a", "T#t1#b")),
    (T1, transaction("T#t1#a", "T#t1#b")),
    (TenantSession("t10"), get("T#t10#task#1")),
    (PLATFORM, get("P#tenant#t1")),
    (PLATFORM, put("P#tenant#t1")),
    (PLATFORM, update("P#tenant#t1")),
    (PLATFORM, query("P#tenants", "by_position")),
    (PLATFORM, batch("P#tenant#t1", "P#tenant#t2")),
]

DENIED: list[tuple[Principal, CallParams]] = [
    # another tenant's, in every form
    (T1, get("T#t2#task#1")),
    (T1, put("T#t2#task#1")),
    (T1, update("T#t2#task#1")),
    (T1, delete("T#t2#task#1")),
    (T1, query("T#t2#tasks")),
    (T1, query("T#t2#project#1", "by_position")),
    (T1, batch("T#t2#a")),
    # names that resemble its own
    (T1, get("T#t10#task#1")),
    (TenantSession("t10"), get("T#t1#task#1")),
    (T1, get("T#T1#task#1")),
    (T1, get("t#t1#task#1")),
    (T1, get("T#t1")),
    (T1, get("T#t1x#task#1")),
    (T1, get("xT#t1#task#1")),
    (T1, get(" T#t1#task#1")),
    # one foreign member among its own
    (T1, batch("T#t1#a", "T#t2#a")),
    (T1, transaction("T#t1#a", "T#t2#b")),
    (T1, transaction("T#t2#a", "T#t1#b")),
    (T1, transact_get("T#t1#a", "T#t2#a")),
    # sessions without a usable tag
    (TenantSession(None), get("T#t1#a")),
    (TenantSession(None), get("T##a")),
    (TenantSession(None), get("T#${aws:PrincipalTag/tenant}#a")),
    (TenantSession(""), get("T##a")),
    (TenantSession(""), get("T#t1#a")),
    (TenantSession("*"), get("T#t1#a")),
    (TenantSession("?"), get("T#a#a")),
    (TenantSession("t?"), get("T#t1#a")),
    (TenantSession("t*"), query("T#t1#project#1", "by_position")),
    (TenantSession("${*}"), get("T#t1#a")),
    # what names no partition
    (T1, whole("Scan")),
    (T1, whole("Scan", IndexName="by_position")),
    (T1, ("ExecuteStatement", {"Statement": "SELECT * FROM data WHERE pk = 'T#t1#a'"})),
    (T1, ("BatchExecuteStatement", {"Statements": [{"Statement": "DELETE FROM data"}]})),
    (T1, ("ExecuteTransaction", {"TransactStatements": [{"Statement": "SELECT * FROM data"}]})),
    (T1, whole("DescribeTable")),
    (T1, whole("UpdateTable")),
    (T1, whole("DeleteTable")),
    (T1, ("ExportTableToPointInTime", {"TableArn": table_arn("data"), "S3Bucket": "out"})),
    (T1, ("ListTables", {})),
    # what nothing here uses, and other tables
    (T1, batch_write("T#t1#a")),
    (T1, ("GetItem", {"TableName": "data", "Key": key("T#t1#a")})),
    (T1, transact_get("T#t1#a", "T#t1#b")),
    (T1, delete("T#t1#a")),
    (T1, query("T#t1#tasks")),
    (PLATFORM, query("P#tenants")),
    (T1, ("PutItem", {"TableName": "other", "Item": key("T#t1#a")})),
    # between the families
    (T1, get("P#tenant#t1")),
    (T1, put("P#tenant#t1")),
    (T1, query("P#tenants", "by_position")),
    (T1, transaction("T#t1#a", "P#tenant#t1")),
    (T1, get("C#connection")),
    (TenantSession("P"), get("P#tenant#t1")),
    (PLATFORM, get("T#t1#task#1")),
    (PLATFORM, put("T#t1#task#1")),
    (PLATFORM, query("T#t1#project#1", "by_position")),
    (PLATFORM, batch("P#tenant#t1", "T#t1#a")),
    (PLATFORM, get("P")),
    (PLATFORM, get("C#connection")),
    (PLATFORM, delete("P#tenant#t1")),
    (PLATFORM, whole("Scan")),
    (PLATFORM, whole("DeleteTable")),
    (PLATFORM, ("ExecuteStatement", {"Statement": "SELECT * FROM data"})),
]


def label(case: object) -> str:
    match case:
        case TenantSession(tenant):
            return f"tag={tenant}"
        case PlatformRole():
            return "platform"
        case (operation, _):
            return str(operation)
        case _:
            return str(case)


@pytest.mark.parametrize(("principal", "call"), ALLOWED, ids=label)
def test_allowed(principal: Principal, call: CallParams, guard: PolicyGuard) -> None:
    assert guard.judge(principal, *call).allowed


@pytest.mark.parametrize(("principal", "call"), DENIED, ids=label)
def test_denied(principal: Principal, call: CallParams, guard: PolicyGuard) -> None:
    verdict = guard.judge(principal, *call)

    assert not verdict.allowed
    assert not verdict.poisoning


OWN = "T#${aws:PrincipalTag/tenant}#*"
WEAKENED = {
    "any tenant": [(OWN, "T#*")],
    "any key": [(OWN, "*")],
    "a prefix without its end": [(OWN, "T#${aws:PrincipalTag/tenant}*")],
    "a prefix without its beginning": [(OWN, "*${aws:PrincipalTag/tenant}#*")],
    "one own key suffices": [("ForAllValues", "ForAnyValue")],
    "an empty tag": [("?*", "*")],
    "every action": [("dynamodb:BatchGetItem", "dynamodb:*")],
    "every action, and no partition named": [("dynamodb:BatchGetItem", "dynamodb:*"), ('"false"', '"true"')],
    "the registry's neighbours": [("P#*", "P*")],
    "everything from the registry": [("P#*", "*")],
}


@pytest.mark.parametrize("weakness", WEAKENED)
def test_the_denied_cases_tell_a_weakened_policy(weakness: str) -> None:
    text = json.dumps(shipped_policies("data"))
    for shipped, weaker in WEAKENED[weakness]:
        assert shipped in text
        text = text.replace(shipped, weaker)
    guard = PolicyGuard([TABLE], lambda: None, json.loads(text))

    assert [call for principal, call in DENIED if guard.judge(principal, *call).allowed]


WHOLE_TABLE_ACTIONS = [
    "Scan",
    "PartiQLSelect",
    "PartiQLInsert",
    "PartiQLUpdate",
    "PartiQLDelete",
    "DescribeTable",
    "UpdateTable",
    "DeleteTable",
    "ExportTableToPointInTime",
    "CreateBackup",
    "UpdateTimeToLive",
    "PutResourcePolicy",
    "BatchWriteItem",
]


@pytest.mark.parametrize("action", WHOLE_TABLE_ACTIONS)
@pytest.mark.parametrize("resource", [table_arn("data"), table_arn("data", "by_position"), "*"])
def test_the_policies_themselves_grant_nothing_beyond_items(action: str, resource: str) -> None:
    own = {"aws:PrincipalTag/tenant": "t1"}
    for context in (own, own | {"dynamodb:LeadingKeys": ("T#t1#a",)}):
        assert not TENANT_POLICY.allows(Request(f"dynamodb:{action}", resource, context))
    for context in ({}, {"dynamodb:LeadingKeys": ("P#tenants",)}):
        assert not PLATFORM_POLICY.allows(Request(f"dynamodb:{action}", resource, context))


def test_items_are_not_written_through_an_index() -> None:
    context = {"aws:PrincipalTag/tenant": "t1", "dynamodb:LeadingKeys": ("T#t1#a",)}

    for action in ("GetItem", "PutItem", "UpdateItem", "DeleteItem", "BatchGetItem"):
        assert not TENANT_POLICY.allows(Request(f"dynamodb:{action}", table_arn("data", "agenda"), context))


@pytest.mark.parametrize("policy", [TENANT_POLICY, PLATFORM_POLICY])
def test_every_grant_names_one_action_on_one_table(policy: Policy) -> None:
    assert not any("*" in grant.action for grant in policy.grants)
    for statement in policy.statements:
        assert set(statement.resources) <= {table_arn("data"), f"{table_arn('data')}/index/*"}
        assert {condition.operator for condition in statement.conditions} >= {"Null", "StringLike"}


awkward = st.text(alphabet=st.sampled_from("tT10#*?${}[].\\|^P\n "), max_size=6)


@given(
    tag=awkward,
    keys=st.lists(st.builds("T#{}#{}".format, awkward, awkward) | awkward, min_size=1, max_size=3),
)
def test_a_tenant_reaches_exactly_the_keys_under_its_own_prefix(tag: str, keys: list[str]) -> None:
    context = {"aws:PrincipalTag/tenant": tag, "dynamodb:LeadingKeys": tuple(keys)}

    verdict = TENANT_POLICY.allows(Request("dynamodb:BatchGetItem", table_arn("data"), context))

    assert verdict == (tag != "" and all(each.startswith(f"T#{tag}#") for each in keys))


@given(keys=st.lists(st.builds("P#{}".format, awkward) | awkward, min_size=1, max_size=3))
def test_the_platform_reaches_exactly_its_own_keys(keys: list[str]) -> None:
    request = Request("dynamodb:BatchGetItem", table_arn("data"), {"dynamodb:LeadingKeys": tuple(keys)})

    assert PLATFORM_POLICY.allows(request) == all(each.startswith("P#") for each in keys)


def test_a_parameter_that_is_not_given_is_told() -> None:
    with pytest.raises(KeyError, match="TableArn"):
        shipped_policy("tenant")
