"""What DynamoDB makes of a write: the item that comes of it, and whether its condition holds."""

import re
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from typing import Any

from graphql_api.store.codec import Item
from graphql_api.store.keys import Key
from graphql_api.store.writes import (
    ANYTHING,
    Add,
    Condition,
    Delete,
    Put,
    Tally,
    Update,
    Write,
    inventory_attributes,
    key_attributes,
)

_TERM = re.compile(r"\A(attribute_(?:not_)?exists)\((\S+)\)\Z|\A(\S+) (=|<|<=|>|>=) (\S+)\Z")
_BETWEEN = re.compile(r"(\S+) BETWEEN (\S+) AND (\S+)")


def key_of_write(write: Write) -> Key:
    """Of the item it is a write of."""
    key: Any = write
    return key.key


def condition_of(write: Write) -> Condition:
    """On which it depends; a tally has none."""
    conditioned: Any = write
    return ANYTHING if isinstance(write, Tally) else conditioned.condition


def applied(write: Write, standing: Item | None) -> Item | None:
    """The item as the write leaves it; None where there is none."""
    match write:
        case Put():
            return key_attributes(write.key) | inventory_attributes(write.key) | write.item
        case Update():
            item = _listed(write.key, standing) | write.changes
            return {name: value for name, value in item.items() if name not in write.removals}
        case Add():
            return added(write, standing)
        case Tally():
            item = _listed(write.key, standing)
            totals = {name: _total(item, name, by) for name, by in write.amounts.items()}
            return item | totals | write.changes
        case Delete():
            return None
        case _:
            return standing


def _listed(key: Key, standing: Item | None) -> Item:
    return (standing or key_attributes(key)) | inventory_attributes(key)


def added(write: Add, standing: Item | None) -> Item:
    """The item as the addition leaves it."""
    item = _listed(write.key, standing)
    return item | {write.attribute: _total(item, write.attribute, write.by)}


def _total(item: Item, attribute: str, by: int) -> Mapping[str, str]:
    return {"N": str(Decimal(item.get(attribute, {"N": "0"})["N"]) + by)}


def holds(condition: Condition, standing: Item | None) -> bool:
    """Whether a condition holds for the item that stands there."""
    return any(
        all(_holds(term, condition, standing or {}) for term in terms)
        for terms in _alternatives(condition.expression)
    )


@cache
def _alternatives(expression: str) -> list[list[tuple[str, ...]]]:
    plain = _BETWEEN.sub(r"\1 >= \2 AND \1 <= \3", expression)
    return [[_term(term) for term in terms.split(" AND ")] for terms in plain.split(" OR ")]


def _term(text: str) -> tuple[str, ...]:
    match = _TERM.match(text)
    assert match is not None, f"a condition that is not known here: {text}"
    return (match[1], match[2]) if match[1] else (match[4], match[3], match[5])


def _holds(term: tuple[str, ...], condition: Condition, item: Item) -> bool:
    stored = item.get(condition.names[term[1]])
    if term[0] == "attribute_exists":
        return stored is not None
    if term[0] == "attribute_not_exists":
        return stored is None
    return stored is not None and _compares(term[0], stored, condition.values[term[2]])


def _compares(operator: str, stored: Mapping[str, Any], given: Mapping[str, Any]) -> bool:
    ((kind, one),), ((other_kind, other),) = stored.items(), given.items()
    if kind != other_kind:
        return False
    if kind == "N":
        one, other = Decimal(one), Decimal(other)
    return {
        "=": one == other,
        "<": one < other,
        "<=": one <= other,
        ">": one > other,
        ">=": one >= other,
    }[operator]
