"""For every field of Query, Mutation and Subscription the operation that asks for all its answer can hold."""

from collections import defaultdict
from collections.abc import Collection
from functools import cache

import strawberry
from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
)

from graphql_api.operations.execution import graphql_schema
from graphql_api.schema import build_schema

# Entities inside one another; a page is no level of its own.
DEPTH = 2
NESTED_ROWS = 2
MONTH = "2040-01-02"
Fields = GraphQLObjectType | GraphQLInterfaceType


@cache
def product() -> strawberry.Schema:
    """The product's schema; it keeps nothing, so one serves every run."""
    return build_schema()


def schema() -> GraphQLSchema:
    return graphql_schema(product())


@cache
def roots() -> dict[str, tuple[str, GraphQLField]]:
    """Every root field with the keyword of its operation."""
    kinds = {
        "query": schema().query_type,
        "mutation": schema().mutation_type,
        "subscription": schema().subscription_type,
    }
    return {
        name: (keyword, field)
        for keyword, root in kinds.items()
        if root is not None
        for name, field in root.fields.items()
    }


@cache
def document(root: str) -> str:
    """The operation for a root field; every argument is a variable of its name, the answer is `result`."""
    keyword, field = roots()[root]
    declared = ", ".join(f"${name}: {argument.type}" for name, argument in field.args.items())
    passed = ", ".join(f"{name}: ${name}" for name in field.args)
    variables, arguments = (f"({declared})", f"({passed})") if field.args else ("", "")
    return f"{keyword} {root}{variables} {{ result: {root}{arguments} {_selection(field.type, DEPTH)} }}"


def _selection(of: GraphQLOutputType, depth: int, *, in_row: bool = False) -> str:
    """All fields of a type; an entity takes one of `depth`, and at its end only leaves are asked for."""
    named = get_named_type(of)
    depth -= _is_entity(named)
    if isinstance(named, GraphQLObjectType):
        return f"{{ {_fields(named, depth, in_row=in_row)} }}"
    if not isinstance(named, GraphQLInterfaceType | GraphQLUnionType):
        return ""
    members = [*schema().get_possible_types(named)]
    shared = {interface.name: interface for member in members for interface in member.interfaces}
    inherited = {name for interface in shared.values() for name in interface.fields}
    clashing = _clashing(members)
    parts = {name: _fields(each, depth) for name, each in shared.items()}
    parts |= {each.name: _fields(each, depth, without=inherited, aliased=clashing) for each in members}
    fragments = (f"... on {name} {{ {fields} }}" for name, fields in parts.items() if fields)
    return f"{{ __typename {' '.join(fragments)} }}"


def _fields(
    of: Fields,
    depth: int,
    *,
    without: Collection[str] = (),
    aliased: Collection[str] = (),
    in_row: bool = False,
) -> str:
    lines: list[str] = []
    in_row = in_row or of.name.endswith("Edge")
    for name, field in of.fields.items():
        named, size = get_named_type(field.type), _size(field)
        # A list in each row of a list takes a call for each; single parents are asked for theirs.
        if name in without or (size and in_row) or (not depth and _leads_to_an_entity(named)):
            continue
        alias = f"{of.name}_{name}: " if name in aliased else ""
        # `current` may be anything: six entities in full are more than a document may hold.
        left = 1 if named is _node() else depth
        lines.append(f"{alias}{name}{size} {_selection(field.type, left, in_row=in_row)}".strip())
    return " ".join(lines)


def _size(field: GraphQLField) -> str:
    """How much is asked of a field that takes a call of its own; nothing of one that takes none."""
    if "month" in field.args:
        return f'(month: "{MONTH}")'
    return f"(first: {NESTED_ROWS})" if "first" in field.args else ""


def _node() -> GraphQLNamedType:
    return schema().type_map["Node"]


def _is_entity(of: GraphQLNamedType) -> bool:
    return of is _node() or (isinstance(of, GraphQLObjectType) and _node() in of.interfaces)


def _leads_to_an_entity(of: GraphQLNamedType) -> bool:
    """Whether it is one, or a page of them."""
    if _is_entity(of) or not isinstance(of, GraphQLObjectType):
        return _is_entity(of)
    return any(_leads_to_an_entity(get_named_type(field.type)) for field in of.fields.values())


def _clashing(members: list[GraphQLObjectType]) -> set[str]:
    """Names that stand for different types in different members: they cannot be asked for side by side."""
    types: defaultdict[str, set[str]] = defaultdict(set)
    for member in members:
        for name, field in member.fields.items():
            types[name].add(str(field.type))
    return {name for name, found in types.items() if len(found) > 1}
