from typing import Any

import pytest

from tests.iam.policy import ContextValue, Grant, Policy, PolicyError, Request

TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/data"
LEADING, TENANT = "dynamodb:LeadingKeys", "aws:PrincipalTag/tenant"
OWN = "T#${aws:PrincipalTag/tenant}#*"


def allow(**parts: Any) -> dict[str, Any]:
    return {"Sid": "S", "Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": TABLE, **parts}


def policy(*statements: dict[str, Any]) -> Policy:
    return Policy({"Version": "2012-10-17", "Statement": list(statements)})


def decide(
    *statements: dict[str, Any],
    action: str = "dynamodb:GetItem",
    resource: str = TABLE,
    tenant: str | None = None,
    leading: ContextValue | None = None,
) -> bool:
    """The verdict; a None stands for a key that is not in the request's context."""
    context = {key: value for key, value in ((TENANT, tenant), (LEADING, leading)) if value is not None}
    return policy(*statements).allows(Request(action, resource, context))


@pytest.mark.parametrize(
    ("pattern", "action", "verdict"),
    [
        ("dynamodb:GetItem", "dynamodb:GetItem", True),
        ("DynamoDB:getitem", "dynamodb:GetItem", True),
        ("dynamodb:*", "dynamodb:DeleteTable", True),
        ("dynamodb:Batch?etItem", "dynamodb:BatchGetItem", True),
        ("dynamodb:Get", "dynamodb:GetItem", False),
        ("dynamodb:Item", "dynamodb:GetItem", False),
        ("s3:*", "dynamodb:GetItem", False),
        ("dynamodb.GetItem", "dynamodb:GetItem", False),
    ],
)
def test_actions_match_whole_and_without_case(pattern: str, action: str, verdict: bool) -> None:
    assert decide(allow(Action=pattern), action=action) is verdict


@pytest.mark.parametrize(
    ("pattern", "resource", "verdict"),
    [
        ("*", TABLE, True),
        (TABLE, TABLE, True),
        (TABLE, f"{TABLE}/index/a", False),
        (f"{TABLE}/index/*", f"{TABLE}/index/a", True),
        (f"{TABLE}/index/*", TABLE, False),
        (f"{TABLE}*", f"{TABLE}base", True),
        (f"{TABLE}*", f"{TABLE}/index/a", True),
        ("arn:aws:dynamodb:*:*:table/data", TABLE, True),
        ("arn:*:*:*:*:table/DATA", TABLE, False),
        ("arn:aws:dynamodb:us-east-?:123456789012:table/data", TABLE, True),
        ("arn:aws:dynamodb:us*012:1:table/data", "arn:aws:dynamodb:us-east-1:012:1:table/data", False),
    ],
)
def test_resources_match_segment_by_segment(pattern: str, resource: str, verdict: bool) -> None:
    assert decide(allow(Resource=pattern), resource=resource) is verdict


def test_without_a_matching_statement_the_answer_is_no() -> None:
    assert not decide()
    assert not decide(allow(Action="dynamodb:PutItem"))


@pytest.mark.parametrize("deny_first", [True, False])
def test_a_deny_wins_wherever_it_stands(deny_first: bool) -> None:
    deny = allow(Effect="Deny", Condition={"StringEquals": {TENANT: "evil"}})
    statements = (deny, allow()) if deny_first else (allow(), deny)

    assert not decide(*statements, tenant="evil")
    assert decide(*statements, tenant="good")


FOR_ALL = {"ForAllValues:StringLike": {LEADING: OWN}}
FOR_ANY = {"ForAnyValue:StringLike": {LEADING: OWN}}
SINGLE = {"StringLike": {LEADING: OWN}}


@pytest.mark.parametrize(
    ("condition", "leading", "verdict"),
    [
        (FOR_ALL, ("T#t1#a", "T#t1#b"), True),
        (FOR_ALL, ("T#t1#a", "T#t2#b"), False),
        (FOR_ALL, (), True),
        (FOR_ALL, None, True),
        (FOR_ALL, "T#t1#a", True),
        (FOR_ALL, ("",), False),
        (FOR_ANY, ("T#t1#a", "T#t2#b"), True),
        (FOR_ANY, ("T#t2#b",), False),
        (FOR_ANY, (), False),
        (FOR_ANY, None, False),
        (SINGLE, ("T#t1#a",), False),
        (SINGLE, "T#t1#a", True),
        (SINGLE, None, False),
    ],
)
def test_quantifiers_over_present_empty_and_absent_keys(
    condition: dict[str, Any], leading: ContextValue | None, verdict: bool
) -> None:
    assert decide(allow(Condition=condition), tenant="t1", leading=leading) is verdict


@pytest.mark.parametrize(
    ("value", "leading", "verdict"),
    [
        ("false", ("T#t1#a",), True),
        ("false", (), False),
        ("false", None, False),
        ("true", ("T#t1#a",), False),
        ("true", None, True),
    ],
)
def test_null_asks_whether_the_key_is_there(value: str, leading: ContextValue | None, verdict: bool) -> None:
    assert decide(allow(Condition={"Null": {LEADING: value}}), leading=leading) is verdict


@pytest.mark.parametrize(
    ("tag", "leading", "verdict"),
    [
        ("t1", "T#t1#a", True),
        ("t1", "T#t10#a", False),
        ("t1", "T#T1#a", False),
        ("*", "T#t1#a", False),
        ("*", "T#*#a", True),
        ("?", "T#a#a", False),
        ("t?", "T#t1#a", False),
        (".", "T#x#a", False),
        ("${*}", "T#*#a", False),
        ("", "T##a", True),
        (None, "T#t1#a", False),
        (None, OWN, False),
    ],
)
def test_a_variable_is_replaced_by_its_literal_value(tag: str | None, leading: str, verdict: bool) -> None:
    assert decide(allow(Condition=FOR_ALL), tenant=tag, leading=(leading,)) is verdict


def test_a_variable_of_a_multivalued_key_matches_nothing() -> None:
    condition = {"ForAllValues:StringLike": {LEADING: "${dynamodb:LeadingKeys}"}}

    assert not decide(allow(Condition=condition), leading=("T#t1#a",))


@pytest.mark.parametrize(
    ("operator", "pattern", "tag", "verdict"),
    [
        ("StringEquals", "t*", "t1", False),
        ("StringEquals", "t*", "t*", True),
        ("StringEquals", "t1", "T1", False),
        ("StringEquals", ["t2", "t1"], "t1", True),
        ("StringLike", "T*", "t1", False),
        ("StringLike", "?*", "t", True),
        ("StringLike", "?*", "", False),
        ("StringLike", "${*}", "*", True),
        ("StringLike", "${*}", "t1", False),
        ("StringLike", "a.c", "abc", False),
        ("StringLike", "t*", "t\n1", True),
    ],
)
def test_string_operators(operator: str, pattern: Any, tag: str, verdict: bool) -> None:
    assert decide(allow(Condition={operator: {TENANT: pattern}}), tenant=tag) is verdict


def test_operators_and_keys_must_all_hold() -> None:
    both = {"StringLike": {TENANT: "t*", LEADING: "T#*"}, "StringEquals": {TENANT: "t1"}}

    assert decide(allow(Condition=both), tenant="t1", leading="T#t1#a")
    assert not decide(allow(Condition=both), tenant="t2", leading="T#t1#a")
    assert not decide(allow(Condition=both), tenant="t1", leading="P#t1#a")


def test_names_of_context_keys_are_compared_without_case() -> None:
    condition = {"StringLike": {"AWS:principaltag/Tenant": "${aws:PRINCIPALTAG/tenant}"}}

    assert decide(allow(Condition=condition), tenant="t1")


def test_what_allowed_a_request_is_named() -> None:
    reading = allow(Sid="Read", Action=["dynamodb:GetItem", "dynamodb:Query"])
    tested = policy(reading, allow(Sid="All", Action="dynamodb:*"))

    assert tested.grants_for(Request("dynamodb:Query", TABLE, {})) == {
        Grant("Read", "dynamodb:Query"),
        Grant("All", "dynamodb:*"),
    }
    assert len(tested.grants) == 3


@pytest.mark.parametrize(
    "statement",
    [
        allow(NotAction="dynamodb:Scan"),
        allow(Principal="*"),
        allow(Effect="allow"),
        allow(Resource="arn:aws:dynamodb:us-east-1"),
        allow(Resource="arn:aws:dynamodb:*:table/data"),
        allow(Resource="arn:aws:dynamodb:${aws:RequestedRegion}:1:table/data"),
        allow(Resource=[]),
        allow(Action=7),
        allow(Condition={"StringLikeIfExists": {TENANT: "t1"}}),
        allow(Condition={"StringNotLike": {TENANT: "t1"}}),
        allow(Condition={"ForAllValues:Null": {TENANT: "true"}}),
        allow(Condition={"Null": {TENANT: "maybe"}}),
        allow(Condition={"StringLike": {TENANT: "${aws:username, 'nobody'}"}}),
        {"Effect": "Allow", "Action": "dynamodb:GetItem"},
    ],
)
def test_what_is_not_understood_is_refused(statement: dict[str, Any]) -> None:
    with pytest.raises(PolicyError):
        policy(statement)


def test_an_older_version_has_no_variables_and_is_refused() -> None:
    with pytest.raises(PolicyError):
        Policy({"Version": "2008-10-17", "Statement": allow()})
