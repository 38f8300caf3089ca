import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime
from types import NoneType
from typing import Any, get_args, get_type_hints

import pytest

from graphql_api.features import FEATURES
from graphql_api.store.codec import converters, decode
from graphql_api.store.entity import RESTORABLE_FOR, Entity, entity_class, key_of, to_item
from graphql_api.store.keys import Key
from graphql_api.store.schema import EXPIRY, INDEX_ATTRIBUTES, PARTITION, SORT
from tests.store.notes import ACME, Note

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def entities(cls: type[Entity] = Entity) -> Iterator[type[Entity]]:
    for below in cls.__subclasses__():
        if dataclasses.is_dataclass(below):
            yield below
        yield from entities(below)


STORED = sorted({cls for cls in entities() if cls is not Note}, key=lambda cls: cls.kind)


def note(**attributes: Any) -> Note:
    stamp = {
        "created_by_uid": "ada",
        "updated_by_uid": "ada",
        "request_id": "r",
        "created_at": NOW,
        "updated_at": NOW,
    }
    return Note(uid="n1", **stamp, **attributes)


def test_every_noun_of_the_product_is_checked_here():
    assert {node for feature in FEATURES for node in feature.nodes} < set(STORED)


@pytest.mark.parametrize("cls", STORED, ids=lambda cls: cls.kind)
def test_what_may_be_absent_is_none_by_default(cls: type[Entity]):
    """None is stored as the absent attribute, so nothing else may be made of one."""
    hints = get_type_hints(cls)
    for field in dataclasses.fields(cls):
        if field.init and NoneType in get_args(hints[field.name]):
            assert field.default is None, field.name


@pytest.mark.parametrize("cls", STORED, ids=lambda cls: cls.kind)
def test_no_attribute_takes_the_name_of_a_key(cls: type[Entity]):
    names = {name for name, _ in converters(cls)}
    assert names.isdisjoint({PARTITION, SORT, EXPIRY} | INDEX_ATTRIBUTES)


def test_kinds_are_distinct_and_name_their_class():
    assert len({cls.kind for cls in STORED}) == len(STORED)
    assert [entity_class(cls.kind) for cls in STORED] == STORED


def test_an_entity_has_a_partition_of_its_own():
    assert key_of(ACME, Note, "n1") == Key("T#acme#NOTE#n1", "NOTE")


def test_index_keys_belong_to_the_family_and_are_stored_where_there_is_a_list():
    item = to_item(ACME, note(rank="m", shelf="a"))
    assert {name: item[name]["S"] for name in INDEX_ATTRIBUTES & item.keys()} == {
        "listing_pk": "T#acme#SHELF#a",
        "agenda_sk": "m\x1fn1",
        "position_sk": "m\x1fn1",
    }
    assert to_item(ACME, note(tag="red"))["project_pk"] == {"S": "T#acme#TAG#red"}
    assert decode(Note, item) == note(rank="m", shelf="a")


def test_a_deleted_entity_is_in_no_list_and_expires():
    item = to_item(ACME, note(tag="red", deleted_at=NOW))
    assert INDEX_ATTRIBUTES.isdisjoint(item)
    assert item[EXPIRY] == {"N": str(int((NOW + RESTORABLE_FOR).timestamp()))}
    assert EXPIRY not in to_item(ACME, note())
