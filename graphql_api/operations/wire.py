"""JSON in, an OperationRequest out, whatever wire it came over; what is ambiguous is refused."""

import json
from codecs import BOM_UTF8
from collections.abc import Mapping
from typing import cast

import orjson

from graphql_api.errors import BadRequestError
from graphql_api.operations.pipeline import OperationRequest

# Parsing takes 1 to 2 µs for each list or object; in the variables less than half as many would be allowed.
MAX_CONTAINERS = 10_000


def decode(text: bytes) -> object:
    """The value of a JSON text. Raises BadRequestError for what is none, or would take long to read."""
    # In strings too, since telling them apart would be parsing.
    if text.count(b"[") + text.count(b"{") > MAX_CONTAINERS:
        raise BadRequestError(f"The request has more than {MAX_CONTAINERS} brackets and braces.")
    text = text.removeprefix(BOM_UTF8)
    try:
        # orjson refuses bad UTF-8, lone surrogates, NaN, infinities and deep nesting at once. It only judges,
        # for it rounds integers beyond 64 bits and lets the last of two equal keys win.
        orjson.loads(text)
        return json.loads(text, object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError):
        raise BadRequestError("The request is not valid JSON in UTF-8, or repeats a key.") from None


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("duplicate key")
    return members


def operation_request(parameters: Mapping[str, object]) -> OperationRequest:
    """The request that an object of GraphQL's parameters is. Raises BadRequestError."""
    query = parameters.get("query")
    if not isinstance(query, str):
        raise BadRequestError("`query` must be a string.")
    operation_name = parameters.get("operationName")
    if operation_name is not None and not isinstance(operation_name, str):
        raise BadRequestError("`operationName` must be a string or null.")
    return OperationRequest(
        query=query,
        operation_name=operation_name or None,
        variables=_object(parameters, "variables"),
        extensions=_object(parameters, "extensions"),
    )


def _object(parameters: Mapping[str, object], name: str) -> dict[str, object]:
    value = parameters.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadRequestError(f"`{name}` must be an object or null.")
    return cast("dict[str, object]", value)
