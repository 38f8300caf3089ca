"""GraphQL answers in, HTTP responses out."""

import json
from dataclasses import replace

import orjson
from starlette.requests import Request
from starlette.responses import Response

from graphql_api.app.http_error import STATUSES, code_of, headers_of
from graphql_api.app.negotiation import MediaType, negotiate
from graphql_api.errors import ApiError, QueryTooComplexError
from graphql_api.operations import Failure, OperationResult, describe

MAX_BYTES = 4_500_000  # Lambda delivers 6 MB, counted after escaping the body once more.


def media_type_of(request: Request) -> MediaType | None:
    """What the client accepts; None when it is neither media type of ours."""
    return negotiate(",".join(request.headers.getlist("accept")))


def answer(result: OperationResult, request: Request, media_type: MediaType) -> Response:
    """The result: 200 once anything was executed, and of a bad document too if the type is the legacy one."""
    body = encode(result.payload())
    if len(body) > MAX_BYTES:
        error = QueryTooComplexError(
            "The answer is too large; ask for less.", limit="responseBytes", max=MAX_BYTES
        )
        entry = describe(Failure(error), request.state.request_id)
        body = encode(replace(result, errors=[entry], data=None).payload())
    if not result.request_error:
        return _response(body, media_type)
    first = result.errors[0]
    status = STATUSES.get(code_of(first), 400 if media_type is MediaType.GRAPHQL else 200)
    return _response(body, media_type, status, headers_of(first))


def refusal(error: ApiError, request: Request) -> Response:
    """The answer to a request that never became an operation: its status is that of the code."""
    entry = describe(Failure(error), request.state.request_id)
    media_type = media_type_of(request) or MediaType.JSON
    return _response(
        encode({"errors": [entry]}), media_type, STATUSES.get(error.code, 400), headers_of(entry)
    )


def encode(payload: object) -> bytes:
    """JSON in UTF-8; what orjson refuses (a lone surrogate, an integer beyond 64 bits) the slow way."""
    try:
        return orjson.dumps(payload)
    except TypeError:
        return json.dumps(payload).encode()


def _response(
    body: bytes, media_type: MediaType, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    fixed = {
        "content-type": f"{media_type}; charset=utf-8",
        "vary": "Accept",
        "cache-control": "no-store",  # An answer is its caller's own, a GET's too.
    }
    return Response(body, status, {**fixed, **(headers or {})})
