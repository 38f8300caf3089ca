"""An example consumer of the event bus: how many tasks of each project are done.

A Lambda function behind a rule for `{"source": ["graphql-api"], "detail-type": [{"prefix": "Task."}]}`. It
needs a table with the keys `pk` and `sk`, named by COUNTERS_TABLE, and the rights GetItem and
TransactWriteItems (PutItem, UpdateItem) on it.

Events come at least once and in any order. What is counted of a task is kept with the sequence number of the
event that said so: an event that is not newer changes nothing, and a newer one moves the counters by what it
changes, in one transaction with what is kept of the task.
"""

import os
from typing import Any

import botocore.session
from botocore.exceptions import ClientError

MAX_TRIES = 10  # Then the invocation fails, and EventBridge's retries bring the event again.

_client = botocore.session.get_session().create_client("dynamodb")


def handler(event: dict[str, Any], _context: object) -> None:
    """Count one event. Raises where others were faster too often."""
    detail = event["detail"]
    if "task" not in detail:
        return
    table = os.environ["COUNTERS_TABLE"]  # noqa: TID251 - it is no part of the product
    for _ in range(MAX_TRIES):
        writes = _writes(table, detail)
        if not writes:
            return
        try:
            _client.transact_write_items(TransactItems=writes)
        except ClientError as error:
            # Another event of the task, or of a task of the same project, was counted meanwhile.
            if error.response["Error"]["Code"] != "TransactionCanceledException":
                raise
        else:
            return
    raise RuntimeError(f"the event {detail['id']} could not be counted")


def _writes(table: str, detail: dict[str, Any]) -> list[dict[str, Any]]:
    """What counts the event; nothing if as new a one has been counted."""
    key = _key(detail["tenant"], "TASK", detail["entityId"])
    known = _client.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")
    if known is not None and int(known["sequence"]["N"]) >= detail["sequence"]:
        return []
    counted = known["project"]["S"] if known and known["isDone"]["BOOL"] else None
    project, is_done = detail["task"]["projectId"], detail["task"]["isDone"]
    counts = project if is_done else None
    item = key | {
        "sequence": {"N": str(detail["sequence"])},
        "project": {"S": project},
        "isDone": {"BOOL": is_done},
    }
    put = {"TableName": table, "Item": item} | _unmoved(known)
    moves = {} if counts == counted else {counted: -1, counts: +1}
    return [
        {"Put": put},
        *(_addition(table, detail["tenant"], each, by) for each, by in moves.items() if each is not None),
    ]


def _unmoved(known: dict[str, Any] | None) -> dict[str, Any]:
    """The condition that the task is as it was read."""
    if known is None:
        return {"ConditionExpression": "attribute_not_exists(pk)"}
    return {
        "ConditionExpression": "#sequence = :known",
        "ExpressionAttributeNames": {"#sequence": "sequence"},
        "ExpressionAttributeValues": {":known": known["sequence"]},
    }


def _addition(table: str, tenant: str, project: str, by: int) -> dict[str, Any]:
    return {
        "Update": {
            "TableName": table,
            "Key": _key(tenant, "PROJECT", project),
            "UpdateExpression": "ADD #done :by",
            "ExpressionAttributeNames": {"#done": "done"},
            "ExpressionAttributeValues": {":by": {"N": str(by)}},
        }
    }


def _key(tenant: str, kind: str, id: str) -> dict[str, Any]:
    return {"pk": {"S": f"{tenant}#{kind}"}, "sk": {"S": id}}
