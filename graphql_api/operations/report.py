"""Failures in, what the client may read of them out; the unexpected ones go to the log whole."""

import logging
import re
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import NamedTuple, TypeAlias, cast

from graphql import (
    ArgumentNode,
    FieldNode,
    GraphQLError,
    ObjectFieldNode,
    ObjectValueNode,
    SourceLocation,
)
from strawberry.exceptions import StrawberryInputCoercionError

from graphql_api.errors import ApiError, ErrorCode, InternalError, InvalidInputError
from graphql_api.metering.limits import clip

ErrorEntry: TypeAlias = dict[str, object]

MAX_ECHO = 256
MAX_LOGGED = 9  # Each comes with its traceback; a list repeats the same failure for every item.
MAX_LOCATIONS = 4  # Fields in conflict name every place they stand.

# Strawberry adds what Python said of a date or time it could not read.
_OF_PYTHON = re.compile(r'(cannot represent an? \w+: ".*?")\. .*', re.DOTALL)

_log = logging.getLogger(__name__)


class Failure(NamedTuple):
    """An error, where in the document it lies, and which field of the response it emptied."""

    error: ApiError
    locations: Sequence[SourceLocation] = ()
    path: Sequence[str | int] = ()


class RefusedError(Exception):
    """The operation was not executed, for at least one reason."""

    def __init__(self, failures: Sequence[Failure]) -> None:
        super().__init__(failures[0].error.message)
        self.failures = failures


def describe(failure: Failure, request_id: str) -> ErrorEntry:
    """One entry of `errors`, its keys in the order of the specification."""
    error, locations, path = failure
    entry: ErrorEntry = {"message": clip(error.message, MAX_ECHO)}
    if locations:
        entry["locations"] = [place.formatted for place in locations[:MAX_LOCATIONS]]
    # A key of the response may be an alias: the client's own text, of any length.
    if path and all(len(str(key)) <= MAX_ECHO for key in path):
        entry["path"] = list(path)
    entry["extensions"] = {**error.extensions, "code": error.code, "requestId": request_id}
    return entry


def code_of(entry: Mapping[str, object]) -> ErrorCode:
    """The code of an entry of `errors`."""
    return cast("Mapping[str, ErrorCode]", entry["extensions"])["code"]


def document_failures(errors: Sequence[GraphQLError], error_class: type[ApiError]) -> list[Failure]:
    """What graphql-core finds wrong with a document or its variables: its words are meant for the client."""
    return [Failure(error_class(_words(error)), error.locations or ()) for error in errors]


def field_failures(errors: Sequence[GraphQLError]) -> list[Failure]:
    """What went wrong in fields: expected failures as they are, anything else masked and logged."""
    causes = [(error, _expected(error)) for error in errors]
    for error in islice((error for error, expected in causes if expected is None), MAX_LOGGED):
        _log_unexpected(error)
    return [
        Failure(expected or InternalError(), error.locations or (), error.path or ())
        for error, expected in causes
    ]


def _expected(error: GraphQLError) -> ApiError | None:
    cause = _root_cause(error)
    if isinstance(cause, ApiError):
        return None if isinstance(cause, InternalError) else cause
    if isinstance(cause, StrawberryInputCoercionError):
        return InvalidInputError(_words(cause))
    return InvalidInputError(error.message) if _is_of_an_argument(error) else None


def _words(error: GraphQLError) -> str:
    """Strawberry's own messages show the Python behind an input."""
    if not isinstance(error, StrawberryInputCoercionError):
        return _OF_PYTHON.sub(r"\1.", error.message)
    node = next(iter(error.nodes or ()), None)
    if isinstance(node, ArgumentNode | ObjectFieldNode):
        return f"{node.name.value} must not be null; leave it out to keep what is there."
    if isinstance(node, ObjectValueNode):
        return "Exactly one member must be given here, and not null."
    return "A field of the input is null that must not be; leave it out to keep what is there."


def _root_cause(error: Exception) -> Exception:
    while isinstance(error, GraphQLError) and error.original_error is not None:
        error = error.original_error
    return error


def _is_of_an_argument(error: GraphQLError) -> bool:
    """Refused arguments point at the value; resolvers and their bad return values point at the field."""
    return not all(isinstance(node, FieldNode) for node in error.nodes or ())


def _log_unexpected(error: GraphQLError) -> None:
    field = next((node.name.value for node in error.nodes or () if isinstance(node, FieldNode)), None)
    _log.error("A field failed unexpectedly.", exc_info=_root_cause(error), extra={"field": field})
