"""What an operation would cost, told from its document and variables before anything runs.

points   1 for every object the operation can return, page sizes multiplied in, and 10 more for every write
nodes    those objects alone
queries  DynamoDB Query calls: connections marked `query`, once per parent object
depth    composite fields inside one another

Scalars are free, and so are the `edges` and `pageInfo` of a connection: the node is charged. A connection
multiplies what is below it by `first` (20 unless given), `nodes(ids:)` by the ids, a batch mutation by its
rows, any other list by 10 or its `list_size` (metadata: see `metering.list_size`). It is an upper bound:
branches of an interface or union add up, `@skip` and `@include` count as taken unless a literal decides.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, cast

from graphql import (
    FieldNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    OperationType,
)

from graphql_api.metering.field_rates import Uses
from graphql_api.metering.limits import COUNT_CEILING, Limits, enforce
from graphql_api.metering.list_size import (
    ASSUMED_LIST,
    Size,
    Variables,
    batch_size,
    holds_list,
    ids_length,
    is_beyond_embedded,
    least,
    metadata_of,
    named_type,
    page_size,
    resolve,
)

WRITE_POINTS = 10
INTROSPECTION_POINTS = 1000  # graphql-core bounds what is inside one; this bounds how many fit an operation.

_HOLDERS = (dict, list)

_Total = tuple[int, int, int]  # points, nodes, queries


@dataclass(frozen=True, slots=True)
class Cost:
    """The price of one operation with its variables, as `extensions.cost` reports it."""

    points: int
    nodes: int
    queries: int
    depth: int


def objects_in(data: object) -> int:
    """How many objects a result holds, at any depth, itself not counted."""
    pending, count = [data], -1
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            count += 1
            pending += [
                each for each in cast("dict[str, object]", value).values() if each.__class__ in _HOLDERS
            ]
        elif isinstance(value, list):
            pending += cast("list[object]", value)
    return max(count, 0)


class Step(NamedTuple):
    """One composite field, or one fragment: what it costs itself, and how often its children happen.

    `size` objects are returned by the field itself if it `repeats`, else by one object of it (a connection).
    `children` are the indexes of earlier steps, so folding the steps in order never meets an unknown one.
    """

    children: tuple[int, ...]
    points: int = 0
    nodes: int = 0
    queries: Size = 0
    size: Size = 1
    repeats: bool = False


@dataclass(frozen=True, slots=True)
class OperationProfile:
    """What a document says of one of its operations; of no request, so it may be kept with the document.

    `steps` are those of the whole document, `roots` the indexes of this operation's own; `uses` are those of
    fields that have a rate. `is_past_quota`: it may be asked for though the month's points are used up, as
    what leads out of that must be (metadata `past_quota` of all its fields).
    """

    operation: OperationType
    depth: int
    aliases: int
    fields: int
    roots: tuple[int, ...]
    steps: Sequence[Step]
    defaults: Mapping[str, object]
    uses: Mapping[str, Uses] = field(default_factory=dict[str, Uses])
    is_past_quota: bool = False


def price(profile: OperationProfile, variables: Variables, limits: Limits) -> Cost:
    """The cost with these raw variables, or QueryTooComplexError; work is linear in the document's steps."""
    number = partial(resolve, variables={**profile.defaults, **variables})
    totals = _totals(profile.steps, number)
    points, nodes, queries = _enforced(_total(Step(profile.roots), totals, number), limits)
    return Cost(points, nodes, queries, profile.depth)


def enforce_least_price(profiles: Iterable[OperationProfile], limits: Limits) -> None:
    """Raise QueryTooComplexError if one of a document's operations is too expensive with any variables."""
    totals: Sequence[_Total] = ()
    for profile in profiles:
        totals = totals or _totals(profile.steps, least)
        _enforced(_total(Step(profile.roots), totals, least), limits)


def field_step(
    parent: GraphQLNamedType | None,
    field: GraphQLField | None,
    node: FieldNode,
    children: tuple[int, ...],
    *,
    writes: bool,
) -> Step:
    """The step of a composite field; one that is not in the schema counts as an object."""
    if node.name.value.startswith("__"):
        return Step((), points=INTROSPECTION_POINTS)
    if field is None:
        return Step(children, points=1, nodes=1)
    metadata = metadata_of(field)
    is_wrapper = node.name.value in ("edges", "pageInfo") and _is_connection(parent)
    size, repeats = _multiplicity(parent, field, node, metadata, writes=writes)
    return Step(
        children,
        points=0 if is_wrapper else metadata.get("cost", 1) + WRITE_POINTS * writes,
        nodes=0 if is_wrapper else 1,
        queries=_own_queries(node, size, metadata),
        size=size,
        repeats=repeats,
    )


def _totals(steps: Iterable[Step], number: Callable[[Size], int]) -> Sequence[_Total]:
    totals: list[_Total] = []
    for step in steps:
        totals.append(_total(step, totals, number))
    return totals


def _enforced(total: _Total, limits: Limits) -> _Total:
    points, nodes, queries = total
    enforce("cost", points, limits.max_cost)
    enforce("nodes", nodes, limits.max_nodes)
    enforce("queries", queries, limits.max_queries)
    return total


def _total(step: Step, totals: Sequence[_Total], number: Callable[[Size], int]) -> _Total:
    size = number(step.size)
    points = nodes = queries = 0
    for child in step.children:
        below = totals[child]
        points += below[0]
        nodes += below[1]
        queries += below[2]
    own = size if step.repeats else 1
    return (
        min(own * step.points + size * points, COUNT_CEILING),
        min(own * step.nodes + size * nodes, COUNT_CEILING),
        min(number(step.queries) + size * queries, COUNT_CEILING),
    )


def _multiplicity(
    parent: GraphQLNamedType | None,
    field: GraphQLField,
    node: FieldNode,
    metadata: Mapping[str, Any],
    *,
    writes: bool,
) -> tuple[Size, bool]:
    is_list = holds_list(field)
    if writes:
        return batch_size(field, node), True
    if "first" in field.args:
        return page_size(field, node), is_list
    if is_list and node.name.value in ("edges", "nodes") and _is_connection(parent):
        return 1, True  # The connection has multiplied already.
    if is_list and "ids" in field.args:
        return ids_length(node), True
    if is_list or _is_connection(named_type(field)):
        return metadata.get("list_size", ASSUMED_LIST), is_list
    return 1, False


def _own_queries(node: FieldNode, size: Size, metadata: Mapping[str, Any]) -> Size:
    if not metadata.get("query"):
        return 0
    return (
        is_beyond_embedded(node, size, metadata["embedded"])
        if "embedded" in metadata
        else int(metadata["query"])
    )


def _is_connection(candidate: GraphQLNamedType | None) -> bool:
    is_composite = isinstance(candidate, GraphQLObjectType | GraphQLInterfaceType)
    return is_composite and "edges" in candidate.fields and "pageInfo" in candidate.fields
