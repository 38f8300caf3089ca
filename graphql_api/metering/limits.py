"""Every static bound of a request in one place, and the two that hold before a document exists.

DocumentSyntaxError        GRAPHQL_PARSE_FAILED   not GraphQL; says where
QueryTooComplexError       QUERY_TOO_COMPLEX      over a bound; `extensions` have its name and `max`
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import cast

from graphql import DocumentNode, GraphQLSyntaxError, SourceLocation, parse

from graphql_api.errors import ApiError, ErrorCode, QueryTooComplexError

COUNT_CEILING = 10**9  # Fan-out grows exponentially; past this a count only has to stay "too many".


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The bounds of one request. Counts are taken after expansion of fragments unless said otherwise.

    max_body_bytes: of the HTTP body, before anything looks into it.
    max_source_length: characters of the document.
    max_tokens, max_comments: of the document; commas and blanks are covered by its length.
    max_operations, max_fragments: definitions. Clients that keep a fragment beside every component need many
        fragments and one operation, and analysis is linear in them, so they are bounded apart.
    max_nesting: selection sets inside one another, through fields, inline fragments and spreads alike.
    max_depth: composite fields inside one another; introspection does not count.
    max_aliases: `__typename` is not exempt: a list repeats an aliased one as often as any other field.
    max_root_fields: fields of the operation itself, a bare `__typename` excepted; it bounds brute force.
    max_fields: selections: fields, spreads and inline fragments.
    max_comparisons: pairs of fields that validation compares because they share a response name, over the
        document (see `metering.overlap`). Each takes 3 to 6 µs; twenty fragments of the same ten scalars are
        1900 of them.
    max_directives, max_directives_per_location: of the document as written.
    max_cost, max_nodes, max_queries: see `metering.cost`.
    max_event_cost, max_event_queries: the same two for a subscription, which is executed for every event and
        every group of subscribers, in a time that all of a tenant's subscribers share.
    max_value_depth: lists and objects inside one another, in the variables and in literals.
    max_object_members: of one object in the variables or in a literal. Who refuses one quotes all of them.
    max_variable_values: values in the variables, every list item and object member counted. Extensions are
        held to the bounds of variables.
    max_errors: reported in one response.
    max_echo: characters of a message, so that no answer mirrors its request.
    """

    max_body_bytes: int = 256 * 1024
    max_source_length: int = 20 * 1024
    max_tokens: int = 1000
    max_comments: int = 100
    max_operations: int = 10
    max_fragments: int = 50
    max_nesting: int = 50
    max_depth: int = 12
    max_aliases: int = 15
    max_root_fields: int = 10
    max_fields: int = 2000
    max_comparisons: int = 2000
    max_directives: int = 50
    max_directives_per_location: int = 10
    max_cost: int = 5000
    max_nodes: int = 10_000
    max_queries: int = 25
    max_event_cost: int = 200
    max_event_queries: int = 2
    max_value_depth: int = 10
    max_object_members: int = 32
    max_variable_values: int = 5000
    max_errors: int = 8
    max_echo: int = 256


class DocumentSyntaxError(ApiError):
    """The document is not GraphQL; `locations` point at the first place where it is not."""

    code = ErrorCode.GRAPHQL_PARSE_FAILED

    def __init__(self, message: str, locations: list[SourceLocation]) -> None:
        super().__init__(message)
        self.locations = locations


def enforce(limit: str, actual: int, maximum: int) -> None:
    """Raise QueryTooComplexError if `actual` is over the bound; a count at its ceiling is told as such."""
    if actual > maximum:
        shown = f"over {COUNT_CEILING}" if actual >= COUNT_CEILING else str(actual)
        raise _too_complex(limit, maximum, f"{limit} is {shown}")


def clip(text: str, length: int) -> str:
    """The text, or its beginning with an ellipsis, in at most `length` characters."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def parse_document(source: str, limits: Limits) -> DocumentNode:
    """The document, or DocumentSyntaxError, or QueryTooComplexError for a bound the parser keeps."""
    enforce("sourceLength", len(source), limits.max_source_length)
    try:
        return parse(
            source,
            max_lexical_tokens=limits.max_tokens,
            max_comments=limits.max_comments,
            allow_empty_selection_sets=False,
        )
    except GraphQLSyntaxError as error:
        failure = _parse_failure(error, limits)
    raise failure  # Outside the handler: the parser's error holds the whole source alive.


def check_variables(variables: Mapping[str, object], limits: Limits) -> None:
    """Raise QueryTooComplexError for variables nested too deeply or too many; linear, without recursion.

    The members of `variables` itself count as values alone: who declares none may be sent any.
    """
    values: Iterable[object] = variables.values()
    depth = count = 0
    while members := list(values):
        count += len(members)
        enforce("variableValues", count, limits.max_variable_values)
        containers: list[object] = [member for member in members if isinstance(member, list | dict)]
        depth += bool(containers)
        enforce("valueDepth", depth, limits.max_value_depth)
        enforce("objectMembers", _widest(containers), limits.max_object_members)
        values = chain.from_iterable(map(_contents, containers))


def _widest(containers: Iterable[object]) -> int:
    objects = (cast("dict[str, object]", one) for one in containers if isinstance(one, dict))
    return max(map(len, objects), default=0)


def _contents(container: object) -> Iterable[object]:
    if isinstance(container, dict):
        return cast("dict[str, object]", container).values()
    return cast("list[object]", container)


def _parse_failure(error: GraphQLSyntaxError, limits: Limits) -> ApiError:
    # The parser tells its bounds from bad syntax only in its words.
    bounds = {
        f"more than {limits.max_tokens} tokens": ("tokens", limits.max_tokens),
        f"more than {limits.max_comments} comments": ("comments", limits.max_comments),
        "nested too deeply": ("nesting", limits.max_nesting),
    }
    for words, (limit, maximum) in bounds.items():
        if error.message.startswith("Syntax Error: Document ") and words in error.message:
            return _too_complex(limit, maximum, f"{limit} is over its bound")
    return DocumentSyntaxError(clip(error.message, limits.max_echo), error.locations or [])


def _too_complex(limit: str, maximum: int, reason: str) -> QueryTooComplexError:
    return QueryTooComplexError(
        f"The query is too complex: {reason}, at most {maximum} is allowed.", limit=limit, max=maximum
    )
