"""How many objects a field stands for, told from its document: a number, or a question to ask the variables.

What the schema alone cannot say is put into the metadata of a field, `strawberry.field(metadata={...})`:
    cost: int        points of one such object instead of 1 (0 for one that is free)
    list_size: int   how many a plain list holds at most; 1 where its parent already counts them, as the
                     results of a batch mutation do, or a list in an input that is one row's
    query: int       executing the field is this many DynamoDB Queries
    embedded: int    with `query`: the parent item carries this many children; a first page of no more is free
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, cast

from graphql import (
    FieldNode,
    GraphQLArgument,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLNamedType,
    IntValueNode,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    Undefined,
    ValueNode,
    VariableNode,
    get_named_type,
)

DEFAULT_PAGE = 20
MAX_PAGE = 100
ASSUMED_LIST = 10  # For a plain list without `list_size`.

Variables = Mapping[str, object]
Size = int | Callable[[Variables], int]

_NO_METADATA: Mapping[str, Any] = {}
_MAX_INT_DIGITS = 10  # GraphQL's Int has 32 bits; Python refuses to read 4,300 digits.


def metadata_of(field: GraphQLField | GraphQLInputField) -> Mapping[str, Any]:
    """The `metadata` the field was declared with."""
    return getattr(field.extensions.get("strawberry-definition"), "metadata", None) or _NO_METADATA


def holds_list(element: Any) -> bool:
    """Whether a field, argument or input field is of a list type."""
    return str(element.type).startswith("[")


def named_type(element: Any) -> GraphQLNamedType:
    """What a field, argument or input field holds, out of its lists and exclamation marks."""
    return cast("GraphQLNamedType", get_named_type(element.type))


def resolve(size: Size, variables: Variables) -> int:
    """The number itself, now that the variables are known."""
    return size if isinstance(size, int) else size(variables)


def least(size: Size) -> int:
    """The smallest number it can be, whatever the variables hold."""
    return size if isinstance(size, int) else 0


def page_size(field: GraphQLField, node: FieldNode) -> Size:
    """`first`, clamped: what is out of bounds is refused by its resolver before anything is read."""
    value = argument(node, "first")
    default = _default(field.args["first"])
    if isinstance(value, VariableNode):
        return partial(_page_of_variable, value.name.value, default)
    return _page(default if value is None else literal(value))


def is_beyond_embedded(node: FieldNode, size: Size, embedded: int) -> Size:
    """1 if the page needs a Query of its own, 0 if the parent carries it."""
    after = argument(node, "after")
    answer = partial(_beyond_embedded, after, size, embedded)
    return answer if callable(size) or isinstance(after, VariableNode) else answer({})


def ids_length(node: FieldNode) -> Size:
    """How many ids a lookup by ids was given."""
    value = argument(node, "ids")
    return 1 if value is None else _length(value)


def batch_size(field: GraphQLField, node: FieldNode) -> Size:
    """How many writes a mutation asks for: the longest list of rows or of ids in its input."""
    lengths = tuple(_batch_lengths(field, node))
    return partial(_longest, lengths) if any(map(callable, lengths)) else _longest(lengths, {})


def argument(node: FieldNode, name: str) -> ValueNode | None:
    """The value given to an argument in the document."""
    return next((given.value for given in node.arguments or () if given.name.value == name), None)


def literal(value: ValueNode) -> object:
    """What a literal holds, as far as sizes go: integers, lists, objects and null are told apart."""
    if isinstance(value, IntValueNode):
        return int(value.value) if len(value.value) <= _MAX_INT_DIGITS else MAX_PAGE
    if isinstance(value, ListValueNode):
        return [literal(item) for item in value.values]
    if isinstance(value, ObjectValueNode):
        return {member.name.value: literal(member.value) for member in value.fields}
    return None if isinstance(value, NullValueNode) else value


def _default(given: GraphQLArgument) -> object:
    """The default an argument was declared with, in SDL or by Strawberry: each keeps it elsewhere."""
    if given.default is None:
        return None if given.default_value is Undefined else given.default_value
    return literal(given.default.literal) if given.default.literal else given.default.value


def _page(value: object) -> int:
    if value is None:
        return DEFAULT_PAGE
    # Anything but an integer is refused by coercion; until then it is charged as the worst.
    return min(max(value, 1), MAX_PAGE) if type(value) is int else MAX_PAGE


def _page_of_variable(name: str, default: object, variables: Variables) -> int:
    return _page(variables.get(name, default))


def _beyond_embedded(after: ValueNode | None, size: Size, embedded: int, variables: Variables) -> int:
    if isinstance(after, VariableNode):
        starts_later = variables.get(after.name.value) is not None
    else:
        starts_later = after is not None and not isinstance(after, NullValueNode)
    return int(starts_later or resolve(size, variables) > embedded)


def _batch_lengths(field: GraphQLField, node: FieldNode) -> Iterator[Size]:
    for name, given in field.args.items():
        value = argument(node, name)
        if value is None:
            continue
        shape = named_type(given)
        if _is_batch(name, given):
            yield _length(value)
        elif isinstance(shape, GraphQLInputObjectType):
            yield from (_length(value, key) for key, member in shape.fields.items() if _is_batch(key, member))


def _is_batch(name: str, element: Any) -> bool:
    if not holds_list(element) or metadata_of(element).get("list_size") == 1:
        return False
    return name == "ids" or isinstance(named_type(element), GraphQLInputObjectType)


def _length(value: ValueNode, key: str | None = None) -> Size:
    """The length of the list, or of the list that is a member of the object."""
    if isinstance(value, VariableNode):
        return partial(_length_of_variable, value.name.value, key)
    if key is None:
        return len(value.values) if isinstance(value, ListValueNode) else 1
    members = value.fields if isinstance(value, ObjectValueNode) else ()
    return next((_length(member.value) for member in members if member.name.value == key), 1)


def _length_of_variable(name: str, key: str | None, variables: Variables) -> int:
    value = variables.get(name)
    if key is not None:
        value = cast("dict[str, object]", value).get(key) if isinstance(value, dict) else None
    return len(cast("list[object]", value)) if isinstance(value, list) else 1


def _longest(lengths: tuple[Size, ...], variables: Variables) -> int:
    return max(1, *(resolve(length, variables) for length in lengths)) if lengths else 1
