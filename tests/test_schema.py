from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from graphql import GraphQLEnumType, GraphQLSchema
from graphql import build_schema as parsed

from graphql_api.errors import ErrorCode
from graphql_api.schema import build_schema
from tests import schema_conventions as conventions
from tests.schema_gate import noticed_changes

ROOT = Path(__file__).parent.parent
RELEASED = Path(__file__).with_name("released.graphql")
PRINTED = build_schema().as_str() + "\n"
PRESENT = parsed(PRINTED)

OLD = """
    interface Node { id: ID! }
    enum Role { VIEWER ADMIN }
    type Task implements Node { id: ID!  title: String!  note: String }
    type Board { name: String }
    union Result = Task | Board
    input MoveInput { id: ID!  to: String  place: Int = 3  role: Role! = VIEWER }
    directive @live(rate: Int = 1) on QUERY | FIELD
    scalar Date
    type Query {
      task(id: ID!): Task  tasks(first: Int! = 20, after: String): [Task!]!  result: Result
    }
    type Mutation { move(input: MoveInput!): Result }
"""
NOTICED = {
    "a field is removed": ("note: String", ""),
    "a field is renamed": ("title: String!", "name: String!"),
    "a field has another type": ("title: String!", "title: ID!"),
    "a field may be null": ("title: String!", "title: String"),
    "a list may hold nulls": ("[Task!]!", "[Task]!"),
    "a field is no list any more": ("[Task!]!", "Task!"),
    "a root field is removed": ("task(id: ID!): Task", ""),
    "an argument is removed": (", after: String", ""),
    "an argument has another type": ("task(id: ID!)", "task(id: Int!)"),
    "an argument may not be null any more": ("after: String", "after: String!"),
    "an argument's default is removed": ("first: Int! = 20", "first: Int!"),
    "an argument's default is another": ("first: Int! = 20", "first: Int! = 10"),
    "a required argument is added": ("task(id: ID!)", "task(id: ID!, role: Role!)"),
    "an input field is removed": ("to: String", ""),
    "an input field has another type": ("to: String", "to: ID"),
    "an input field may not be null any more": ("to: String", "to: String!"),
    "an input field's default is removed": ("role: Role! = VIEWER", "role: Role!"),
    "an optional input field's default is removed": ("place: Int = 3", "place: Int"),
    "an input field's default is another": ("place: Int = 3", "place: Int = 4"),
    "a required input field is added": ("to: String", "to: String  why: String!"),
    "an enum value is removed": ("VIEWER ADMIN", "VIEWER"),
    "an enum value is added": ("VIEWER ADMIN", "VIEWER ADMIN OWNER"),
    "a union loses a member": ("Task | Board", "Task"),
    "a union gets a member": ("Task | Board", "Task | Board | Query"),
    "a type is removed": ("scalar Date", "scalar Time"),
    "a type is of another kind": ("type Board {", "interface Board {"),
    "a type leaves an interface": ("Task implements Node", "Task"),
    "a type joins an interface": ("type Board {", "type Board implements Node { id: ID!"),
    "a directive is removed": ("@live", "@alive"),
    "a directive's argument has another default": ("rate: Int = 1", "rate: Int = 2"),
    "a directive loses a place": ("QUERY | FIELD", "QUERY"),
}
ADDED = {
    "nothing": ("", ""),
    "words": ("interface Node", '"Anything" interface Node'),
    "a deprecation": ("note: String", "note: String @deprecated"),
    "a type": ("scalar Date", "scalar Date scalar Time"),
    "a field": ("note: String", "note: String  words: Int!"),
    "a root field": ("result: Result", "result: Result  results: [Result]"),
    "an optional argument": ("after: String", "after: String, before: String"),
    "a required argument with a default": ("task(id: ID!)", "task(id: ID!, role: Role! = ADMIN)"),
    "an optional input field": ("to: String", "to: String  why: String"),
    "an input field with a default": ("to: String", "to: String  loud: Boolean! = false"),
    "a default where there was none": ("to: String", 'to: String = "done"'),
    "an argument that may be left out": ("input: MoveInput!", "input: MoveInput"),
    "a field that is never null any more": ("note: String", "note: String!"),
    "another order": ("VIEWER ADMIN", "ADMIN VIEWER"),
}


def changed(change: tuple[str, str]) -> GraphQLSchema:
    before, after = change
    assert before in OLD
    return parsed(OLD.replace(before, after, 1))


def test_the_committed_schema_is_what_the_code_prints() -> None:
    assert (ROOT / "schema.graphql").read_text() == PRINTED, "python -m graphql_api schema > schema.graphql"


def test_the_printed_schema_is_valid_and_prints_the_same_again() -> None:
    assert not noticed_changes(PRESENT, parsed(PRINTED))


def test_released_clients_notice_no_change() -> None:
    noticed = noticed_changes(parsed(RELEASED.read_text()), PRESENT)

    assert not noticed, (
        "clients break; a release that says so copies schema.graphql to tests/released.graphql"
    )


@pytest.mark.parametrize("change", NOTICED.values(), ids=list(NOTICED))
def test_what_clients_would_notice_is_caught(change: tuple[str, str]) -> None:
    assert noticed_changes(parsed(OLD), changed(change))


@pytest.mark.parametrize("change", ADDED.values(), ids=list(ADDED))
def test_what_is_merely_added_is_let_through(change: tuple[str, str]) -> None:
    assert not noticed_changes(parsed(OLD), changed(change))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("createTask(input", "addTask(input"),
        ("first: Int = 20", "first: Int"),
        ("priority: TaskPriority! = MEDIUM", "priority: TaskPriority!"),
        ("  PAYLOAD_TOO_LARGE\n", ""),
        ("CreateTaskPayload | InvalidInputError", "CreateTaskPayload"),
    ],
)
def test_the_gate_guards_the_schema_itself(before: str, after: str) -> None:
    assert before in PRINTED
    assert noticed_changes(PRESENT, parsed(PRINTED.replace(before, after, 1)))


NO = "interface Error { m: Int } type No implements Error { m: Int }"
NODE = "scalar DateTime interface Node { id: ID! } type Task implements Node"
Convention = Callable[[GraphQLSchema], Iterator[str]]
# Each convention beside a schema that breaks it and nothing else worth naming.
CONVENTIONS: dict[Convention, list[str]] = {
    conventions.lists_are_relay_connections: [
        "type TaskConnection { edges: [Int!]! total: Int! }",
        "type TaskEdge { cursor: String! node: Int! }",
        "type TaskEdge { node: Int! }",
        "type PageInfo { hasNextPage: Boolean! }",
    ],
    conventions.lists_are_paged: [
        "type BoxConnection { n: Int } extend type Query { box: BoxConnection! }",
        "type BoxConnection { n: Int } extend type Query { box(first: Int!, after: String): BoxConnection! }",
        "type BoxConnection { n: Int } extend type Query { box(first: Int, after: String): BoxConnection }",
    ],
    conventions.mutations_take_one_input: [
        "input MoveInput { a: Int } type Mutation { move(input: MoveInput): Int }",
        "input MoveInput { a: Int } type Mutation { move(input: MoveInput!, id: ID!): Int }",
        "type Mutation { move(id: ID!): Int }",
        "input TaskInput { a: Int } type Mutation { move(input: TaskInput!): Int }",
    ],
    conventions.mutations_answer_with_a_payload_or_an_error: [
        "type Mutation { move: Int }",
        "type MovePayload { a: Int } type Mutation { move: MovePayload }",
        "type MovePayload { a: Int } type No { a: Int } union R = MovePayload | No type Mutation { move: R }",
        "type MovePayload { a: Int } union R = MovePayload type Mutation { move: R }",
        f"{NO} union R = No type Mutation {{ move: R }}",
        f"{NO} type MovePayload {{ a: Int }} union R = No | MovePayload type Mutation {{ move: R! }}",
    ],
    conventions.mutations_can_be_repeated: [
        "input MoveInput { a: Int } type Mutation { move(input: MoveInput!): Int }",
        "input MoveInput { idempotencyKey: String! } type Mutation { move(input: MoveInput!): Int }",
        "type Mutation { move: Int }",
    ],
    conventions.everything_mutable_has_a_version: [
        f"{NODE} {{ id: ID! }}",
        f"{NODE} {{ id: ID! version: Int createdAt: DateTime! updatedAt: DateTime! }}",
    ],
    conventions.versions_can_be_expected: [
        "input MoveInput { id: ID! } type Mutation { move(input: MoveInput!): Int }",
        "input MoveInput { id: ID! expectedVersion: Int! } type Mutation { move(input: MoveInput!): Int }",
    ],
    conventions.nobody_names_a_tenant: [
        "input MoveInput { tenantId: ID! }",
        "extend type Query { tasks(tenant: String): Int }",
        "type Board { tasks(ofTenant: String): Int }",
    ],
    conventions.everything_is_described: [
        "type Board { a: Int }",
        "input MoveInput { a: Int }",
        "enum Role { ADMIN }",
        '"What can be changed." type Mutation { move: Int }',
    ],
}


@pytest.mark.parametrize("convention", CONVENTIONS, ids=lambda one: one.__name__)
def test_the_schema_keeps_to_its_conventions(convention: Convention) -> None:
    assert not list(convention(PRESENT))


@pytest.mark.parametrize(
    ("convention", "broken"),
    [(convention, schema) for convention, schemas in CONVENTIONS.items() for schema in schemas],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_a_convention_notices_who_breaks_it(convention: Convention, broken: str) -> None:
    fine = '"What can be read." type Query { "Nothing." nothing: Int }\n'
    assert not list(convention(parsed(fine + '"Anything." interface Thing { id: ID! }')))
    assert list(convention(parsed(fine + broken)))


def test_the_enum_of_codes_holds_every_code_there_is() -> None:
    codes = PRESENT.type_map["ErrorCode"]

    assert isinstance(codes, GraphQLEnumType)
    assert set(codes.values) == {code.value for code in ErrorCode}
