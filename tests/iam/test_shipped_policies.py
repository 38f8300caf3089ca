import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.iam.calls import CONTROL, DATA, CallParams
from tests.iam.guard import PolicyGuard, Principal
from tests.iam.policy import Policy, Request
from tests.iam.shipped import shipped_policies, table_arn
from tests.iam.verdicts import ALLOWED, DENIED, TABLES, label

POLICIES = {name: Policy(document) for name, document in shipped_policies(DATA, CONTROL).items()}
(
    TENANT_POLICY,
    LIFECYCLE_POLICY,
    PLATFORM_POLICY,
    READER_POLICY,
    ROUNDS_POLICY,
    CONNECTIONS_POLICY,
) = POLICIES.values()
INDEX = {DATA: "by_position", CONTROL: "timeline"}


@pytest.mark.parametrize(("principal", "call"), ALLOWED, ids=label)
def test_allowed(principal: Principal, call: CallParams, guard: PolicyGuard) -> None:
    assert guard.judge(principal, *call).allowed


@pytest.mark.parametrize(("principal", "call"), DENIED, ids=label)
def test_denied(principal: Principal, call: CallParams, guard: PolicyGuard) -> None:
    verdict = guard.judge(principal, *call)

    assert not verdict.allowed
    assert not verdict.poisoning


def test_every_grant_is_what_an_allowed_case_needs(guard: PolicyGuard) -> None:
    needed = {
        (principal.policy, grant)
        for principal, call in ALLOWED
        for grant in guard.judge(principal, *call).grants
    }

    assert needed == {(name, grant) for name, policy in POLICIES.items() for grant in policy.grants}


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


OWN_KEY = {
    "tenant": ({"aws:PrincipalTag/tenant": "t1"}, "T#t1#a"),
    "lifecycle": ({"aws:PrincipalTag/tenant": "t1"}, "T#t1#a"),
    "platform": ({}, "P#tenants"),
    "registry-reader": ({}, "P#tenants"),
    "connections": ({}, "C#one"),
}


@pytest.mark.parametrize("action", WHOLE_TABLE_ACTIONS)
@pytest.mark.parametrize(
    "resource", [*(table_arn(table, index) for table in TABLES for index in (None, INDEX[table])), "*"]
)
def test_the_policies_themselves_grant_nothing_beyond_items(action: str, resource: str) -> None:
    for name, (context, own_key) in OWN_KEY.items():
        for more in ({}, {"dynamodb:LeadingKeys": (own_key,)}):
            assert not POLICIES[name].allows(Request(f"dynamodb:{action}", resource, context | more))


@pytest.mark.parametrize("action", ["GetItem", "PutItem", "UpdateItem", "DeleteItem", "BatchGetItem"])
def test_items_are_not_written_through_an_index(action: str) -> None:
    for name, (context, own_key) in OWN_KEY.items():
        for table in TABLES:
            request = Request(
                f"dynamodb:{action}",
                table_arn(table, INDEX[table]),
                context | {"dynamodb:LeadingKeys": (own_key,)},
            )
            assert not POLICIES[name].allows(request)


ITEMS, LISTS, LOG, TIMELINES = (table_arn(table) + end for table in TABLES for end in ("", "/index/*"))
INVENTORIES = [table_arn(table, "inventory") for table in TABLES]


@pytest.mark.parametrize(
    ("policy", "resources"),
    [
        (TENANT_POLICY, [ITEMS, LISTS, LOG, LOG, LOG, TIMELINES]),
        (LIFECYCLE_POLICY, [ITEMS, LOG, *INVENTORIES, LOG]),
        (PLATFORM_POLICY, [ITEMS, LISTS, LOG, LOG]),
        (READER_POLICY, [ITEMS]),
        (ROUNDS_POLICY, [LISTS, LOG, LOG]),
        (CONNECTIONS_POLICY, [LOG]),
    ],
    ids=POLICIES,
)
def test_every_grant_names_one_action_on_one_table(policy: Policy, resources: list[str]) -> None:
    assert not any("*" in grant.action for grant in policy.grants)
    assert [resource for statement in policy.statements for resource in statement.resources] == resources
    for statement in policy.statements:
        assert {condition.operator for condition in statement.conditions} >= {"Null", "StringLike"}


awkward = st.text(alphabet=st.sampled_from("tTC10#*?${}[].\\|^P\n "), max_size=6)
READS = [
    ("BatchGetItem", table_arn(DATA)),
    ("Query", table_arn(DATA, INDEX[DATA])),
    ("BatchGetItem", table_arn(CONTROL)),
    ("Query", table_arn(CONTROL, INDEX[CONTROL])),
]


@pytest.mark.parametrize(("action", "resource"), READS)
@given(
    tag=awkward,
    keys=st.lists(st.builds("T#{}#{}".format, awkward, awkward) | awkward, min_size=1, max_size=3),
)
def test_a_tenant_reaches_exactly_the_keys_under_its_own_prefix(
    action: str, resource: str, tag: str, keys: list[str]
) -> None:
    context = {"aws:PrincipalTag/tenant": tag, "dynamodb:LeadingKeys": tuple(keys)}

    verdict = TENANT_POLICY.allows(Request(f"dynamodb:{action}", resource, context))

    assert verdict == (tag != "" and all(each.startswith(f"T#{tag}#") for each in keys))


@pytest.mark.parametrize(
    ("policy", "table", "family"),
    [(PLATFORM_POLICY, DATA, "P#"), (READER_POLICY, DATA, "P#"), (CONNECTIONS_POLICY, CONTROL, "C#")],
)
@given(
    keys=st.lists(st.builds("{}#{}".format, st.sampled_from("PC"), awkward) | awkward, min_size=1, max_size=3)
)
def test_the_other_roles_reach_exactly_the_keys_of_their_family(
    policy: Policy, table: str, family: str, keys: list[str]
) -> None:
    request = Request("dynamodb:BatchGetItem", table_arn(table), {"dynamodb:LeadingKeys": tuple(keys)})

    assert policy.allows(request) == all(each.startswith(family) for each in keys)
