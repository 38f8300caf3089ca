import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from graphql_api.store.keys import (
    LAST,
    MAX_TEXT_BYTES,
    PLATFORM,
    SEGMENT,
    Family,
    MalformedKeyError,
    after,
    entity_key,
    partition,
    sort_key,
    tenant_family,
)
from graphql_api.store.uid import new_uid

slugs = st.from_regex(re.compile(r"[a-z0-9][a-z0-9-]{1,38}[a-z0-9]", re.ASCII), fullmatch=True)
families = st.just(PLATFORM) | slugs.map(tenant_family)
segments = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="#"), min_size=1)
paths = st.lists(segments, min_size=1, max_size=4)
texts = st.text(st.characters(exclude_categories=["Cs"]))
printable = st.text(st.characters(exclude_categories=["Cs", "Cc"]))


@given(st.tuples(families, paths), st.tuples(families, paths))
def test_two_paths_never_share_a_partition(one: tuple[Family, list[str]], other: tuple[Family, list[str]]):
    assert (partition(one[0], *one[1]) == partition(other[0], *other[1])) == (one == other)


@given(families, families, paths)
def test_no_partition_lies_in_another_family(own: Family, other: Family, path: list[str]):
    """What the policy grants a tenant is a prefix: its family and the separator."""
    assume(own != other)
    assert not partition(other, *path).startswith(f"{own}#")
    assert partition(own, *path).startswith(f"{own}#")


@pytest.mark.parametrize("path", [("TASK", "1"), ("0", "TASK"), ("0",)])
def test_a_tenant_is_no_prefix_of_its_namesake(path: tuple[str, ...]):
    short, long = tenant_family("ab1"), tenant_family("ab10")
    assert not partition(long, *path).startswith(f"{short}#")
    assert not partition(short, *path).startswith(f"{long}#")


@given(st.tuples(segments, segments), st.tuples(segments, segments))
def test_two_entities_never_share_a_key(one: tuple[str, str], other: tuple[str, str]):
    family = tenant_family("acme")
    assert (entity_key(family, *one) == entity_key(family, *other)) == (one == other)


HOSTILE = ["", "#", "a#b", "a\n", "\n", "a\x00", "\x1f", "\x7f", "\ud800", "x" * 321]


@pytest.mark.parametrize("segment", HOSTILE)
def test_a_malformed_segment_is_refused_wherever_it_stands(segment: str):
    for path in ([segment], [segment, "a"], ["a", segment], ["a", segment, "b"]):
        with pytest.raises(MalformedKeyError):
            partition(PLATFORM, *path)
    with pytest.raises(MalformedKeyError):
        entity_key(PLATFORM, "TASK", segment)


def test_an_empty_path_is_refused():
    with pytest.raises(MalformedKeyError):
        partition(PLATFORM)


@pytest.mark.parametrize(
    "slug",
    [
        "",
        "ab",
        "-ab",
        "ab-",
        "Acme",
        "acme#x",
        "acme\n",
        "ac\u200bme",
        "\u0430cme",
        "a" * 41,
        "acme ",
        "T#acme",
        "*",
    ],
)
def test_a_family_is_made_of_a_slug_alone(slug: str):
    with pytest.raises(MalformedKeyError):
        tenant_family(slug)


@given(texts)
def test_segments_are_what_the_pattern_says(text: str):
    is_plain = 0 < len(text) <= 320 and not re.search("[#\x00-\x1f\x7f]", text)
    assert bool(SEGMENT.match(text)) == is_plain


@given(texts, texts)
def test_behind_a_key_comes_all_that_follows_it_and_nothing_else(sort: str, other: str):
    assert (other >= after(sort)) == (other > sort)


@given(texts, texts)
def test_python_orders_text_as_dynamodb_does(one: str, other: str):
    """By UTF-8 bytes; shards are merged in Python."""
    assert (one < other) == (one.encode() < other.encode())


@given(st.lists(printable, min_size=2, max_size=4), st.lists(printable, min_size=2, max_size=4))
def test_sort_keys_order_as_their_parts(one: list[str], other: list[str]):
    assume(not any(LAST in part for part in (*one, *other)))
    assert (sort_key(*one) < sort_key(*other)) == (one < other)


@given(texts)
def test_a_sort_key_of_any_text_fits_and_stays_before_the_end_of_its_range(text: str):
    for long in (text, text * 1000, LAST + text, "ΐ".casefold() * 200, "\U0001f600" * 300 + text):
        key = sort_key("in_review_" * 4, long, new_uid())
        assert len(key.encode()) <= 1024
        assert sort_key(long, new_uid()) < LAST
        assert sort_key("todo", long, new_uid()) < sort_key("todo", LAST)
        assert sort_key("todo", "") <= key or key < sort_key("todo", LAST)


def test_long_texts_differ_by_their_uid_and_keep_their_order_as_far_as_they_go():
    text = "é" * MAX_TEXT_BYTES
    assert sort_key(text, "0") != sort_key(text, "1")
    assert sort_key("a" + text, "1") < sort_key("b" + text, "0")
