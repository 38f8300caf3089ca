"""An HTTP request in, the GraphQL request it carries out; what is ambiguous is refused."""

import json
from codecs import BOM_UTF8
from collections.abc import Mapping
from typing import cast

import orjson
from starlette.requests import Request

from graphql_api.app.http_error import BadRequestError, PayloadTooLargeError, UnsupportedMediaTypeError
from graphql_api.operations import OperationRequest

# Parsing takes 1 to 2 µs for each list or object; in the variables less than half as many would be allowed.
MAX_CONTAINERS = 10_000
MAX_URL_BYTES = 64 * 1024  # The longest document in percent encoding; gateways pass 8 to 16 KB.
MAX_PARAMETERS = 16


def from_query_string(request: Request) -> OperationRequest:
    """GET: `variables` and `extensions` are JSON in the URL."""
    query_string: bytes = request.scope["query_string"]
    if len(query_string) > MAX_URL_BYTES:
        raise PayloadTooLargeError(f"The URL is over {MAX_URL_BYTES} bytes.", limit=MAX_URL_BYTES)
    if query_string.count(b"&") >= MAX_PARAMETERS:
        raise BadRequestError(f"The URL has more than {MAX_PARAMETERS} parameters.")
    pairs = request.query_params.multi_items()
    parameters: dict[str, object] = dict(pairs)
    if len(parameters) < len(pairs):
        raise BadRequestError("Each URL parameter may be given once.")
    for name in ("variables", "extensions"):
        if text := parameters.get(name):
            parameters[name] = _decode(cast("str", text).encode("utf-8", "surrogatepass"))
        else:
            parameters.pop(name, None)
    return _operation_request(parameters)


async def from_body(request: Request, max_bytes: int) -> OperationRequest:
    """POST: one JSON object; batches are not served."""
    _require_json(request.headers.get("content-type", ""))
    parameters = _decode(await _read(request, max_bytes))
    if not isinstance(parameters, dict):
        raise BadRequestError("The request body must be a JSON object.")
    return _operation_request(cast("dict[str, object]", parameters))


def _require_json(content_type: str) -> None:
    # The exact essence: browsers send `text/plain, application/json` across origins without asking first.
    essence, _, parameters = content_type.partition(";")
    charset = parameters.strip().lower().replace('"', "").replace(" ", "")
    if essence.strip().lower() != "application/json" or charset not in ("", "charset=utf-8", "charset=utf8"):
        raise UnsupportedMediaTypeError("Send the request as application/json in UTF-8.")


async def _read(request: Request, max_bytes: int) -> bytes:
    too_large = PayloadTooLargeError(f"The request body is over {max_bytes} bytes.", limit=max_bytes)
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and len(announced) < 20 and int(announced) > max_bytes:
        raise too_large
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_bytes:
            raise too_large
    return bytes(body)


def _decode(text: bytes) -> object:
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


def _operation_request(parameters: Mapping[str, object]) -> OperationRequest:
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
