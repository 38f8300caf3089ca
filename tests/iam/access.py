"""What an operation's parameters ask of IAM: the actions, on which table or index, for which partitions."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.iam.expressions import assignments, partition_placeholder
from tests.iam.shipped import table_arn

Params = Mapping[str, Any]
Written = tuple[tuple[str, str | None], ...]

ACTION_OF_WRITE = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
}
# The ways of saying it from before there were expressions; nothing here reads them.
LEGACY = frozenset({"AttributeUpdates", "KeyConditions"})


class UnreadableCallError(ValueError):
    """An operation or a form of its parameters that is not known here."""


@dataclass(frozen=True, slots=True)
class KeySchema:
    """Which attribute is the partition key: of a table, and of each of its indexes by name."""

    table: str
    partition: str
    indexes: Mapping[str, str]

    @classmethod
    def of(cls, definition: Params) -> "KeySchema":
        """From the arguments of CreateTable."""
        indexes = (
            *definition.get("GlobalSecondaryIndexes", ()),
            *definition.get("LocalSecondaryIndexes", ()),
        )
        return cls(
            definition["TableName"],
            _partition(definition["KeySchema"]),
            {index["IndexName"]: _partition(index["KeySchema"]) for index in indexes},
        )

    @property
    def partitions(self) -> frozenset[str]:
        return frozenset({self.partition, *self.indexes.values()})


@dataclass(frozen=True, slots=True)
class Access:
    """One action that IAM decides on.

    `leading_keys` is empty when the request names no partition. `written` holds the attributes that are a
    partition key of the table or of an index, each with its new value; None is a value that cannot be seen.
    """

    action: str
    table: str
    index: str | None = None
    leading_keys: tuple[str, ...] = ()
    written: Written = ()

    @property
    def resource(self) -> str:
        return table_arn(self.table, self.index)


Schemas = Mapping[str, KeySchema]


def accesses(operation: str, params: Params, schemas: Schemas) -> tuple[Access, ...]:
    """All that the call needs; whatever is not understood is an UnreadableCallError, never nothing."""
    derive = _DERIVATIONS.get(operation)
    if derive is None:
        raise UnreadableCallError(f"{operation} is not known")
    try:
        found = tuple(derive(operation, params, schemas))
    except UnreadableCallError:
        raise
    except (LookupError, TypeError, AttributeError, ValueError) as unreadable:
        raise UnreadableCallError(f"{operation}: {unreadable!r}") from unreadable
    if not found:
        raise UnreadableCallError(f"{operation} without an item")
    return found


def _partition(key_schema: Iterable[Mapping[str, str]]) -> str:
    # More than one partition attribute is possible in an index, and no IAM key is documented for it.
    (partition,) = (each["AttributeName"] for each in key_schema if each["KeyType"] == "HASH")
    return partition


def _string(value: Mapping[str, Any]) -> str:
    ((kind, text),) = value.items()
    if kind != "S" or not isinstance(text, str):
        raise UnreadableCallError("a partition key that is not a string")
    return text


def _on_item(action: str, params: Params, schemas: Schemas) -> Iterator[Access]:
    """The single-item operations, and the members of a transaction, which have the same shape."""
    if LEGACY & params.keys():
        raise UnreadableCallError(f"{action} in its legacy form")
    schema = schemas[params["TableName"]]
    written: Written = ()
    if action == "PutItem":
        written = _written_by_put(params["Item"], schema)
    if action == "UpdateItem":
        written = tuple(_written_by_update(params, schema))
    key = params["Item"] if action == "PutItem" else params["Key"]
    yield Access(action, schema.table, None, (_string(key[schema.partition]),), written)


def _written_by_put(item: Params, schema: KeySchema) -> Written:
    return tuple((name, _string(item[name])) for name in sorted(schema.partitions & item.keys()))


def _written_by_update(params: Params, schema: KeySchema) -> Iterator[tuple[str, str | None]]:
    # An update creates the item where there is none, so its key is written too.
    yield schema.partition, _string(params["Key"][schema.partition])
    expression, names = params.get("UpdateExpression", ""), params.get("ExpressionAttributeNames", {})
    for name, placeholder in assignments(expression, names):
        if name in schema.partitions:
            yield name, placeholder and _string(params["ExpressionAttributeValues"][placeholder])


def _query(action: str, params: Params, schemas: Schemas) -> Iterator[Access]:
    if LEGACY & params.keys():
        raise UnreadableCallError(f"{action} in its legacy form")
    schema, index = schemas[params["TableName"]], params.get("IndexName")
    attribute = schema.partition if index is None else schema.indexes[index]
    placeholder = partition_placeholder(
        params["KeyConditionExpression"], params.get("ExpressionAttributeNames", {}), attribute
    )
    leading = (_string(params["ExpressionAttributeValues"][placeholder]),)
    yield Access(action, schema.table, index, leading)


def _batch_get(action: str, params: Params, schemas: Schemas) -> Iterator[Access]:
    for table, request in params["RequestItems"].items():
        schema = schemas[table]
        yield Access(action, table, None, tuple(_string(key[schema.partition]) for key in request["Keys"]))


def _batch_write(action: str, params: Params, schemas: Schemas) -> Iterator[Access]:
    for table, requests in params["RequestItems"].items():
        schema = schemas[table]
        puts = [each["PutRequest"]["Item"] for each in requests if "PutRequest" in each]
        keys = [each["DeleteRequest"]["Key"] for each in requests if "PutRequest" not in each]
        leading = tuple(_string(each[schema.partition]) for each in (*puts, *keys))
        written = tuple(pair for item in puts for pair in _written_by_put(item, schema))
        yield Access(action, table, None, leading, written)


def _transaction(_action: str, params: Params, schemas: Schemas) -> Iterator[Access]:
    """A transaction is no action of its own: each member needs what it would need alone."""
    for member in params["TransactItems"]:
        ((kind, body),) = member.items()
        yield from _on_item("GetItem" if kind == "Get" else ACTION_OF_WRITE[kind], body, schemas)


def _whole_table(action: str, params: Params, schemas: Schemas) -> Iterator[Access]:
    yield Access(action, schemas[params["TableName"]].table, params.get("IndexName"))


def _partiql(_action: str, params: Params, schemas: Schemas) -> Iterator[Access]:
    """Statements are not parsed: each may touch every table, and names no partition."""
    for each in params.get("Statements") or params.get("TransactStatements") or [params]:
        verb = each["Statement"].split()[0].capitalize()
        yield from (Access(f"PartiQL{verb}", table) for table in schemas)


_Derivation = Callable[[str, Params, Schemas], Iterator[Access]]
_DERIVATIONS: Mapping[str, _Derivation] = {
    **dict.fromkeys(("GetItem", "PutItem", "UpdateItem", "DeleteItem"), _on_item),
    **dict.fromkeys(("TransactGetItems", "TransactWriteItems"), _transaction),
    **dict.fromkeys(("ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction"), _partiql),
    **dict.fromkeys(("Scan", "CreateTable", "DescribeTable", "UpdateTable", "DeleteTable"), _whole_table),
    "BatchGetItem": _batch_get,
    "BatchWriteItem": _batch_write,
    "Query": _query,
}
