import json
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.iam.policy import Policy, Request
from tests.iam.shipped import shipped_policies, table_arn

NODE_PROJECT = Path(__file__).parent / "node"
CASES, SEED = 1000, 20
LEADING, TENANT = "dynamodb:LeadingKeys", "aws:PrincipalTag/tenant"
OPERATORS = [
    f"{quantifier}{operator}"
    for quantifier in ("", "ForAllValues:", "ForAnyValue:")
    for operator in ("StringEquals", "StringLike")
]
# Only for StringLike: within StringEquals the other evaluator leaves ${*} as it stands, IAM makes it a star.
ESCAPED = ["T#${*}#a", "t${?}"]
PATTERNS = [
    "T#${aws:PrincipalTag/tenant}#*",
    "T#${aws:PrincipalTag/tenant}",
    "T#${aws:principaltag/TENANT}*",
    "T#${aws:PrincipalTag/absent}#*",
    "T#t1#*",
    "T#t?#a",
    "P#*",
    "C#*",
    "*",
    "?*",
    "t1",
    "",
    *ESCAPED,
]
# An empty tag is left out: the other evaluator takes it for an absent one.
TAGS = ["t1", "t10", "T1", "*", "?", "t?", "a.c", "t[1]"]
KEYS = [
    "T#t1#a",
    "T#t10#a",
    "T#T1#a",
    "T#*#a",
    "T#?#a",
    "T#abc#a",
    "T#t[1]#a",
    "T#t1",
    "P#a",
    "C#a",
    "t1",
    "*",
]
ACTIONS = [
    "GetItem",
    "BatchGetItem",
    "Query",
    "PutItem",
    "UpdateItem",
    "DeleteItem",
    "ConditionCheckItem",
    "Scan",
]
ACTION_PATTERNS = [*ACTIONS, "getitem", "*", "Batch*", "?etItem"]
INDEXABLE = {"Query", "Scan"}
TABLES = ["data", "data", "data", "control", "control", "dataset"]
_POLICIES = shipped_policies("data", "control")
SHIPPED = [_POLICIES["tenant"], *_POLICIES.values()]
RESOURCE_PATTERNS = [
    table_arn("data"),
    table_arn("data", "*"),
    table_arn("control"),
    table_arn("control", "*"),
    table_arn("d?ta"),
    table_arn("*"),
    "arn:aws:dynamodb:*:*:table/data",
    "*",
]


def condition(chance: random.Random) -> dict[str, Any]:
    """Up to three operators, each on one key."""
    chosen: dict[str, Any] = {}
    for _ in range(chance.randint(0, 3)):
        key = chance.choice([LEADING, LEADING, TENANT])
        if chance.random() < 0.25:
            chosen["Null"] = {key: chance.choice(["true", "false"])}
        else:
            operator = chance.choice(OPERATORS)
            pool = (
                PATTERNS if operator.endswith("Like") else [each for each in PATTERNS if each not in ESCAPED]
            )
            patterns = chance.sample(pool, chance.randint(1, 2))
            chosen[operator] = {key: patterns if len(patterns) > 1 else patterns[0]}
    return chosen


def statement(chance: random.Random) -> dict[str, Any]:
    return {
        "Effect": chance.choice(["Allow", "Allow", "Deny"]),
        "Action": [f"dynamodb:{each}" for each in chance.sample(ACTION_PATTERNS, chance.randint(2, 6))],
        "Resource": chance.sample(RESOURCE_PATTERNS, chance.randint(1, 3)),
        "Condition": condition(chance),
    }


def policy(chance: random.Random) -> dict[str, Any]:
    if chance.random() < 0.3:
        return chance.choice(SHIPPED)
    statements = [statement(chance) for _ in range(chance.randint(1, 3))]
    return {"Version": "2012-10-17", "Statement": statements}


def case(chance: random.Random) -> dict[str, Any]:
    action = chance.choice(ACTIONS)
    table = chance.choice(TABLES)
    index = chance.choice([None, "agenda"]) if action in INDEXABLE else None
    context: dict[str, Any] = {}
    if chance.random() < 0.85:
        context[TENANT] = chance.choice([*TAGS, *["t1"] * len(TAGS)])
    if action != "Scan" and chance.random() < 0.85:
        pool = [*KEYS, *["T#t1#a"] * len(KEYS)]
        context[LEADING] = [chance.choice(pool) for _ in range(chance.randint(1, 3))]
    return {
        "policy": policy(chance),
        "action": f"dynamodb:{action}",
        "resource": table_arn(table, index),
        "context": context,
    }


def own_verdict(each: dict[str, Any]) -> bool:
    context = {
        key: tuple(value) if isinstance(value, list) else value for key, value in each["context"].items()
    }
    return Policy(each["policy"]).allows(Request(each["action"], each["resource"], context))


@pytest.mark.node
def test_an_independent_evaluator_gives_the_same_verdicts() -> None:
    node = shutil.which("node")
    if node is None or not (NODE_PROJECT / "node_modules").is_dir():
        pytest.skip("no second opinion on the IAM evaluator: it needs node, and `npm ci` in tests/iam/node")
    chance = random.Random(SEED)  # noqa: S311 - seeded, so that a difference can be looked at again
    cases = [case(chance) for _ in range(CASES)]

    answer = subprocess.run(
        [node, NODE_PROJECT / "simulate.mjs"],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    theirs: list[str] = json.loads(answer.stdout)
    assert set(theirs) == {"Allowed", "ImplicitlyDenied", "ExplicitlyDenied"}
    assert min(theirs.count(verdict) for verdict in set(theirs)) > CASES / 20, "the cases decide too little"
    differing = [
        (each, verdict)
        for each, verdict in zip(cases, theirs, strict=True)
        if own_verdict(each) != (verdict == "Allowed")
    ]
    assert differing == []
