"""The memoised analysis against an expander that writes every fragment out, and against real executions."""

from collections.abc import Mapping
from typing import NamedTuple, cast

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLResolveInfo,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    execute_sync,
    parse,
    print_ast,
)
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis_graphql import queries

from graphql_api.metering.cost import Cost, price
from graphql_api.metering.limits import Limits
from graphql_api.metering.profile import profile_document
from tests.metering.schema import SCHEMA, SDL

BOUNDLESS = Limits(**dict.fromkeys(Limits.__dataclass_fields__, 10**8) | {"max_nesting": 300})


class Shape(NamedTuple):
    """What the schema says of one composite field, written down by hand."""

    of: str
    size: int = 1
    paged: bool = False
    repeats: bool = False
    weight: int = 1
    nodes: int = 1
    query: bool = False
    embedded: int = 0


SHAPES = {
    ("Query", "task"): Shape("Task"),
    ("Query", "tasks"): Shape("TaskConnection", paged=True, query=True),
    ("Task", "assignee"): Shape("User"),
    ("Task", "parent"): Shape("Task", weight=7),
    ("Task", "labels"): Shape("Label", size=10, repeats=True),
    ("Task", "watchers"): Shape("User", size=4, repeats=True),
    ("Task", "history"): Shape("User", size=10, repeats=True, weight=0),
    ("Task", "comments"): Shape("CommentConnection", paged=True, query=True, embedded=3),
    ("User", "tasks"): Shape("TaskConnection", paged=True, query=True),
    ("Comment", "author"): Shape("User"),
    ("TaskConnection", "nodes"): Shape("Task", repeats=True),
    ("TaskConnection", "edges"): Shape("TaskEdge", repeats=True, weight=0, nodes=0),
    ("TaskConnection", "pageInfo"): Shape("PageInfo", weight=0, nodes=0),
    ("TaskEdge", "node"): Shape("Task"),
    ("CommentConnection", "edges"): Shape("CommentEdge", repeats=True, weight=0, nodes=0),
    ("CommentEdge", "node"): Shape("Comment"),
}
FRAGMENT_TYPES = ["Query", "Task", "User", "Comment"]
PAGES = st.sampled_from(["", "(first: 2)", "(first: 500)", "(first: $a)", "(first: $b)", "(first: null)"])
CONDITIONS = st.sampled_from(["", "", "", "@skip(if: true)", "@include(if: $c)", "@skip(if: false)"])
VARIABLES = st.fixed_dictionaries(
    {}, optional={name: st.none() | st.integers(-1, 120) for name in ("a", "b")}
)


class Expanded(NamedTuple):
    points: int = 0
    nodes: int = 0
    queries: int = 0
    depth: int = 0
    fields: int = 0
    aliases: int = 0

    def priced(self, size: int, *, own: Shape, repeats: int, query: bool) -> "Expanded":
        return self._replace(
            points=repeats * own.weight + size * self.points,
            nodes=repeats * own.nodes + size * self.nodes,
            queries=query + size * self.queries,
        )


class Expander:
    """Writes every fragment out, every time: exponential, and too simple to be wrong."""

    def __init__(self, document: DocumentNode, variables: Mapping[str, int | None]) -> None:
        nodes = document.definitions
        self.fragments = {node.name.value: node for node in nodes if isinstance(node, FragmentDefinitionNode)}
        self.variables: dict[str, int | None] = {"a": 4, **variables}

    def of(self, node: SelectionSetNode, parent: str) -> Expanded:
        parts = [self.selection(selection, parent) for selection in node.selections]
        sums = Expanded(*map(sum, zip(*parts, strict=True)))
        return sums._replace(depth=max(part.depth for part in parts))

    def selection(self, node: SelectionNode, parent: str) -> Expanded:
        if isinstance(node, FieldNode):
            found = self.field(node, parent)
        elif isinstance(node, InlineFragmentNode):
            found = self.of(
                node.selection_set, node.type_condition.name.value if node.type_condition else parent
            )
        else:
            assert isinstance(node, FragmentSpreadNode)
            fragment = self.fragments[node.name.value]
            found = self.of(fragment.selection_set, fragment.type_condition.name.value)
        found = found._replace(fields=found.fields + 1)
        is_out = "@skip(if: true)" in [print_ast(directive) for directive in node.directives or ()]
        return found._replace(points=0, nodes=0, queries=0) if is_out else found

    def field(self, node: FieldNode, parent: str) -> Expanded:
        aliases = int(node.alias is not None)
        if node.selection_set is None:
            return Expanded(aliases=aliases)
        shape = SHAPES.get((parent, node.name.value), Shape("nothing"))
        below = self.of(node.selection_set, shape.of)
        below = below._replace(depth=below.depth + 1, aliases=below.aliases + aliases)
        size = self.page(node) if shape.paged else shape.size
        repeats = size if shape.repeats else 1
        return below.priced(size, own=shape, repeats=repeats, query=shape.query and size > shape.embedded)

    def page(self, node: FieldNode) -> int:
        text = print_ast(node.arguments[0].value) if node.arguments else "null"
        value = (
            self.variables.get(text[1:]) if text.startswith("$") else None if text == "null" else int(text)
        )
        return 20 if value is None else min(max(value, 1), 100)


@st.composite
def selection_sets(draw: st.DrawFn, parent: str, spreads: list[str], depth: int) -> str:
    fields = [name for owner, name in SHAPES if owner == parent] if depth else []
    choices = ["scalar", *fields, *(["inline"] if depth else []), *spreads]
    picked = draw(st.lists(st.sampled_from(choices), min_size=1, max_size=3))
    return "{ " + " ".join(draw(selections(name, parent, spreads, depth)) for name in picked) + " }"


@st.composite
def selections(draw: st.DrawFn, name: str, parent: str, spreads: list[str], depth: int) -> str:
    condition = draw(CONDITIONS)
    if name in spreads:
        return f"...{name} {condition}"
    alias = draw(st.sampled_from(["", "", "other: "]))
    if name == "scalar":
        return f"{alias}id {condition}"
    if name == "inline":
        on = draw(st.sampled_from([parent, *FRAGMENT_TYPES]))
        return f"... on {on} {condition} {draw(selection_sets(on, spreads, depth - 1))}"
    shape = SHAPES[parent, name]
    arguments = draw(PAGES) if shape.paged else ""
    return f"{alias}{name}{arguments} {condition} {draw(selection_sets(shape.of, spreads, depth - 1))}"


@st.composite
def documents(draw: st.DrawFn) -> str:
    names = [f"F{n}" for n in range(draw(st.integers(0, 5)))]
    text = "query($a: Int = 4, $b: Int, $c: Boolean) " + draw(selection_sets("Query", names, 3))
    for index, name in enumerate(names):
        on = draw(st.sampled_from(FRAGMENT_TYPES))
        text += f" fragment {name} on {on} " + draw(selection_sets(on, names[index + 1 :], 2))
    return text


@given(documents(), VARIABLES)
@settings(max_examples=150, deadline=None)
def test_the_memoised_sums_are_those_of_the_written_out_document(
    source: str, variables: dict[str, int | None]
):
    document = parse(source)
    operation = next(node for node in document.definitions if isinstance(node, OperationDefinitionNode))
    expanded = Expander(document, variables).of(operation.selection_set, "Query")
    profile = profile_document(SCHEMA, document, BOUNDLESS)[None]
    found = price(profile, variables, BOUNDLESS)
    assert found == Cost(expanded.points, expanded.nodes, expanded.queries, expanded.depth)
    assert (profile.fields, profile.aliases) == (expanded.fields, expanded.aliases)


class Fullest:
    """Resolves every field to as many objects as it may return, and counts them."""

    def __init__(self) -> None:
        self.objects = 0

    def __call__(self, source: dict[str, object] | None, info: GraphQLResolveInfo, **given: object) -> object:
        named = str(info.return_type).strip("[]!")
        if named in ("String", "ID", "Boolean"):
            return [] if str(info.return_type).startswith("[") else True if named == "Boolean" else "x"
        size = self.size(source or {}, info, given)
        below = {"__typename": {"Node": "Task", "Found": "User"}.get(named, named), "size": size}
        times = size if str(info.return_type).startswith("[") else 1
        self.objects += 0 if info.field_name in ("edges", "pageInfo") else times
        return below if times == 1 and not str(info.return_type).startswith("[") else [below] * times

    def size(self, source: dict[str, object], info: GraphQLResolveInfo, given: dict[str, object]) -> int:
        if info.field_name in ("edges", "nodes") and "size" in source:
            return cast("int", source["size"])
        if "ids" in given:
            return len(cast("list[object]", given["ids"]))
        if "first" in given or info.field_name == "tasks":
            first = given.get("first")
            return min(max(first, 1), 100) if isinstance(first, int) else 20
        return {"comments": 20, "watchers": 4}.get(info.field_name, 10)


@given(queries(SDL))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_execution_returns_more_objects_than_were_priced(source: str):
    document = parse(source)
    cost = price(next(iter(profile_document(SCHEMA, document, BOUNDLESS).values())), {}, BOUNDLESS)
    assume(cost.nodes <= 5000)
    fullest = Fullest()
    result = execute_sync(SCHEMA, document, field_resolver=fullest)
    assert result.errors is None
    assert fullest.objects <= cost.nodes
