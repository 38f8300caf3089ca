import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphql_api.errors import ConflictError
from graphql_api.store.codec import Item
from graphql_api.store.keys import Key
from graphql_api.store.writes import ABSENT, Check, Condition, Put, Update, Write, key_attributes
from tests.reliability.network import Network
from tests.store.notes import ALL_SHELVES, Note, NoteStore

KEY = Key("T#acme#NOTE#1", "NOTE")
# Words of the expression language; everything else must be a placeholder.
WORDS = re.compile(r"\b(SET|REMOVE|AND|OR|BETWEEN|attribute_not_exists)\b")
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
    st.builds(Check, st.just(KEY), guards, st.just(failure)),
)


@given(writes)
def test_expressions_hold_placeholders_only(write: Write):
    action, request = write.request("data")
    assert action in {"Put", "Update", "ConditionCheck"}
    assert request["TableName"] == "data"
    assert request["ReturnValuesOnConditionCheckFailure"] == "ALL_OLD"
    assert_placeholders_only(request)


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
    standing = key_attributes(KEY) | stored
    assert put.applied_in(standing)
    assert put.applied_in(standing | {name: value}) == (standing.get(name) == value)
    for missing in standing:
        assert not put.applied_in({key: kept for key, kept in standing.items() if key != missing})


@pytest.mark.parametrize("changes", [{"text": {"S": "x"}}, {}])
def test_an_update_says_only_what_it_does(changes: Item):
    update = Update(KEY, changes, frozenset({"tag"}), ABSENT, failure)
    _, request = update.request("data")
    assert request["UpdateExpression"] == ("SET #a0 = :a0 REMOVE #a1" if changes else "REMOVE #a0")
    assert ("ExpressionAttributeValues" in request) == bool(changes)
    assert json.dumps(request)
