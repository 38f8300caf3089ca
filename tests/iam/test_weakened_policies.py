"""Each statement of the shipped policies, weakened alone, lets something through that is denied."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.iam.calls import CONTROL, DATA
from tests.iam.guard import PolicyGuard
from tests.iam.shipped import shipped_policies
from tests.iam.stub_client import TABLES
from tests.iam.verdicts import DENIED

OWN = "T#${aws:PrincipalTag/tenant}#*"
NAMED, UNNAMED = '"false"', '"true"'
WEAKENED = {
    "any tenant": [(OWN, "T#*")],
    "any key": [(OWN, "*")],
    "a prefix without its end": [(OWN, "T#${aws:PrincipalTag/tenant}*")],
    "a prefix without its beginning": [(OWN, "*${aws:PrincipalTag/tenant}#*")],
    "any tenant's inventory": [("T#${aws:PrincipalTag/tenant}#INVENTORY", "T#*#INVENTORY")],
    "every list for the inventory": [("#INVENTORY#*", "#*")],
    "an empty tag": [("?*", "*")],
    "every table for the data table": [(f"table/{DATA}", "table/*")],
    "every table for the control table": [(f"table/{CONTROL}", "table/*")],
    "the registry's neighbours": [('"P#*"', '"P*"')],
    "everything from the registry": [('"P#*"', '"*"')],
    "a connection's neighbours": [('"C#*"', '"C*"')],
    "everything from a connection": [('"C#*"', '"*"')],
}
SOCKETS_WEAKENED = {
    "the log as well": [("#SOCKET*", "#*")],
    "any tenant's sockets": [("T#${aws:PrincipalTag/tenant}#SOCKET", "T#*#SOCKET")],
    "any tenant's topics": [("T#${aws:PrincipalTag/tenant}#TOPIC", "T#*#TOPIC")],
    "the log as well as usage": [("#USAGE#*", "#*")],
    "any tenant's usage": [("T#${aws:PrincipalTag/tenant}#USAGE", "T#*#USAGE")],
    "any tenant's groups": [("T#${aws:PrincipalTag/tenant}#GROUP", "T#*#GROUP")],
}
# A query names one partition, so these weaken nothing but what grants other actions.
ITEMS_WEAKENED = {
    "one own key suffices": [("ForAllValues", "ForAnyValue")],
    "every action": [("dynamodb:BatchGetItem", "dynamodb:*")],
    "every action, and no partition named": [("dynamodb:BatchGetItem", "dynamodb:*"), (NAMED, UNNAMED)],
}
LISTS_WEAKENED = {
    "every action, and no partition named": [("dynamodb:Query", "dynamodb:*"), (NAMED, UNNAMED)],
}

Documents = dict[str, dict[str, Any]]


def mutants() -> Iterator[Any]:
    """The documents with one weakness in one statement."""
    for name, shipped in shipped_policies(DATA, CONTROL).items():
        for position, statement in enumerate(shipped["Statement"]):
            for weakness, replacements in {**WEAKENED, **_fitting(statement["Action"])}.items():
                text = json.dumps(statement)
                if all(original in text for original, _ in replacements):
                    for original, weaker in replacements:
                        text = text.replace(original, weaker)
                    documents: Documents = shipped_policies(DATA, CONTROL)
                    documents[name]["Statement"][position] = json.loads(text)
                    yield pytest.param(documents, id=f"{statement['Sid']}: {weakness}")


def _fitting(actions: str | list[str]) -> dict[str, list[tuple[str, str]]]:
    if "dynamodb:BatchGetItem" in actions:
        return ITEMS_WEAKENED
    return LISTS_WEAKENED if "dynamodb:Query" in actions else SOCKETS_WEAKENED


@pytest.mark.parametrize("documents", [*mutants()])
def test_the_denied_cases_tell_a_weakened_statement(documents: Documents) -> None:
    guard = PolicyGuard(TABLES, lambda: None, documents)

    # What IAM would let through, and the guard alone stops, is let through.
    verdicts = [guard.judge(principal, *call) for principal, call in DENIED]
    assert any(verdict.allowed or verdict.poisoning for verdict in verdicts)


def test_every_weakness_fits_some_statement() -> None:
    tried = {str(mutant.id).partition(": ")[2] for mutant in mutants()}

    assert tried == {*WEAKENED, *ITEMS_WEAKENED, *LISTS_WEAKENED, *SOCKETS_WEAKENED}
