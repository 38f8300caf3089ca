"""The context key `dynamodb:LeadingKeys`: which partitions a request names."""

# pyright: basic, reportMissingImports=false

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from ministack.core import iam_actions, iam_evaluator
from ministack.services import dynamodb

_BY_TABLE = "emulator:keys-by-table"
_EQUALITY = re.compile(r"([#\w]+)\s*=\s*(:\w+)")


def patch() -> None:
    """IAM knows the partition keys of each item, and of the index a Query is on; the emulator knows none."""
    context_of, enforce = iam_actions.dynamodb_service_context, iam_evaluator.enforce

    def with_keys(body: bytes) -> dict[str, Any]:
        return {**context_of(body), _BY_TABLE: _keys_by_table(json.loads(body or b"{}"))}

    def enforced(key: str, action: str, service: str, region: str, **named: Any) -> Any:
        context = dict(named.get("service_context") or {})
        table = named.get("resource_arn", "*").partition(":table/")[2].partition("/")[0]
        if keys := context.pop(_BY_TABLE, {}).get(table):
            context["dynamodb:LeadingKeys"] = keys
        return enforce(key, action, service, region, **{**named, "service_context": context})

    iam_actions.dynamodb_service_context = with_keys
    iam_evaluator.enforce = enforced


def _keys_by_table(request: dict[str, Any]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for table, value in _values(request):
        found[table] += map(str, value.values())
    return found


def _values(request: dict[str, Any]) -> Iterator[tuple[str, dict[str, str]]]:
    """The tables and the partition keys of their items, as typed values; none for a Scan or a statement."""
    for part in _parts(request):
        yield from _values(part)
    if item := request.get("Item") or request.get("Key"):
        yield request["TableName"], item[_partition(request)]
    elif "KeyConditionExpression" in request:
        names, values = request.get("ExpressionAttributeNames", {}), request["ExpressionAttributeValues"]
        for name, placeholder in _EQUALITY.findall(request["KeyConditionExpression"]):
            if names.get(name, name) == _partition(request):
                yield request["TableName"], values[placeholder]


def _parts(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The members of a transaction or a batch, each like a request of its own."""
    for member in request.get("TransactItems", ()):
        yield from member.values()
    for table, members in request.get("RequestItems", {}).items():
        reads = [{"Key": key} for key in members["Keys"]] if "Keys" in members else []
        writes = [] if reads else [write for member in members for write in member.values()]
        for each in (*reads, *writes):
            yield {"TableName": table, **each}


def _partition(request: dict[str, Any]) -> str | None:
    """The attribute that is the partition key of the request's table or index; None where there is none."""
    table = dynamodb._tables.get(request["TableName"]) or {}
    index = request.get("IndexName")
    indexes = [*(table.get("GlobalSecondaryIndexes") or ()), *(table.get("LocalSecondaryIndexes") or ())]
    schemas = [table] if index is None else [each for each in indexes if each["IndexName"] == index]
    keys = schemas[0].get("KeySchema", ()) if schemas else ()
    return next((each["AttributeName"] for each in keys if each["KeyType"] == "HASH"), None)
