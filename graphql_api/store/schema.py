"""The data table's definition, in the shape CreateTable takes.

Five indexes over six attributes: the partition says whose list it is, the sort attribute in which order.
Every index carries whole items, so a page of any list is one Query (decisions/0002).
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

    @property
    def index_name(self) -> str:
        return self.name.lower()


INDEX_PARTITIONS = tuple(dict.fromkeys(index.value.partition for index in Index))
INDEX_ATTRIBUTES = frozenset(attribute for index in Index for attribute in index.value)


def _key_schema(partition: str, sort: str) -> list[dict[str, str]]:
    return [
        {"AttributeName": partition, "KeyType": "HASH"},
        {"AttributeName": sort, "KeyType": "RANGE"},
    ]


def table_definition(name: str) -> dict[str, Any]:
    """Arguments of CreateTable for a data table called `name`; its TTL attribute is EXPIRY."""
    return {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            {"AttributeName": attribute, "AttributeType": "S"}
            for attribute in (PARTITION, SORT, *sorted(INDEX_ATTRIBUTES))
        ],
        "KeySchema": _key_schema(PARTITION, SORT),
        "GlobalSecondaryIndexes": [
            {
                "IndexName": index.index_name,
                "KeySchema": _key_schema(*index.value),
                "Projection": {"ProjectionType": "ALL"},
            }
            for index in Index
        ],
        "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    }
