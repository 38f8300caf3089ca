"""Calls of DynamoDB as a client would make them, for the policies to decide on."""

from typing import Any

CallParams = tuple[str, dict[str, Any]]

DATA, CONTROL, OTHER = "data", "control", "other"
# The index that stands for all of a table's, and its partition attribute.
INDEXES = {DATA: ("by_position", "project"), CONTROL: ("timeline", "whose"), OTHER: ("agenda", "assignee")}


def key(partition: str) -> dict[str, Any]:
    return {"pk": {"S": partition}, "sk": {"S": "x"}}


def put(partition: str, table: str = DATA) -> CallParams:
    return "PutItem", {"TableName": table, "Item": key(partition)}


def update(partition: str, table: str = DATA) -> CallParams:
    return "UpdateItem", {"TableName": table, "Key": key(partition)}


def delete(partition: str, table: str = DATA) -> CallParams:
    return "DeleteItem", {"TableName": table, "Key": key(partition)}


def get_item(partition: str, table: str = DATA) -> CallParams:
    return "GetItem", {"TableName": table, "Key": key(partition)}


def query(partition: str, table: str = DATA) -> CallParams:
    return _query(partition, "pk", {"TableName": table})


def listing(partition: str, table: str = DATA) -> CallParams:
    """A query of an index."""
    index, attribute = INDEXES[table]
    return _query(partition, attribute, {"TableName": table, "IndexName": index})


def inventory(partition: str, table: str = DATA) -> CallParams:
    """A query of the index of all that a tenant has."""
    return _query(partition, "family", {"TableName": table, "IndexName": "inventory"})


def _query(partition: str, attribute: str, target: dict[str, Any]) -> CallParams:
    return "Query", {
        **target,
        "KeyConditionExpression": f"{attribute} = :p",
        "ExpressionAttributeValues": {":p": {"S": partition}},
    }


def batch(*partitions: str, table: str = DATA) -> CallParams:
    return "BatchGetItem", {"RequestItems": {table: {"Keys": [key(each) for each in partitions]}}}


def get(partition: str, table: str = DATA) -> CallParams:
    """What reads one item: only the batch is granted."""
    return batch(partition, table=table)


def batch_write(*partitions: str, table: str = DATA) -> CallParams:
    puts = [{"PutRequest": {"Item": key(each)}} for each in partitions]
    return "BatchWriteItem", {"RequestItems": {table: puts}}


def transaction(*members: tuple[str, CallParams]) -> CallParams:
    """All or nothing: `members` are a kind (Put, Update, Delete, ConditionCheck) and a call of one item."""
    return "TransactWriteItems", {"TransactItems": [{kind: params} for kind, (_, params) in members]}


def transact_get(*partitions: str, table: str = DATA) -> CallParams:
    gets = [{"Get": {"TableName": table, "Key": key(each)}} for each in partitions]
    return "TransactGetItems", {"TransactItems": gets}


def whole(operation: str, table: str = DATA, **params: Any) -> CallParams:
    return operation, {"TableName": table, **params}


def statements(source: str) -> list[CallParams]:
    """The ways to run PartiQL."""
    return [
        ("ExecuteStatement", {"Statement": source}),
        ("BatchExecuteStatement", {"Statements": [{"Statement": source}]}),
        ("ExecuteTransaction", {"TransactStatements": [{"Statement": source}]}),
    ]
