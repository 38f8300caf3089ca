"""What the log keeps of a change is the change."""

import dataclasses
import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from graphql_api.changes.change import MAX_TEXT_BYTES, Change, ChangeAction, from_text, to_text
from graphql_api.store.codec import Item
from tests.changes.records import a_task, told

VALUES = st.recursive(
    st.builds(lambda text: {"S": text}, st.text(max_size=20))
    | st.builds(lambda number: {"N": str(number)}, st.integers())
    | st.builds(lambda truth: {"BOOL": truth}, st.booleans()),
    lambda inner: (
        st.builds(lambda values: {"L": values}, st.lists(inner, max_size=3))
        | st.builds(lambda members: {"M": members}, st.dictionaries(st.text(max_size=5), inner, max_size=3))
    ),
    max_leaves=5,
)
IMAGES = st.none() | st.dictionaries(st.sampled_from("abcdefgh") | st.text(max_size=5), VALUES, max_size=6)
TEXTS = st.text(max_size=10)
CHANGES = st.builds(
    Change,
    id=TEXTS,
    record=TEXTS,
    kind=TEXTS,
    uid=TEXTS,
    action=st.sampled_from(ChangeAction),
    version=st.integers(1),
    at=st.datetimes(timezones=st.just(UTC)),
    actor_uid=st.none() | TEXTS,
    request_id=st.none() | TEXTS,
    topics=st.dictionaries(
        st.lists(TEXTS, min_size=1, max_size=3).map(tuple), st.sampled_from(ChangeAction), max_size=4
    ),
    before=IMAGES,
    after=IMAGES,
)


@given(CHANGES, st.integers(1, 10**15))
def test_a_change_comes_out_of_its_text_as_it_went_in(change: Change, sequence: int) -> None:
    text = to_text(change, sequence)

    assert text.isascii()
    assert "\n" not in text
    assert from_text(text) == (sequence, change)
    assert list(from_text(text)[1].topics) == list(change.topics)


@given(CHANGES)
def test_equal_changes_have_one_text(change: Change) -> None:
    assert to_text(change, 1) == to_text(from_text(to_text(change, 1))[1], 1)
    assert to_text(change, 1) != to_text(change, 2)


def test_of_the_old_image_only_what_differs_is_kept() -> None:
    old = a_task(description="as it was", assignee_uid="eve")
    new = dataclasses.replace(
        old, version=2, description=None, due_on=datetime(2030, 6, 1, tzinfo=UTC).date()
    )
    kept = json.loads(to_text(told(old, new), 1))

    assert kept["before"] == {"version": {"N": "1"}, "description": {"S": "as it was"}, "due_on": None}
    assert from_text(json.dumps(kept))[1].before == told(old, new).before


def test_what_is_taken_away_is_kept_whole() -> None:
    change = told(a_task(), None)

    assert from_text(to_text(change, 7)) == (7, change)


def large(size: int) -> Item:
    return {"title": {"S": "x" * size}}


def with_image(after: Item) -> Change:
    return dataclasses.replace(told(None, a_task()), before=None, after=after)


def test_images_that_do_not_fit_are_left_out_and_all_else_stays() -> None:
    change = with_image(large(MAX_TEXT_BYTES))
    text = to_text(change, 1)

    assert len(text) < 1_000
    _, kept = from_text(text)
    assert kept == dataclasses.replace(change, after=None)
    assert kept.entity is None


def test_images_that_just_fit_are_kept() -> None:
    room = MAX_TEXT_BYTES - len(to_text(with_image(large(0)), 1))
    fits, too_large = with_image(large(room)), with_image(large(room + 1))

    assert len(to_text(fits, 1)) == MAX_TEXT_BYTES
    assert from_text(to_text(fits, 1))[1] == fits
    assert from_text(to_text(too_large, 1))[1].after is None


def test_letters_count_as_the_bytes_they_take() -> None:
    change = with_image({"title": {"S": "\N{GRINNING FACE}" * (MAX_TEXT_BYTES // 8)}})

    assert from_text(to_text(change, 1))[1].after is None


def test_a_text_from_before_an_attribute_was_known_still_loads() -> None:
    parts: dict[str, Any] = json.loads(to_text(told(None, a_task()), 3))
    del parts["after"]["comment_count"]

    assert from_text(json.dumps(parts))[1].entity.comment_count == 0
