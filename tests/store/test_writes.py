import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphql_api.errors import ConflictError
from graphql_api.store.codec import Item
from graphql_api.store.keys import Key
from graphql_api.store.writes import (
    ABSENT,
    Add,
    Check,
    Condition,
    Put,
    Tally,
    Update,
    Write,
    inventory_attributes,
    key_attributes,
)
from tests.reliability.network import Network
from tests.store.notes import ALL_SHELVES, Note, NoteStore

KEY, PLATFORMS = Key("T#acme#NOTE#1", "NOTE"), Key("P#NOTE#1", "NOTE")
# Words of the expression language; everything else must be a placeholder.
WORDS = re.compile(r"\b(ADD|SET|REMOVE|AND|OR|BETWEEN|attribute_not_exists)\b")
PLACEHOLDER = re.compile(r"[#:][a-z0-9]+")
EXPRESSIONS = ("ConditionExpression", "UpdateExpression", "KeyConditionExpression")

names = st.text(min_size=1, max_size=20)
values = st.builds(lambda text: {"S": text}, st.text(max_size=20))
items = st.dictionaries(names, values, max_size=8)
guards = st.builds(
    lambda name, value: Condition("#guard = :guard", {"#guard": name}, {":guard": value}), names, values
)


def failure(_: Item | None) -> Exception:
    return ConflictError("taken")


def assert_placeholders_only(request: dict[str, Any]) -> None:
    """No text of anybody's in an expression, every placeholder is bound, and none is bound in vain."""
    expressions = [request[name] for name in EXPRESSIONS if name in request]
    used = {found for expression in expressions for found in PLACEHOLDER.findall(expression)}
    bound = (
        request.get("ExpressionAttributeNames", {}).keys()
        | request.get("ExpressionAttributeValues", {}).keys()
    )
    assert used == bound
    for expression in expressions:
        assert re.fullmatch(r"[ ,=<()]*", PLACEHOLDER.sub("", WORDS.sub("", expression)))


writes = st.one_of(
    st.builds(Put, st.just(KEY), items, st.just(failure), guards | st.just(ABSENT)),
    st.builds(Update, st.just(KEY), items, st.frozensets(names), guards, st.just(failure)),
    st.builds(Add, st.just(KEY), names, st.integers(), guards, st.just(failure)),
    st.builds(Check, st.just(KEY), guards, st.just(failure)),
)


@given(writes)
def test_expressions_hold_placeholders_only(write: Write):
    action, request = write.request("data")
    assert action in {"Put", "Update", "ConditionCheck"}
    assert request["TableName"] == "data"
    assert request["ReturnValuesOnConditionCheckFailure"] == "ALL_OLD"
    assert_placeholders_only(request)


@given(st.dictionaries(names, st.integers(), min_size=1, max_size=8), items.filter(bool))
def test_a_tally_adds_to_some_attributes_and_sets_others(amounts: dict[str, int], changes: Item):
    action, request = Tally(KEY, amounts, changes).request("data")
    assert (action, request["TableName"], request["Key"]) == ("Update", "data", key_attributes(KEY))
    assert_placeholders_only(request)
    added, _, changed = request["UpdateExpression"].partition(" SET ")
    called, given = request["ExpressionAttributeNames"], request["ExpressionAttributeValues"]
    pairs = [part.split() for part in added.removeprefix("ADD ").split(", ")]
    assert {called[name]: given[value] for name, value in pairs} == {
        name: {"N": str(amount)} for name, amount in amounts.items()
    }
    pairs = [part.split(" = ") for part in changed.split(", ")]
    assert {called[name]: given[value] for name, value in pairs} == changes | inventory_attributes(KEY)


async def test_all_that_the_store_sends_holds_placeholders_only(store: NoteStore, network: Network):
    repository = store.repository()
    text = "#pk :low attribute_exists(sk) OR \U0001f600"
    note = repository.new(Note, text=text, rank=text, tag="x")
    await repository.commit(repository.put(note), leaves=[note], mark=store.mark(text, text))
    changed = repository.stamped(note, text=text * 2, tag=None, shelf="b")
    await repository.commit(repository.change(note, changed), leaves=[changed])
    page = await repository.page(Note, ALL_SHELVES, 1, None)
    await repository.page(Note, ALL_SHELVES, 1, page.cursors[0])
    seen = set[str]()
    for attempt in network.attempts:
        requests = [
            attempt.body,
            *(body for each in attempt.body.get("TransactItems", []) for body in each.values()),
        ]
        for request in requests:
            assert_placeholders_only(request)
            seen |= request.keys() & set(EXPRESSIONS)
    assert seen == set(EXPRESSIONS)


@given(items, items, st.frozensets(names), values)
def test_an_update_knows_its_own_effect(before: Item, changes: Item, removals: frozenset[str], other: Any):
    removals -= changes.keys()
    update = Update(KEY, changes, removals, ABSENT, failure)
    after = {name: value for name, value in (before | changes).items() if name not in removals}
    assert update.applied_in(after)
    for name, value in changes.items():
        assert not update.applied_in({key: kept for key, kept in after.items() if key != name})
        assert update.applied_in(after | {name: other}) == (other == value)
    for name in removals:
        assert not update.applied_in(after | {name: other})


@given(items, names, values)
def test_a_put_knows_its_own_effect(stored: Item, name: str, value: Any):
    put = Put(KEY, stored, failure)
    standing = key_attributes(KEY) | inventory_attributes(KEY) | stored
    assert put.applied_in(standing)
    assert put.applied_in(standing | {name: value}) == (standing.get(name) == value)
    for missing in standing:
        assert not put.applied_in({key: kept for key, kept in standing.items() if key != missing})


@pytest.mark.parametrize("changes", [{"text": {"S": "x"}}, {}])
def test_an_update_says_only_what_it_does(changes: Item):
    update = Update(PLATFORMS, changes, frozenset({"tag"}), ABSENT, failure)
    _, request = update.request("data")
    assert request["UpdateExpression"] == ("SET #a0 = :a0 REMOVE #a1" if changes else "REMOVE #a0")
    assert ("ExpressionAttributeValues" in request) == bool(changes)
    assert json.dumps(request)


@pytest.mark.parametrize(
    "make",
    [
        lambda key: Put(key, {}, failure),
        lambda key: Update(key, {}, frozenset({"tag"}), ABSENT, failure),
        lambda key: Add(key, "n", 1, ABSENT, failure),
    ],
)
def test_whatever_can_make_an_item_of_a_tenant_puts_it_into_the_inventory(make: Callable[[Key], Write]):
    place = inventory_attributes(KEY)
    assert place["inventory_pk"]["S"].startswith("T#acme#INVENTORY#")
    _, request = make(KEY).request("data")
    written = request.get("Item") or {
        name: request["ExpressionAttributeValues"][placeholder.replace("#", ":")]
        for placeholder, name in request["ExpressionAttributeNames"].items()
        if name in place
    }
    assert place.items() <= written.items()
    assert "inventory" not in json.dumps(make(PLATFORMS).request("data"))
    assert "inventory" not in json.dumps(make(Key("C#socket", "SOCKET")).request("data"))


def test_each_item_has_a_place_of_its_own_in_the_inventory():
    keys = [Key(f"T#acme#NOTE#{pk}", sk) for pk in "abcdefgh" for sk in ("NOTE", "OTHER")]
    places = [tuple(value["S"] for value in inventory_attributes(key).values()) for key in keys]
    assert len({digest for _, digest in places}) == len(keys)
    assert len({shard for shard, _ in places}) > 1
