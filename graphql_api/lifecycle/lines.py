"""An item as a line of an export, version 1: one JSON object with a table, the item's keys, its attributes.

    {"table": "data", "pk": "T#acme#TASK#…", "sk": "TASK", "attributes": {"title": {"S": "…"}, …}}

Attributes are in DynamoDB's JSON, binary ones in base64, members sorted. What puts an item into the tenant's
inventory is left out: the store adds it to whatever it writes.
"""

import base64
import json
from typing import Any, NamedTuple

from graphql_api.store.codec import Item
from graphql_api.store.keys import Key
from graphql_api.store.schema import PARTITION, SORT, FamilyIndex

VERSION = 1
TABLES = ("data", "control")
_NOT_WRITTEN = frozenset({PARTITION, SORT, *FamilyIndex.INVENTORY.value})


class Line(NamedTuple):
    """An item of that table."""

    table: str
    key: Key
    attributes: Item


def to_line(line: Line) -> bytes:
    """The line, with its end."""
    parts = {
        "table": line.table,
        "pk": line.key.partition,
        "sk": line.key.sort,
        "attributes": {name: value for name, value in line.attributes.items() if name not in _NOT_WRITTEN},
    }
    return _json(parts).encode() + b"\n"


def from_line(text: bytes) -> Line:
    """The reverse. Raises a ValueError, LookupError or TypeError for what is no such line."""
    parts = json.loads(text)
    key = Key(str(parts["pk"]), str(parts["sk"]))
    return Line(str(parts["table"]), key, {k: _restored(v) for k, v in parts["attributes"].items()})


def _json(value: object) -> str:
    return json.dumps(value, default=_base64, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _base64(value: Any) -> str:
    return base64.b64encode(value).decode()


def _restored(value: dict[str, Any]) -> dict[str, Any]:
    """An attribute with its binary parts as bytes again."""
    ((kind, inner),) = value.items()
    match kind:
        case "B":
            return {kind: base64.b64decode(inner, validate=True)}
        case "BS":
            return {kind: [base64.b64decode(one, validate=True) for one in inner]}
        case "L":
            return {kind: [_restored(one) for one in inner]}
        case "M":
            return {kind: {name: _restored(one) for name, one in inner.items()}}
        case _:
            return value
