import sys
from types import FrameType

import pytest
from graphql import GraphQLSchema, get_introspection_query, parse

from graphql_api.errors import QueryTooComplexError
from graphql_api.metering.cost import OperationProfile, price
from graphql_api.metering.limits import Limits
from graphql_api.metering.profile import profile_document
from tests.metering.schema import SCHEMA

LIMITS = Limits()
BOUNDLESS = Limits(**dict.fromkeys(Limits.__dataclass_fields__, 10**12) | {"max_nesting": 300})


def profile(source: str, limits: Limits = LIMITS) -> OperationProfile:
    profiles = profile_document(SCHEMA, parse(source), limits)
    return next(iter(profiles.values()))


def refusal(source: str, limits: Limits = LIMITS) -> dict[str, object]:
    with pytest.raises(QueryTooComplexError) as caught:
        profile(source, limits)
    return caught.value.extensions


def fan_out(fragments: int, body: str = "...F{next} ...F{next}", leaf: str = "title") -> str:
    chain = " ".join(
        f"fragment F{n} on Task {{ {body.replace('{next}', str(n + 1))} }}" for n in range(fragments)
    )
    return f"{{ task(id: 1) {{ ...F0 }} }} {chain} fragment F{fragments} on Task {{ {leaf} }}"


def repeated(part: str, times: int) -> str:
    return " ".join(part.replace("#", str(n)) for n in range(times))


def under(levels: int) -> str:
    return "{ task(id: 1) {" + "parent {" * (levels - 1) + "id" + "}" * (levels + 1)


DIRECTIVE = "@include(if: $v) "
AT_LIMIT = {
    "depth": under,
    "aliases": lambda n: "{ task(id: 1) {" + repeated("a#: id", n) + "} }",
    "rootFields": lambda n: "{" + repeated("f#", n) + " __typename }",
    "fields": lambda n: "{ task(id: 1) {" + repeated("f#", n - 1) + "} }",
    "comparisons": lambda n: (
        "{ task(id: 1) {" + repeated("f# f# f# f#", n // 6) + " " + repeated("g# g#", n % 6) + "} }"
    ),
    "directives": lambda n: "{ task(id: 1) {" + repeated(f"f# {DIRECTIVE}", n) + "} }",
    "directivesPerLocation": lambda n: "{ statuses " + DIRECTIVE * n + "}",
    "operations": lambda n: repeated("query Q# { statuses }", n),
    "fragments": lambda n: "{ statuses }" + repeated("fragment F# on Task { id }", n),
    "nesting": lambda n: "{" + "... {" * (n - 1) + "statuses" + "}" * n,
    "objectMembers": lambda n: "{ task(id: {" + repeated("m#: 1", n) + "}) { id } }",
    "valueDepth": lambda n: "{ task(id: " + "[" * n + "]" * n + ") { id } }",
}
MAXIMA = {
    "depth": 12,
    "aliases": 15,
    "rootFields": 10,
    "fields": 2000,
    "comparisons": 2000,
    "directives": 50,
    "directivesPerLocation": 10,
    "operations": 10,
    "fragments": 50,
    "nesting": 50,
    "objectMembers": 32,
    "valueDepth": 10,
}


@pytest.mark.parametrize("name", AT_LIMIT)
def test_a_bound_holds_at_the_limit_and_not_beyond(name: str):
    profile(AT_LIMIT[name](MAXIMA[name]))
    assert refusal(AT_LIMIT[name](MAXIMA[name] + 1)) == {"limit": name, "max": MAXIMA[name]}


@pytest.mark.parametrize(
    ("source", "limit"),
    [
        ("{ ...F } fragment F on Query {" + repeated("f#", 11) + "}", "rootFields"),
        ("{ ...F ...F } fragment F on Query {" + repeated("f#", 6) + "}", "rootFields"),
        ("mutation { ... {" + repeated("a#: deleteTasks(ids: []) { __typename }", 11) + "} }", "rootFields"),
        ("{ task(id: 1) {" + repeated("a#: __typename", 16) + "} }", "aliases"),
        (
            "{ task(id: 1) { ...F parent { ...F } } } fragment F on Task {" + repeated("a#: id", 8) + "}",
            "aliases",
        ),
        ("{ statuses } fragment Unused on Task {" + repeated("a#: id", 16) + "}", "aliases"),
        (
            "{ statuses } fragment F on Task { id } fragment F on Task {" + repeated("a#: id", 16) + "}",
            "aliases",
        ),
        ("query A { statuses } query B " + under(13), "depth"),
        ("{ task(id: 1) {" + repeated("... { id }", 64) + "} }", "comparisons"),
        ("{ task(id: 1) {" + "... {" * 48 + "id " * 10 + "}" * 50, "comparisons"),
        ("query($v: A = {" + repeated("m#: 1", 33) + "}) { statuses }", "objectMembers"),
        ("query(" + repeated("$v#: Int @a", 51) + ") { statuses }", "directives"),
        ("query " + DIRECTIVE * 11 + "{ statuses }", "directivesPerLocation"),
        ("{ ...F " + DIRECTIVE * 11 + "}", "directivesPerLocation"),
        ("{ ... " + DIRECTIVE * 11 + "{ statuses } }", "directivesPerLocation"),
        ("{ statuses } fragment F on Task " + DIRECTIVE * 11 + "{ id }", "directivesPerLocation"),
        ("{ statuses @a(b: " + "{c: " * 11 + "1" + "}" * 11 + ") }", "valueDepth"),
        ("query($v: Int = " + "[" * 12 + "]" * 12 + ") { statuses }", "valueDepth"),
        (fan_out(10), "fields"),
        (fan_out(49), "fields"),
        (fan_out(49, "parent { ...F{next} }"), "nesting"),
        (fan_out(20, leaf="...Missing"), "fields"),
        (fan_out(49, "... { ...F{next} }"), "nesting"),
    ],
)
def test_fragments_and_unusual_places_offer_no_way_around(source: str, limit: str):
    assert refusal(source)["limit"] == limit


@pytest.mark.parametrize(
    "source",
    [
        "{ nope { nope { nope } } }",
        "{ task(id: 1) {} }",
        "{ ...Nope ... on Nope { a { b } } statuses { c } }",
        "{ task { ...Nope } } fragment F on Nope { a { b } }",
        "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A statuses }",
        "{ task(id: 1) { ...A } } fragment A on Task { ...A parent { ...A } }",
        "mutation { nope { a } } subscription { nope { a } }",
        "{ search { id ... on Task { id } } node(id: 1) { title } }",
        "query A { statuses } query A { statuses } { statuses }",
        "{ tasks(first: 1, first: 2) { edges { node { id } } } }",
        "{ tasks(first: {a: 1}) { nodes { id } } nodes(ids: {a: 1}) { id } nodes { id } }",
        "{ tasks(first: " + "9" * 5000 + ") { nodes { id } } }",
        "mutation { createTasks(input: 5) { results { __typename } } }",
        "mutation { createTasks(input: [{tasks: 1}]) { results { __typename } } }",
        "type A { b: C } extend schema @a { query: A } { statuses }",
    ],
)
def test_an_invalid_document_is_left_to_validation(source: str):
    for operation in profile_document(SCHEMA, parse(source), LIMITS).values():
        price(operation, {}, LIMITS)


def test_an_operation_is_found_by_its_name():
    profiles = profile_document(SCHEMA, parse("query A { statuses } query B " + under(3)), LIMITS)
    assert {name: one.depth for name, one in profiles.items()} == {"A": 0, "B": 3}


def test_a_schema_without_mutations_survives_one():
    schema = GraphQLSchema(query=SCHEMA.query_type)
    assert profile_document(schema, parse("mutation { a { b } }"), LIMITS)[None].depth == 1


def test_the_full_introspection_query_fits_and_has_no_depth():
    source = get_introspection_query(
        specified_by_url=True,
        directive_is_repeatable=True,
        schema_description=True,
        input_value_deprecation=True,
    )
    assert profile(source).depth == 0


def calls(source: str) -> int:
    """Function calls made to profile and price the document: a clock that never varies."""
    document = parse(source)
    counted = 0

    def count(_frame: FrameType, event: str, _arg: object) -> None:
        nonlocal counted
        counted += event in ("call", "c_call")

    previous = sys.getprofile()
    sys.setprofile(count)
    try:
        profiles = profile_document(SCHEMA, document, BOUNDLESS)
        price(next(iter(profiles.values())), {}, BOUNDLESS)
    finally:
        sys.setprofile(previous)
    return counted


SHAPES = {
    "spreads": "...F{next} ...F{next}",
    "fields": "a: parent { ...F{next} } b: parent { ...F{next} }",
    "lists": "watchers { ...F{next} } labels { ...F{next} }",
    "pages": "comments(first: $v) { ...F{next} } comments { ...F{next} }",
    "inline": "... { ...F{next} } ... on Task { ...F{next} }",
    "wide": "...F{next} " * 12,
}
GROWING = {name: lambda n, body=body: fan_out(n, body) for name, body in SHAPES.items()} | {
    "operations": lambda n: repeated("query Q# { task(id: 1) { ...F0 } }", n) + fan_out(n),
    "all to all": lambda n: fan_out(n, repeated("...F#", 12) + "...F{next}"),
    "nested inline": lambda n: "{" + "... { task(id: 1) { id } " * n + "statuses" + "}" * (n + 1),
}


@pytest.mark.parametrize("name", GROWING)
def test_work_grows_no_faster_than_the_document(name: str):
    small, large = calls(GROWING[name](10)), calls(GROWING[name](60))
    assert large / small < 60 / 10 * 1.1
