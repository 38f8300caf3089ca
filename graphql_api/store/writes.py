"""What a commit may consist of: each write with its condition and the error its failure means."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from graphql_api.store.codec import Item
from graphql_api.store.keys import Key, inventory_place
from graphql_api.store.schema import PARTITION, SORT, FamilyIndex

# Makes the error of a failed condition from the item that stands there instead, if any.
OnFailure = Callable[[Item | None], Exception]


class Write(Protocol):
    """One item's part of a commit."""

    @property
    def on_failure(self) -> OnFailure: ...

    def request(self, table_name: str) -> tuple[str, dict[str, Any]]:
        """The action's name in TransactWriteItems and its parameters."""
        ...

    def applied_in(self, standing: Item) -> bool:
        """Whether `standing` is what this very write would leave; items carry the request's id."""
        ...


def key_attributes(key: Key) -> Item:
    return {PARTITION: {"S": key.partition}, SORT: {"S": key.sort}}


def inventory_attributes(key: Key) -> Item:
    """What puts an item into its tenant's inventory; nothing for one that is no tenant's."""
    names, place = FamilyIndex.INVENTORY.value, inventory_place(key)
    return {name: {"S": value} for name, value in zip(names, place or (), strict=False)}


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition expression; names and values are always placeholders, never text."""

    expression: str
    names: Mapping[str, str] = field(default_factory=dict[str, str])
    values: Item = field(default_factory=dict[str, Mapping[str, Any]])


ABSENT = Condition("attribute_not_exists(#pk)", {"#pk": PARTITION})
PRESENT = Condition("attribute_exists(#pk)", {"#pk": PARTITION})
# A condition that always holds: the write replaces whatever is there.
ANYTHING = Condition("attribute_exists(#pk) OR attribute_not_exists(#pk)", {"#pk": PARTITION})


@dataclass(frozen=True, slots=True)
class Put:
    """Write a whole item."""

    key: Key
    item: Item
    on_failure: OnFailure
    condition: Condition = ABSENT

    def request(self, table_name: str) -> tuple[str, dict[str, Any]]:
        return "Put", {"TableName": table_name, "Item": self._whole} | _condition(self.condition)

    def applied_in(self, standing: Item) -> bool:
        return standing == self._whole

    @property
    def _whole(self) -> Item:
        return key_attributes(self.key) | inventory_attributes(self.key) | self.item


@dataclass(frozen=True, slots=True)
class Update:
    """Set and remove attributes of an item; what is not named stays as it is."""

    key: Key
    changes: Item
    removals: frozenset[str]
    condition: Condition
    on_failure: OnFailure

    def request(self, table_name: str) -> tuple[str, dict[str, Any]]:
        # It makes the item where there is none; where there is one, the index costs nothing.
        changes = self.changes | inventory_attributes(self.key)
        names = {f"#a{i}": name for i, name in enumerate((*changes, *sorted(self.removals)))}
        values = {f":a{i}": value for i, value in enumerate(changes.values())}
        sets = ", ".join(f"#a{i} = :a{i}" for i in range(len(changes)))
        removes = ", ".join(f"#a{i}" for i in range(len(changes), len(names)))
        clauses = [f"SET {sets}"] * bool(sets) + [f"REMOVE {removes}"] * bool(removes)
        expression = {
            "TableName": table_name,
            "Key": key_attributes(self.key),
            "UpdateExpression": " ".join(clauses),
        }
        return "Update", expression | _condition(self.condition, names, values)

    def applied_in(self, standing: Item) -> bool:
        return self.removals.isdisjoint(standing) and standing == standing | self.changes


@dataclass(frozen=True, slots=True)
class Delete:
    """Take an item away."""

    key: Key
    condition: Condition
    on_failure: OnFailure

    def request(self, table_name: str) -> tuple[str, dict[str, Any]]:
        parameters = {"TableName": table_name, "Key": key_attributes(self.key)}
        return "Delete", parameters | _condition(self.condition)

    def applied_in(self, standing: Item) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class Add:
    """Add to a number of an item, absent ones being 0; the item is made where there is none."""

    key: Key
    attribute: str
    by: int
    condition: Condition
    on_failure: OnFailure

    def request(self, table_name: str) -> tuple[str, dict[str, Any]]:
        listed = inventory_attributes(self.key)
        names = {"#n": self.attribute} | {f"#i{i}": name for i, name in enumerate(listed)}
        values: Item = {":by": {"N": str(self.by)}}
        values |= {f":i{i}": value for i, value in enumerate(listed.values())}
        sets = ", ".join(f"#i{i} = :i{i}" for i in range(len(listed)))
        parameters = {
            "TableName": table_name,
            "Key": key_attributes(self.key),
            "UpdateExpression": "ADD #n :by" + f" SET {sets}" * bool(sets),
        }
        return "Update", parameters | _condition(self.condition, names, values)

    def applied_in(self, standing: Item) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class Tally:
    """Add to several numbers of an item, absent ones being 0, and set other attributes, whatever is there."""

    key: Key
    amounts: Mapping[str, int]
    changes: Item
    on_failure: OnFailure = lambda _: AssertionError("a write without a condition cannot fail by it")

    def request(self, table_name: str) -> tuple[str, dict[str, Any]]:
        changes = self.changes | inventory_attributes(self.key)
        adds, sets = _placeholders("a", self.amounts), _placeholders("s", changes)
        numbers = {f":{place}": {"N": str(self.amounts[name])} for place, name in adds.items()}
        added = ", ".join(f"#{place} :{place}" for place in adds)
        changed = ", ".join(f"#{place} = :{place}" for place in sets)
        return "Update", {
            "TableName": table_name,
            "Key": key_attributes(self.key),
            "UpdateExpression": f"ADD {added} SET {changed}",
            "ExpressionAttributeNames": {f"#{place}": name for place, name in (adds | sets).items()},
            "ExpressionAttributeValues": numbers
            | {f":{place}": changes[name] for place, name in sets.items()},
        }

    def applied_in(self, standing: Item) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class Check:
    """Write nothing, but let the commit fail unless the item is as expected."""

    key: Key
    condition: Condition
    on_failure: OnFailure

    def request(self, table_name: str) -> tuple[str, dict[str, Any]]:
        parameters = {"TableName": table_name, "Key": key_attributes(self.key)}
        return "ConditionCheck", parameters | _condition(self.condition)

    def applied_in(self, standing: Item) -> bool:
        return False


def _placeholders(letter: str, names: Iterable[str]) -> dict[str, str]:
    return {f"{letter}{number}": name for number, name in enumerate(names)}


def _condition(
    condition: Condition, names: Mapping[str, str] | None = None, values: Item | None = None
) -> dict[str, Any]:
    names, values = {**(names or {}), **condition.names}, {**(values or {}), **condition.values}
    parameters: dict[str, Any] = {
        "ConditionExpression": condition.expression,
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        "ExpressionAttributeNames": names,
    }
    return parameters | ({"ExpressionAttributeValues": values} if values else {})
