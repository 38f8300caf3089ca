"""The fields that a tenant adds to its tasks: one entity, so that any number of them costs one read."""

import dataclasses
from enum import StrEnum
from typing import ClassVar

import strawberry

from graphql_api.relay import Node
from graphql_api.store.entity import Entity
from graphql_api.store.schema import SLOTS

CUSTOM_FIELDS_UID = "default"
MAX_FIELDS = 20
# Archived ones stay for good, since tasks hold their values: 250 KB of definitions at worst.
MAX_FIELDS_EVER = 40
MAX_FILTERABLE = len(SLOTS)
MAX_OPTIONS, MAX_OPTION = 30, 50  # options, and characters of one


@strawberry.enum(description="What the values of a custom field are.")
class CustomFieldType(StrEnum):
    TEXT = "TEXT"
    NUMBER = "NUMBER"
    BOOLEAN = "BOOLEAN"
    DATE = "DATE"
    CHOICE = "CHOICE"


@strawberry.type(description="A field that your tenant adds to its tasks.")
class CustomField:
    key: str = strawberry.field(description="What it is set and filtered by; never another.")
    name: str
    type: CustomFieldType
    options: list[str] = strawberry.field(
        default_factory=list[str], description="What a CHOICE is made from; empty for the other types."
    )
    archived: bool = strawberry.field(
        default=False, description="Its values can be read, and no longer be set or filtered by."
    )
    # The index that holds its values, as a place in SLOTS. An archived field gives it up for good.
    slot: strawberry.Private[int | None] = None

    @strawberry.field(description="Whether tasks can be filtered by it.")
    def filterable(self) -> bool:
        return self.slot is not None


@strawberry.type(description="The fields that your tenant adds to its tasks, in the order of their making.")
class CustomFields(Node, Entity):
    kind: ClassVar[str] = "FIELDS"
    noun: ClassVar[str] = "Custom field"

    fields: list[CustomField] = dataclasses.field(default_factory=list[CustomField])

    def field(self, key: str) -> CustomField | None:
        """The field with that key, archived or not."""
        return next((field for field in self.fields if field.key == key), None)

    @property
    def in_use(self) -> list[CustomField]:
        """Those that are not archived."""
        return [field for field in self.fields if not field.archived]

    @property
    def free_slot(self) -> int | None:
        """A place in SLOTS that no field has; None once all are taken."""
        return min(set(range(MAX_FILTERABLE)) - {field.slot for field in self.fields}, default=None)
