from collections.abc import Mapping

import pytest
import strawberry
from graphql import parse

from graphql_api.errors import QueryTooComplexError
from graphql_api.metering.cost import Cost, enforce_least_price, price
from graphql_api.metering.limits import Limits
from graphql_api.metering.profile import profile_document
from tests.metering.schema import SCHEMA

GENEROUS = Limits(max_cost=10**8, max_nodes=10**8, max_queries=10**8)
PAGE = "{ nodes { id } }"
BATCH = "{ results { ... on CreateTaskPayload { task { id } } } }"
ROW = '{title: "a", tags: ["b", "c"]}'


def cost(source: str, variables: Mapping[str, object] | None = None, limits: Limits = GENEROUS) -> Cost:
    profiles = profile_document(SCHEMA, parse(source), limits)
    return price(next(iter(profiles.values())), variables or {}, limits)


@pytest.mark.parametrize(
    ("source", "points"),
    [
        ("{ statuses }", 0),
        ("{ __typename }", 0),
        ("{ task(id: 1) { id title } }", 1),
        ("{ task(id: 1) { assignee { id } parent { id } } }", 1 + 1 + 7),
        ("{ task(id: 1) { labels { name } } }", 1 + 10),
        ("{ task(id: 1) { watchers { id } } }", 1 + 4),
        ("{ task(id: 1) { history { tasks(first: 2) { nodes { id } } } } }", 1 + 10 * (0 + 1 + 2)),
        ("{ tasks { pageInfo { hasNextPage } } }", 1),
        ("{ tasks { edges { cursor node { id } } } }", 1 + 20),
        ("{ tasks(first: 3) { edges { node { assignee { id } } } nodes { id } } }", 1 + 3 * 3),
        ("{ task(id: 1) { attachments { edges { node { id } } } } }", 1 + 1 + 10),
        ("{ recent { id } }", 5),
        ("{ recent(first: 7) { id } }", 7),
        ("{ nodes(ids: [1, 2, 3]) { id } }", 3),
        ("{ nodes(ids: []) { id } }", 0),
        ("{ nodes(ids: 1) { ... on Task { assignee { id } } ... on User { id } } }", 2),
        (
            "{ search { ... on Task { assignee { id } } ... on User { tasks(first: 2) { nodes { id } } } } }",
            50,
        ),
        ("subscription { taskChanged { assignee { id } } }", 2),
        (f"mutation {{ createTask(input: {ROW}) {{ ... on CreateTaskPayload {{ task {{ id }} }} }} }}", 12),
        ("{ __schema { types { name } } }", 1000),
        ('{ a: __type(name: "A") { name } b: __type(name: "B") { name } }', 2000),
    ],
)
def test_points_are_the_objects_that_can_come_back(source: str, points: int):
    assert cost(source).points == points


@pytest.mark.parametrize(
    ("given", "charged"),
    [
        ("1", 1),
        ("100", 100),
        ("101", 100),
        ("200000", 100),
        ("0", 1),
        ("-5", 1),
        ("null", 20),
        ("9" * 5000, 100),
        ("-" + "9" * 5000, 100),
        ('"3"', 100),
        ("1.5", 100),
        ("[3]", 100),
        ("$undefined", 20),
    ],
)
def test_a_literal_page_size_is_charged_within_1_and_100(given: str, charged: int):
    assert cost(f"{{ tasks(first: {given}) {PAGE} }}").points == 1 + charged


@pytest.mark.parametrize(
    ("variables", "charged"),
    [
        ({}, 20),
        ({"n": None}, 20),
        ({"n": 7}, 7),
        ({"n": 200_000}, 100),
        ({"n": -5}, 1),
        ({"n": 10**5000}, 100),
    ]
    + [({"n": value}, 100) for value in ("7", 7.0, float("nan"), float("inf"), True, [7], {"n": 7})],
)
def test_a_variable_page_size_is_charged_the_same_way(variables: Mapping[str, object], charged: int):
    assert cost(f"query($n: Int) {{ tasks(first: $n) {PAGE} }}", variables).points == 1 + charged


@pytest.mark.parametrize(
    ("variables", "charged"), [({}, 6), ({"n": None}, 20), ({"n": 7}, 7), ({"other": 1}, 6)]
)
def test_an_absent_variable_has_the_default_of_its_operation(variables: Mapping[str, object], charged: int):
    assert cost(f"query($n: Int = 6) {{ tasks(first: $n) {PAGE} }}", variables).points == 1 + charged


def test_an_absent_variable_without_default_leaves_the_default_of_the_argument():
    assert cost("query($n: Int) { recent(first: $n) { id } }").points == 5


def test_one_profile_is_priced_anew_for_each_request():
    document = parse(
        "query A($n: Int = 2) { ...F } query B { ...F } "
        f"fragment F on Query {{ tasks(first: $n) {PAGE} }}"
    )
    profiles = profile_document(SCHEMA, document, GENEROUS)
    assert [price(profiles["A"], {"n": n}, GENEROUS).points for n in (3, 50, 3)] == [4, 51, 4]
    assert [price(profiles[name], {}, GENEROUS).points for name in ("A", "B")] == [3, 21]


@pytest.mark.parametrize(
    ("source", "variables", "rows"),
    [
        (f"mutation {{ createTasks(input: {{tasks: [{ROW}, {ROW}, {ROW}]}}) {BATCH} }}", {}, 3),
        (f"mutation {{ createTasks(input: {{tasks: {ROW}}}) {BATCH} }}", {}, 1),
        (f"mutation {{ createTasks(input: {{tasks: []}}) {BATCH} }}", {}, 1),
        (f"mutation {{ createTasks(input: {{}}) {BATCH} }}", {}, 1),
        (f"mutation {{ createTasks {BATCH} }}", {}, 1),
        (f"mutation($i: I!) {{ createTasks(input: $i) {BATCH} }}", {"i": {"tasks": [{}] * 100}}, 100),
        (f"mutation($i: I!) {{ createTasks(input: $i) {BATCH} }}", {"i": 5}, 1),
        (f"mutation($i: I!) {{ createTasks(input: $i) {BATCH} }}", {}, 1),
        (f"mutation($i: I! = {{tasks: [{ROW}, {ROW}]}}) {{ createTasks(input: $i) {BATCH} }}", {}, 2),
        (f"mutation($t: [T!]) {{ createTasks(input: {{tasks: $t}}) {BATCH} }}", {"t": [{}] * 4}, 4),
        (f"mutation($t: T) {{ createTasks(input: {{tasks: [$t, $t]}}) {BATCH} }}", {"t": {}}, 2),
        (f"mutation($d: [ID!]!) {{ deleteTasks(ids: $d) {BATCH} }}", {"d": list(range(9))}, 9),
    ],
)
def test_a_batch_is_charged_by_its_rows(source: str, variables: Mapping[str, object], rows: int):
    # A write, its payload, its result and its task.
    assert cost(source, variables).points == rows * (10 + 1 + 1 + 1)


def test_ids_in_a_variable_are_counted():
    source = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Task { assignee { id } } } }"
    assert cost(source, {"ids": list(range(30))}).points == 60


@pytest.mark.parametrize(
    ("source", "queries"),
    [
        (f"{{ tasks {PAGE} }}", 1),
        (f"{{ a: tasks {PAGE} b: tasks {PAGE} }}", 2),
        (f"{{ tasks(first: 5) {{ nodes {{ assignee {{ tasks {PAGE} }} }} }} }}", 1 + 5),
        ("{ tasks(first: 20) { nodes { comments(first: 3) { edges { node { author { id } } } } } } }", 1),
        ("{ tasks(first: 20) { nodes { comments(first: 4) { edges { node { id } } } } } }", 1 + 20),
        ("{ tasks(first: 20) { nodes { comments { edges { node { id } } } } } }", 1 + 20),
        ('{ task(id: 1) { comments(first: 3, after: "x") { pageInfo { hasNextPage } } } }', 1),
        ("{ task(id: 1) { comments(first: 3, after: null) { pageInfo { hasNextPage } } } }", 0),
        ("{ task(id: 1) { comments(first: 3, after: $absent) { pageInfo { hasNextPage } } } }", 0),
        ('query($a: ID = "x") { task(id: 1) { comments(first: 3, after: $a) { __typename } } }', 1),
    ],
)
def test_queries_are_counted_once_per_parent(source: str, queries: int):
    assert cost(source).queries == queries


@pytest.mark.parametrize(
    ("directive", "points"),
    [
        ("@skip(if: true)", 0),
        ("@include(if: false)", 0),
        ("@skip(if: false)", 1),
        ("@include(if: true)", 1),
        ("@skip(if: $v)", 1),
        ("@include(if: $v)", 1),
        ("@other(if: true)", 1),
    ],
)
@pytest.mark.parametrize(
    "source",
    [
        "query($v: Boolean!) { task(id: 1) # { id } }",
        "query($v: Boolean!) { ... # { task(id: 1) { id } } }",
        "query($v: Boolean!) { ...F # } fragment F on Query { task(id: 1) { id } }",
    ],
)
def test_only_a_literal_condition_takes_a_selection_out(source: str, directive: str, points: int):
    assert cost(source.replace("#", directive), {"v": False}).points == points


@pytest.mark.parametrize(
    ("name", "limits"),
    [("cost", Limits(max_cost=9)), ("nodes", Limits(max_nodes=9)), ("queries", Limits(max_queries=4))],
)
def test_a_price_holds_at_the_limit_and_not_beyond(name: str, limits: Limits):
    source = "query($n: Int) { tasks(first: $n) { nodes { comments { __typename } assignee { id } } } }"
    variables = {"n": limits.max_queries - 1 if name == "queries" else 2}
    if name != "queries":
        source = source.replace("tasks", "a: task(id: 1) { id } b: task(id: 2) { id } tasks")
    assert cost(source, variables, limits) == cost(source, variables)
    with pytest.raises(QueryTooComplexError) as caught:
        cost(source, {"n": variables["n"] + 1}, limits)
    assert caught.value.extensions == {"limit": name, "max": getattr(limits, f"max_{name}")}


def test_the_default_limits_refuse_nested_pages_cheaply():
    nested = "{ tasks(first: 100) { nodes { comments(first: 100) { edges { node { id } } } } } }"
    with pytest.raises(QueryTooComplexError, match="cost is 10201, at most 5000"):
        cost(nested, limits=Limits())


def test_a_board_of_twenty_tasks_is_well_within_the_default_limits():
    board = """{ tasks(first: 20) { edges { node {
        id parent { id } assignee { name } comments(first: 3) { edges { node { id author { name } } } }
    } } } }"""
    assert cost(board, limits=Limits()) == Cost(points=321, nodes=201, queries=1, depth=7)


def test_astronomic_costs_stay_numbers_of_ordinary_size():
    chain = " ".join(
        f"fragment F{n} on User {{ tasks(first: 100) {{ nodes {{ assignee {{ ...F{n + 1} }} }} }} }}"
        for n in range(40)
    )
    source = f"{{ task(id: 1) {{ assignee {{ ...F0 }} }} }} {chain} fragment F40 on User {{ id }}"
    limits = Limits(max_nesting=300, max_depth=300, max_fields=10**6)
    with pytest.raises(QueryTooComplexError, match="cost is over 1000000000"):
        cost(source, limits=limits)


def test_metadata_are_read_where_strawberry_keeps_them():
    @strawberry.type
    class Leaf:
        name: str = "leaf"

    @strawberry.type
    class Query:
        @strawberry.field(metadata={"cost": 3, "list_size": 2, "query": True})
        def leaves(self) -> list[Leaf]:
            return []

    schema = strawberry.Schema(Query)
    profile = profile_document(schema._schema, parse("{ leaves { name } }"), GENEROUS)[None]
    assert price(profile, {}, GENEROUS) == Cost(points=6, nodes=2, queries=1, depth=1)


NESTED = "{ tasks(first: #) { nodes { comments(first: #) { edges { node { author { id } } } } } } }"


@pytest.mark.parametrize(
    ("source", "limit"),
    [
        (NESTED.replace("#", "100"), "cost"),
        (NESTED.replace("(first: #)", ""), "queries"),
        (NESTED.replace("#", "4").replace("tasks", "a: tasks") + " query B { statuses }", None),
        ("query A { statuses } query B " + NESTED.replace("#", "100"), "cost"),
        ("query($n: Int) " + NESTED.replace("#", "$n"), None),
        ("query($n: Int = 100) " + NESTED.replace("#", "$n"), None),
        ("query($n: Int) { nodes(ids: $n) { id } " + NESTED[1:].replace("#", "100"), "cost"),
        (f"mutation {{ createTasks(input: {{tasks: [{ROW * 500}]}}) {{ __typename }} }}", "cost"),
        ("mutation($r: CreateTasksInput!) { createTasks(input: $r) { __typename } }", None),
        ("{ statuses }", None),
    ],
)
def test_what_no_variables_make_affordable_is_refused_without_them(source: str, limit: str | None):
    limits = Limits(max_queries=10)
    profiles = profile_document(SCHEMA, parse(source), limits)
    if limit is None:
        enforce_least_price(profiles.values(), limits)
        return
    with pytest.raises(QueryTooComplexError) as caught:
        enforce_least_price(profiles.values(), limits)
    assert caught.value.extensions["limit"] == limit
