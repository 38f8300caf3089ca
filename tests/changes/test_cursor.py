"""Event cursors are good for one tenant, and nobody can make one."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphql_api.changes.cursor import EventCursor
from graphql_api.errors import BadCursorError
from graphql_api.store.cursor import CursorCodec, Seals
from graphql_api.store.keys import tenant_family

ACME, GLOBEX = tenant_family("acme"), tenant_family("globex")
SEALS = Seals([b"a cursor secret of thirty-two bytes"])
CURSORS = st.builds(
    EventCursor, st.text("0123456789abcdefghijklmnopqrstuv", min_size=1), st.integers(0, 2**60)
)


@given(CURSORS)
def test_a_cursor_opens_to_what_was_sealed_for_its_tenant_alone(cursor: EventCursor) -> None:
    text = cursor.seal(SEALS, ACME)

    assert EventCursor.open(text, SEALS, ACME) == cursor
    with pytest.raises(BadCursorError):
        EventCursor.open(text, SEALS, GLOBEX)
    with pytest.raises(BadCursorError):
        EventCursor.open(text, Seals([b"another secret of thirty-two bytes"]), ACME)


@given(CURSORS, st.data())
def test_a_cursor_with_another_bit_is_none(cursor: EventCursor, data: st.DataObject) -> None:
    text = cursor.seal(SEALS, ACME)
    sealed = bytearray(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    bit = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[bit // 8] ^= 1 << bit % 8

    with pytest.raises(BadCursorError):
        EventCursor.open(base64.urlsafe_b64encode(sealed).rstrip(b"=").decode(), SEALS, ACME)


@given(st.text() | st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_what_was_never_sealed_is_no_cursor(text: str) -> None:
    with pytest.raises(BadCursorError):
        EventCursor.open(text, SEALS, ACME)


def test_a_lists_cursor_is_no_event_cursor_nor_the_other_way() -> None:
    lists = CursorCodec(SEALS, lambda: 1)
    with pytest.raises(BadCursorError):
        EventCursor.open(lists.seal("position", (ACME, "projects")), SEALS, ACME)
    with pytest.raises(BadCursorError):
        lists.open(EventCursor("epoch", 7).seal(SEALS, ACME), (ACME, "projects"))


def test_a_cursor_outlives_the_rotation_of_its_secret() -> None:
    old = b"a cursor secret of thirty-two bytes"
    text = EventCursor("epoch", 7).seal(Seals([old]), ACME)
    rotated = Seals([b"another secret of thirty-two bytes", old])

    assert EventCursor.open(text, rotated, ACME) == EventCursor("epoch", 7)
