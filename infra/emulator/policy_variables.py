"""Policy variables: `${aws:PrincipalTag/tenant}` in a policy stands for the tag of the caller's session."""

# pyright: basic, reportMissingImports=false

import re
from dataclasses import replace
from typing import Any

from ministack.core import iam_evaluator

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_NOTHING = "\0"  # stands in no resource and no key, so what holds it matches nothing


def patch() -> None:
    """IAM puts the values in before it compares; the emulator compares the text as it stands."""
    first_match = iam_evaluator._first_match

    def matched(context: Any, statements: list[Any], effect: str) -> Any:
        return first_match(context, [_substituted(each, context) for each in statements], effect)

    iam_evaluator._first_match = matched


def _substituted(statement: Any, context: Any) -> Any:
    return replace(
        statement,
        resources=_put_in(statement.resources, context),
        not_resources=_put_in(statement.not_resources, context),
        conditions=_put_in(statement.conditions, context),
    )


def _put_in(policy: Any, context: Any) -> Any:
    if isinstance(policy, dict):
        return {name: _put_in(value, context) for name, value in policy.items()}
    if isinstance(policy, list):
        return [_put_in(value, context) for value in policy]
    if not isinstance(policy, str):
        return policy
    return _VARIABLE.sub(lambda variable: _value(variable[1], context), policy)


def _value(name: str, context: Any) -> str:
    value = iam_evaluator._resolve_condition_key(name, context)
    # A wildcard of the value would be an ordinary character to IAM; here it could only be a wildcard again.
    return value if isinstance(value, str) and not set(value) & set("*?") else _NOTHING
