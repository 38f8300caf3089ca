from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from enum import StrEnum
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from graphql_api.store.codec import decode, encode


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Line:
    words: str
    pages: list[int]
    colour: Colour | None = None


@dataclass(kw_only=True)
class Book:
    title: str
    copies: int
    is_lent: bool
    printed_on: date
    bought_at: datetime
    colour: Colour
    opening: Line
    subtitle: str | None = None
    edition: int | None = None
    was_found: bool | None = None
    lost_at: datetime | None = None
    returned_on: date | None = None
    closing: Line | None = None
    readers: list[str] = field(default_factory=list[str])
    lines: list[Line] = field(default_factory=list[Line])
    shelves: list[list[date]] | None = None


texts = st.text()
numbers = st.integers(-(10**38) + 1, 10**38 - 1)  # DynamoDB keeps 38 digits
dates = st.dates()
zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(timezones=zones).filter(lambda at: 1000 <= at.year < 9000)
colours = st.sampled_from(Colour)
lines = st.builds(Line, texts, st.lists(numbers), st.none() | colours)
books = st.builds(
    Book,
    title=texts,
    copies=numbers,
    is_lent=st.booleans(),
    printed_on=dates,
    bought_at=moments,
    colour=colours,
    opening=lines,
    subtitle=st.none() | texts,
    edition=st.none() | numbers,
    was_found=st.none() | st.booleans(),
    lost_at=st.none() | moments,
    returned_on=st.none() | dates,
    closing=st.none() | lines,
    readers=st.lists(texts),
    lines=st.lists(lines),
    shelves=st.none() | st.lists(st.lists(dates)),
)


@given(books)
def test_what_is_stored_comes_back(book: Book):
    assert decode(Book, encode(book)) == book


@given(books)
def test_none_is_the_absent_attribute(book: Book):
    assert encode(book).keys() == {name for name, value in vars(book).items() if value is not None}


def wire_types(value: Any) -> set[str]:
    """Every type tag in an attribute value, that it is well-formed being asserted on the way."""
    ((tag, inner),) = value.items()
    python = {"S": str, "N": str, "BOOL": bool, "L": list, "M": dict}[tag]
    assert type(inner) is python
    below = inner if tag == "L" else inner.values() if tag == "M" else ()
    return {tag}.union(*map(wire_types, below))


@given(books)
def test_only_plain_wire_types_are_stored(book: Book):
    tags = wire_types({"M": encode(book)})
    assert tags <= {"S", "N", "BOOL", "L", "M"}


@given(moments, moments)
def test_stored_times_order_as_the_times_do(one: datetime, other: datetime):
    texts = [encode(replaced(at))["bought_at"]["S"] for at in (one, other)]
    assert (texts[0] < texts[1], texts[0] == texts[1]) == (one < other, one == other)


def replaced(at: datetime) -> Book:
    return Book(**{**vars(PLAIN), "bought_at": at})


PLAIN = Book(
    title="Emma",
    copies=2,
    is_lent=False,
    printed_on=date(1815, 12, 23),
    bought_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=2))),
    colour=Colour.RED,
    opening=Line("Emma Woodhouse", [1], Colour.BLUE),
)


def test_the_stored_forms_are_these():
    assert encode(PLAIN) == {
        "title": {"S": "Emma"},
        "copies": {"N": "2"},
        "is_lent": {"BOOL": False},
        "printed_on": {"S": "1815-12-23"},
        "bought_at": {"S": "2026-01-02T01:04:05.000000+00:00"},
        "colour": {"S": "red"},
        "opening": {
            "M": {"words": {"S": "Emma Woodhouse"}, "pages": {"L": [{"N": "1"}]}, "colour": {"S": "blue"}}
        },
        "readers": {"L": []},
        "lines": {"L": []},
    }
    assert decode(Book, encode(PLAIN)).bought_at.tzinfo is UTC


@dataclass
class BookOfTomorrow(Book):
    weight: int = 3
    reviews: list[str] = field(default_factory=list[str])


def test_an_item_of_an_older_version_takes_the_defaults():
    older = decode(BookOfTomorrow, encode(PLAIN))
    assert (older.weight, older.reviews) == (3, [])
    assert older.reviews is not decode(BookOfTomorrow, encode(PLAIN)).reviews


def test_an_item_of_a_newer_version_loads_without_what_is_not_known():
    newer = encode(BookOfTomorrow(**vars(PLAIN), weight=5, reviews=["good"]))
    assert decode(Book, newer) == PLAIN
    assert (
        decode(Book, newer | {"pk": {"S": "key"}, "photo": {"B": b"\x00"}, "rare": {"NULL": True}}) == PLAIN
    )
