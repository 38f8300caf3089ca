"""What every stored thing has in common; a feature's entity is one dataclass and its place in the lists."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, TypeAlias

import strawberry

from graphql_api.store.codec import Item, encode
from graphql_api.store.keys import Family, Key, entity_key, partition
from graphql_api.store.schema import EXPIRY, INDEX_ATTRIBUTES, PARTITION, SLOTS, SORT, FamilyIndex

# A soft-deleted entity can be restored for this long; then the table's TTL removes it.
RESTORABLE_FOR = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where an entity stands in the indexes; what is None is in no list of that kind.

    A partition is a path inside the tenant's family, such as ("PROJECT", project uid); a sort value
    orders the entity in every list that sorts by that attribute. `slots` are partitions of the indexes that
    tenants filter by, each in its place.
    """

    project_pk: tuple[str, ...] | None = None
    assignee_pk: tuple[str, ...] | None = None
    listing_pk: tuple[str, ...] | None = None
    slots: Sequence[tuple[str, ...] | None] = ()
    position_sk: str | None = None
    status_sk: str | None = None
    agenda_sk: str | None = None


NOWHERE = Placement()
# A path inside the tenant's family, such as ("PROJECT", project uid, "TASKS").
Topic: TypeAlias = tuple[str, ...]
_CLASSES: dict[str, type[Any]] = {}


@dataclass(kw_only=True)
class Entity:
    """A versioned thing of one tenant (or, in a family of its own, of the platform).

    `version` counts the writes a client can see, from 1. The stamp (version, time, actor, request)
    is what the change log reads from the stream.
    """

    kind: ClassVar[str]
    noun: ClassVar[str]
    # Whether its changes are anybody's business; a piece of bookkeeping is not.
    is_logged: ClassVar[bool] = True
    # Attributes that repeat what is told elsewhere, so that reading is cheaper.
    derived: ClassVar[frozenset[str]] = frozenset()
    # What every write of the API moves; a write that moves none of them came past it.
    guards: ClassVar[tuple[str, ...]] = ("version",)
    # None keeps the stamped item for good, for what others may still refer to.
    removed_after: ClassVar[timedelta | None] = RESTORABLE_FOR
    # The limit of a plan that bounds how many a tenant has.
    bounded_by: ClassVar[str | None] = None

    uid: strawberry.Private[str]
    created_by_uid: strawberry.Private[str]
    updated_by_uid: strawberry.Private[str]
    request_id: strawberry.Private[str]
    created_at: datetime
    updated_at: datetime
    version: int = 1
    deleted_at: strawberry.Private[datetime | None] = None

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        _CLASSES[cls.kind] = cls

    def placement(self) -> Placement:
        """The lists this entity stands in while it is not deleted."""
        return NOWHERE

    def topics(self) -> Sequence[Topic]:
        """What a subscriber can listen to and hear of this entity while it is not deleted."""
        return ()

    def ends(self) -> Sequence[Topic]:
        """Topics of other entities that are over for good once this one is deleted."""
        return ()


def entity_class(kind: str) -> type[Any]:
    """The class of a kind, for a parent that may name its child only so."""
    return _CLASSES[kind]


def kind_of(class_name: str) -> str | None:
    """The kind of the entity class of that name, if there is one whose changes are logged."""
    return next((cls.kind for cls in _CLASSES.values() if cls.__name__ == class_name and cls.is_logged), None)


def is_logged(kind: str) -> bool:
    """Whether items of a kind are entities whose changes are logged."""
    return kind in _CLASSES and _CLASSES[kind].is_logged


def key_of(family: Family, cls: type[Entity], uid: str) -> Key:
    """The primary key of the entity of that class and uid."""
    return entity_key(family, cls.kind, uid)


def to_item(family: Family, entity: Entity) -> Item:
    """The stored item, index keys included, primary key not."""
    return encode(entity) | _index_attributes(family, entity) | _expiry(entity)


def _index_attributes(family: Family, entity: Entity) -> Item:
    place = NOWHERE if entity.deleted_at else entity.placement()
    attributes: Item = {}
    for name in ("project_pk", "assignee_pk", "listing_pk"):
        if path := getattr(place, name):
            attributes[name] = {"S": partition(family, *path)}
    for index, path in zip(SLOTS, place.slots, strict=False):
        if path:
            attributes[index.value.partition] = {"S": partition(family, *path)}
    for name in ("position_sk", "status_sk", "agenda_sk"):
        if sort := getattr(place, name):
            attributes[name] = {"S": sort}
    return attributes


def stored_attributes(item: Item) -> Item:
    """The part of an item that is the entity itself: neither its keys nor when it is removed."""
    derived = {PARTITION, SORT, EXPIRY, *INDEX_ATTRIBUTES, *FamilyIndex.INVENTORY.value}
    return {name: value for name, value in item.items() if name not in derived}


def _expiry(entity: Entity) -> Item:
    if entity.deleted_at is None or entity.removed_after is None:
        return {}
    return {EXPIRY: {"N": str(int((entity.deleted_at + entity.removed_after).timestamp()))}}
