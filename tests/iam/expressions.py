"""DynamoDB's expressions, read as far as a partition key can stand in them."""

import re
from collections.abc import Iterator, Mapping

Names = Mapping[str, str]

_TOKEN = re.compile(r"\s*([#:]?\w+|<[=>]?|>=?|[=(),.+\-\[\]])", re.ASCII)
_CLAUSES = ("SET", "REMOVE", "ADD", "DELETE")


class ExpressionError(ValueError):
    """The expression does not say, in a form known here, which partition it touches."""


def _tokens(expression: str) -> list[str]:
    tokens: list[str] = []
    position, end = 0, len(expression.rstrip())
    while position < end:
        token = _TOKEN.match(expression, position)
        if token is None:
            raise ExpressionError(f"cannot be read: {expression}")
        tokens.append(token[1])
        position = token.end()
    return tokens


def partition_placeholder(key_condition: str, names: Names, attribute: str) -> str:
    """The placeholder of the value that `attribute` must equal: of the one partition a Query reads."""
    tokens = _tokens(key_condition)
    found = [
        value
        for name, equals, value in zip(tokens, tokens[1:], tokens[2:], strict=False)
        if names.get(name, name) == attribute and equals == "="
    ]
    if len(found) != 1 or not found[0].startswith(":"):
        raise ExpressionError(f"{attribute} must equal one value: {key_condition}")
    return found[0]


def assignments(update: str, names: Names) -> Iterator[tuple[str, str | None]]:
    """Each attribute that an update gives a value, with the value's placeholder.

    None stands for a value that the expression alone does not show: a sum, a part of a document, a copy.
    """
    for clause, action in _actions(update):
        attribute = names.get(action[0], action[0])
        if clause == "SET":
            yield attribute, _assigned(action, names)
        elif clause != "REMOVE":
            yield attribute, None


def _actions(update: str) -> Iterator[tuple[str, list[str]]]:
    clause, depth = "", 0
    action: list[str] = []
    for token in _tokens(update):
        # The four words are reserved: a bare one never names an attribute.
        starts_clause = token.upper() in _CLAUSES
        if action and (starts_clause or (token == "," and not depth)):
            yield clause, action
            action = []
        if starts_clause:
            clause = token.upper()
        elif action or token != ",":
            action.append(token)
        depth += (token == "(") - (token == ")")
    if action:
        yield clause, action


def _assigned(action: list[str], names: Names) -> str | None:
    """The placeholder in `a = :v` and `a = if_not_exists(a, :v)`."""
    match action:
        case [_, "=", value] if value.startswith(":"):
            return value
        case [target, "=", "if_not_exists", "(", source, ",", value, ")"] if value.startswith(":"):
            return value if names.get(source, source) == names.get(target, target) else None
        case _:
            return None
