"""Comparisons that validation makes, predicted and made."""

import pytest
from graphql import FieldNode, parse, validate
from graphql.validation.rules import overlapping_fields_can_be_merged as rule

from graphql_api.errors import QueryTooComplexError
from graphql_api.metering.limits import Limits
from graphql_api.metering.profile import profile_document
from tests.metering.schema import SCHEMA

SCALARS = "a: id b: id c: id d: id e: id f: id g: id h: id i: id title"


def in_task(selections: str, *fragments: str) -> str:
    definitions = " ".join(f"fragment F{n} on Task {{ {text} }}" for n, text in enumerate(fragments))
    return f"{{ task(id: 1) {{ {selections} }} }} {definitions}"


def spreads(count: int) -> str:
    return " ".join(f"...F{n}" for n in range(count))


def predicted(source: str) -> int:
    """The least bound that lets the document pass."""
    low, high = 0, 100_000
    while low < high:
        middle = (low + high) // 2
        try:
            profile_document(SCHEMA, parse(source), Limits(max_comparisons=middle, max_aliases=1000))
            high = middle
        except QueryTooComplexError:
            low = middle + 1
    return low


DOCUMENTS = {
    "id title": (in_task("id title"), 0),
    "twice": (in_task("id id"), 1),
    "four times": (in_task("id id id id"), 6),
    "aliases": (in_task("a: id a: id b: id"), 1),
    "a subtree twice": (in_task("parent { id title } parent { id title }"), 3),
    "a subtree of repeats": (in_task("parent { id id } parent { id id }"), 1 + 1 + 5),
    "repeats in an inline fragment": (in_task("... { id id } id"), 1 + 3),
    "inline fragments in one another": (in_task("... { ... { id id } }"), 3),
    "a fragment twice": (in_task("...F0 ...F0", "id title"), 0),
    "a fragment of repeats": (in_task("...F0", "id id"), 1),
    "fragments of the same": (in_task(spreads(3), *["id title"] * 3), 6),
    "a fragment beside its fields": (in_task("id ...F0", "id title"), 1),
    "a fragment in two subtrees": (in_task("parent { ...F0 } parent { ...F0 }", "id title"), 3),
    "twenty fragments of ten scalars": (in_task(spreads(20), *[SCALARS] * 20), 1900),
    "a chain": (in_task("...F0", "id ...F1", "id ...F2", "id"), 3),
    "deep": (in_task("parent { labels { name name } } " * 4), 4 + 6 * (1 + 1 + 4)),
}


@pytest.mark.parametrize(("source", "comparisons"), DOCUMENTS.values(), ids=DOCUMENTS)
def test_comparisons_are_counted(source: str, comparisons: int):
    assert predicted(source) == comparisons


@pytest.mark.parametrize("source", [source for source, _ in DOCUMENTS.values()], ids=DOCUMENTS)
def test_validation_compares_no_more_than_is_counted(source: str, monkeypatch: pytest.MonkeyPatch):
    made: list[FieldNode] = []
    find_conflict = rule.find_conflict

    def counting(*args: object, **options: object) -> object:
        made.append(args)  # pyright: ignore[reportArgumentType]
        return find_conflict(*args, **options)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(rule, "find_conflict", counting)
    validate(SCHEMA, parse(source), [rule.OverlappingFieldsCanBeMergedRule])
    assert len(made) <= predicted(source)
