"""GraphQL answers in, HTTP responses out."""

from dataclasses import replace
from typing import cast

from graphql import OperationType
from starlette.requests import Request
from starlette.responses import Response

from graphql_api.app.http_error import STATUSES, headers_of
from graphql_api.app.negotiation import MediaType
from graphql_api.errors import ApiError, PayloadTooLargeError
from graphql_api.operations import Failure, OperationResult, describe
from graphql_api.operations.encoding import encode, encode_within
from graphql_api.operations.report import code_of

MAX_BYTES = 4_500_000  # Lambda delivers 6 MB, counted after escaping the body once more.


def answer(result: OperationResult, request: Request, media_type: MediaType) -> Response:
    """The result: 200 once anything was executed, and of a bad document too if the type is the legacy one."""
    body = encode_within(result.payload(), MAX_BYTES)
    if body is None:
        entry = describe(Failure(_too_large(result.operation)), request.state.request_id)
        body = encode(replace(result, errors=[entry, *result.errors], data=None).payload())
    if not result.request_error:
        return _response(body, media_type, headers=_budget(result))
    first = result.errors[0]
    status = STATUSES.get(code_of(first), 400 if media_type is MediaType.GRAPHQL else 200)
    return _response(body, media_type, status, headers_of(first))


def refusal(error: ApiError, request: Request) -> Response:
    """The answer to a request that never became an operation: its status is that of the code."""
    entry = describe(Failure(error), request.state.request_id)
    media_type = request.state.media_type or MediaType.JSON
    return _response(
        encode({"errors": [entry]}), media_type, STATUSES.get(error.code, 400), headers_of(entry)
    )


def _budget(result: OperationResult) -> dict[str, str]:
    """Where the tenant's budget stands, in cost points (draft-ietf-httpapi-ratelimit-headers)."""
    standing = result.extensions.get("rateLimit")
    if not isinstance(standing, dict):
        return {}
    limit, remaining, reset = (
        cast("dict[str, int]", standing)[name] for name in ("limit", "remaining", "reset")
    )
    return {
        "ratelimit-policy": f'"tenant";q={limit};qu="cost-points"',
        "ratelimit": f'"tenant";r={remaining};t={reset}',
    }


def _too_large(operation: OperationType | None) -> PayloadTooLargeError:
    if operation is OperationType.MUTATION:
        message = "The mutation took effect, but its answer is too large; read it in smaller parts."
    else:
        message = "The answer is too large; ask for less."
    return PayloadTooLargeError(message, limit=MAX_BYTES)


def _response(
    body: bytes, media_type: MediaType, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    fixed = {
        "content-type": f"{media_type}; charset=utf-8",
        "vary": "Accept",
        "cache-control": "no-store",  # An answer is its caller's own, a GET's too.
    }
    return Response(body, status, {**fixed, **(headers or {})})
