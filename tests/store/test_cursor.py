import base64
import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from graphql_api.errors import BadCursorError, ErrorCode
from graphql_api.store.cursor import LIFETIME_HOURS, MAX_CURSOR_LENGTH, CursorCodec, Seals
from graphql_api.store.page import ListRange
from graphql_api.store.schema import Index

OLD, NEW = b"the old secret, of at least 32 bytes", b"the new secret, of at least 32 bytes"
SCOPE = ("T#acme", "listing", "USERS", " ", "\U0010ffff")
POSITION = "ada@acme.example\x1f0ilrpi2t8nfnl3g0gq6eh6q4c4"
BASE64URL = string.ascii_letters + string.digits + "-_"
positions = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=250)
scopes = st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=6).map(tuple)


class Clock:
    def __init__(self) -> None:
        self.hour = 500_000

    def __call__(self) -> int:
        return self.hour


def codec(*secrets: bytes, clock: Clock | None = None) -> CursorCodec:
    return CursorCodec(Seals(secrets or (OLD,)), clock or Clock())


def refuses(cursors: CursorCodec, cursor: str, scope: tuple[str, ...] = SCOPE) -> bool:
    """Refused, and with the very words that every refused cursor gets."""
    with pytest.raises(BadCursorError) as refused:
        cursors.open(cursor, scope)
    error = refused.value
    return (error.code, error.message, error.field) == (
        ErrorCode.BAD_CURSOR,
        BadCursorError().message,
        "after",
    )


@given(positions, scopes)
def test_what_is_sealed_opens_in_its_own_scope(position: str, scope: tuple[str, ...]):
    cursor = codec().seal(position, scope)
    assert codec().open(cursor, scope) == position
    assert set(cursor) <= set(BASE64URL)


def test_the_longest_sort_key_fits():
    cursor = codec().seal("\U0001f600" * 256, SCOPE)
    assert len(cursor) <= MAX_CURSOR_LENGTH
    assert codec().open(cursor, SCOPE) == "\U0001f600" * 256


@given(scopes, scopes)
def test_no_cursor_opens_in_another_scope(one: tuple[str, ...], other: tuple[str, ...]):
    assume(one != other)
    assert refuses(codec(), codec().seal(POSITION, one), other)


@given(st.text(max_size=5), st.text(max_size=5), st.integers(0, 10))
def test_the_border_between_two_parts_of_a_scope_cannot_be_moved(left: str, right: str, border: int):
    joined = left + right
    assume(border <= len(joined) and border != len(left))
    assume(not any("\ud800" <= character <= "\udfff" for character in joined))
    assert refuses(codec(), codec().seal(POSITION, (left, right)), (joined[:border], joined[border:]))


def test_every_part_of_a_list_is_in_its_scope():
    wanted = ListRange(Index.LISTING, (("SHELF", "a"),), "1", "2")
    others = [
        ListRange(Index.PROJECT_AGENDA, wanted.partitions, "1", "2"),
        ListRange(Index.LISTING, (("SHELF", "b"),), "1", "2"),
        ListRange(Index.LISTING, (("SHELF",),), "1", "2"),
        ListRange(Index.LISTING, wanted.partitions, "0", "2"),
        ListRange(Index.LISTING, wanted.partitions, "1", "3"),
    ]
    cursor = codec().seal(POSITION, wanted.scope("T#acme"))
    assert codec().open(cursor, wanted.scope("T#acme")) == POSITION
    assert refuses(codec(), cursor, wanted.scope("T#acme0"))
    assert [refuses(codec(), cursor, other.scope("T#acme")) for other in others] == [True] * len(others)


def test_no_byte_can_be_changed():
    cursor = codec().seal(POSITION, SCOPE)
    sealed = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    assert len(sealed) > 60
    for place in range(len(sealed)):
        for flipped in range(1, 256):
            tampered = bytearray(sealed)
            tampered[place] ^= flipped
            assert refuses(codec(), base64.urlsafe_b64encode(tampered).rstrip(b"=").decode())


def test_no_character_can_be_changed_left_out_or_added():
    cursor = codec().seal(POSITION, SCOPE)
    for place in range(len(cursor)):
        for character in BASE64URL + "+/=\n \x00é\ud800":
            if character != cursor[place]:
                assert refuses(codec(), cursor[:place] + character + cursor[place + 1 :])
            assert refuses(codec(), cursor[:place] + character + cursor[place:])
        assert refuses(codec(), cursor[:place] + cursor[place + 1 :])
        assert refuses(codec(), cursor[:place])
    assert refuses(codec(), cursor * 2)


@pytest.mark.parametrize("length", range(1, 40))
def test_a_cursor_has_one_spelling(length: int):
    """Base64 has several: with padding, with spare bits set, in another alphabet, with line breaks."""
    cursor = codec().seal("x" * length + "\u07ff\u07fe", SCOPE)
    spare_bits = {-len(cursor) % 4: cursor[:-1] + character for character in BASE64URL}
    spellings = {
        cursor + "=" * (-len(cursor) % 4),
        cursor + "=",
        cursor.replace("-", "+").replace("_", "/"),
        cursor[:8] + "\n" + cursor[8:],
        f" {cursor}",
        *spare_bits.values(),
    } - {cursor}
    assert all(refuses(codec(), spelling) for spelling in spellings)


@given(st.text())
def test_no_text_is_more_than_a_bad_cursor(text: str):
    assert refuses(codec(), text)


@pytest.mark.parametrize("text", ["", "A", "AAAA", "A" * 21, "A" * 27, "A" * 2048, "A" * 1_000_000, "/" * 28])
def test_short_and_long_texts_are_bad_cursors(text: str):
    assert refuses(codec(), text)


def test_secrets_are_rotated_by_adding_the_new_one_in_front():
    before, during, afterwards = codec(OLD), codec(NEW, OLD), codec(NEW)
    old, new = before.seal(POSITION, SCOPE), during.seal(POSITION, SCOPE)
    assert during.open(old, SCOPE) == during.open(new, SCOPE) == afterwards.open(new, SCOPE) == POSITION
    assert refuses(before, new)
    assert refuses(afterwards, old)


def test_a_cursor_is_good_for_a_day():
    clock = Clock()
    cursors = codec(clock=clock)
    cursor = cursors.seal(POSITION, SCOPE)
    clock.hour += LIFETIME_HOURS
    assert cursors.open(cursor, SCOPE) == POSITION
    clock.hour += 1
    assert refuses(cursors, cursor)
