"""The two tables' definitions, in the shape CreateTable takes.

Both have an index of the keys of all that a tenant owns (see inventory.py).

An index's partition in the data table says whose list it is, its sort attribute in which order. Every one
carries whole items, so a page of any list is one Query (decisions/0002). Five of them hold the tasks that
have some value of a tenant's own fields (decisions/0018).

The control table holds what changes often and must not feed the stream: the change log, sockets and their
subscriptions. Its other index finds entries of the log by who made the change or when.
"""

from enum import Enum
from typing import Any, NamedTuple

PARTITION, SORT = "pk", "sk"
EXPIRY = "expires_at"


class IndexKeys(NamedTuple):
    """The two attributes that make an index's key."""

    partition: str
    sort: str


class Index(Enum):
    """The lists an entity can stand in."""

    BY_POSITION = IndexKeys("project_pk", "position_sk")
    BY_STATUS = IndexKeys("project_pk", "status_sk")
    PROJECT_AGENDA = IndexKeys("project_pk", "agenda_sk")
    ASSIGNEE_AGENDA = IndexKeys("assignee_pk", "agenda_sk")
    LISTING = IndexKeys("listing_pk", "agenda_sk")
    SLOT_1 = IndexKeys("slot_1_pk", "agenda_sk")
    SLOT_2 = IndexKeys("slot_2_pk", "agenda_sk")
    SLOT_3 = IndexKeys("slot_3_pk", "agenda_sk")
    SLOT_4 = IndexKeys("slot_4_pk", "agenda_sk")
    SLOT_5 = IndexKeys("slot_5_pk", "agenda_sk")

    @property
    def index_name(self) -> str:
        return self.name.lower()


class LogIndex(Enum):
    """The lists that entries of the change log stand in besides the log itself."""

    TIMELINE = IndexKeys("timeline_pk", "timeline_sk")

    @property
    def index_name(self) -> str:
        return self.name.lower()


class FamilyIndex(Enum):
    """What all items of a tenant stand in, in either table."""

    INVENTORY = IndexKeys("inventory_pk", "inventory_sk")

    @property
    def index_name(self) -> str:
        return self.name.lower()


# Which of them holds what, each tenant decides for itself.
SLOTS = (Index.SLOT_1, Index.SLOT_2, Index.SLOT_3, Index.SLOT_4, Index.SLOT_5)
INDEX_PARTITIONS = tuple(dict.fromkeys(index.value.partition for index in Index))
INDEX_ATTRIBUTES = frozenset(attribute for index in Index for attribute in index.value)
# What the timeline itself tells of a log item, so that a place in the log is found without reading it.
SEGMENT_POINTER, EPOCH = "segment", "epoch"


def _key_schema(partition: str, sort: str) -> list[dict[str, str]]:
    return [
        {"AttributeName": partition, "KeyType": "HASH"},
        {"AttributeName": sort, "KeyType": "RANGE"},
    ]


def table_definition(name: str) -> dict[str, Any]:
    """Arguments of CreateTable for a data table called `name`; its TTL attribute is EXPIRY."""
    indexes = [_index(index.index_name, index.value, {"ProjectionType": "ALL"}) for index in Index]
    stream = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    return _definition(name, {*INDEX_ATTRIBUTES}, indexes) | {"StreamSpecification": stream}


def control_definition(name: str) -> dict[str, Any]:
    """Arguments of CreateTable for a control table called `name`; its TTL attribute is EXPIRY."""
    projection = {"ProjectionType": "INCLUDE", "NonKeyAttributes": [SEGMENT_POINTER, EPOCH]}
    timeline = LogIndex.TIMELINE
    return _definition(name, {*timeline.value}, [_index(timeline.index_name, timeline.value, projection)])


def _definition(name: str, attributes: set[str], indexes: list[dict[str, Any]]) -> dict[str, Any]:
    inventory = FamilyIndex.INVENTORY
    listed = _index(inventory.index_name, inventory.value, {"ProjectionType": "KEYS_ONLY"})
    return {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            {"AttributeName": attribute, "AttributeType": "S"}
            for attribute in (PARTITION, SORT, *sorted(attributes | {*inventory.value}))
        ],
        "KeySchema": _key_schema(PARTITION, SORT),
        "GlobalSecondaryIndexes": [*indexes, listed],
    }


def _index(name: str, keys: IndexKeys, projection: dict[str, Any]) -> dict[str, Any]:
    return {"IndexName": name, "KeySchema": _key_schema(*keys), "Projection": projection}
