import time
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from graphql_api.store.uid import ALPHABET, UID, between, encode, mirrored, new_uid
from tests.reliability.seeds import chance

numbers = st.integers(0, 2**128 - 1)
# Positions end in any digit but the lowest.
positions = st.builds(str.__add__, st.text(ALPHABET), st.sampled_from(ALPHABET[1:]))


@given(numbers, numbers)
def test_encoded_numbers_order_as_the_numbers_do(one: int, other: int):
    assert (encode(one) < encode(other)) == (one < other)
    assert UID.match(encode(one))


def number(uid: str) -> int:
    return sum(ALPHABET.index(digit) << 5 * place for place, digit in enumerate(reversed(uid)))


def test_a_uid_is_a_uuid_of_version_seven_and_carries_the_time():
    before = time.time_ns() // 1_000_000
    value = number(new_uid())
    assert before <= value >> 80 <= time.time_ns() // 1_000_000
    assert (value >> 76 & 0xF, value >> 62 & 0b11) == (7, 0b10)


def test_uids_order_by_the_time_they_were_made(monkeypatch: pytest.MonkeyPatch):
    start = time.time_ns()
    moments = [start + step * 1_000 for step in range(3_000)]
    ticking = iter(moments)
    monkeypatch.setattr("graphql_api.store.uid.time.time_ns", lambda: next(ticking))
    uids = [new_uid() for _ in moments]
    assert uids == sorted(uids)


def test_uids_of_one_moment_differ(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("graphql_api.store.uid.time.time_ns", lambda: 1_800_000_000_000_000_000)
    assert len({new_uid() for _ in range(10_000)}) == 10_000


@given(numbers, numbers)
def test_mirrored_turns_the_order_around(one: int, other: int):
    assert (mirrored(encode(one)) < mirrored(encode(other))) == (one > other)
    assert mirrored(mirrored(encode(one))) == encode(one)


@given(positions, positions)
def test_between_two_positions_is_a_third(one: str, other: str):
    assume(one != other)
    low, high = sorted([one, other])
    middle = between(low, high)
    assert low < middle < high
    assert middle[-1] != ALPHABET[0]


@given(positions)
def test_before_and_behind_every_position_is_room(position: str):
    assert "" < between("", position) < position < between(position, None)
    assert {between("", position)[-1], between(position, None)[-1]}.isdisjoint(ALPHABET[0])


def test_thousands_of_insertions_keep_their_order():
    dice, board = chance(20261120), [between("", None)]
    for _ in range(5_000):
        at = dice.randint(0, len(board))
        low = board[at - 1] if at else ""
        high = board[at] if at < len(board) else None
        board.insert(at, between(low, high))
    assert all(low < high for low, high in pairwise(board))
    assert max(map(len, board)) <= 20


@pytest.mark.parametrize("end", ["first", "last", "same gap"])
def test_insertions_at_one_place_cost_a_digit_for_every_four(end: str):
    low, high = "", between("", None)
    if end == "last":
        low, high = high, None
    for count in range(1, 1_001):
        middle = between(low, high)
        assert low < middle
        assert high is None or middle < high
        assert len(middle) <= count / 4 + 2
        if end == "first":
            high = middle
        elif end == "last":
            low = middle
        else:
            low, high = (middle, high) if count % 2 else (low, middle)
