"""Failures of the HTTP exchange itself, and the status each error code travels under.

ApiError
├── MethodNotAllowedError       METHOD_NOT_ALLOWED      405  `extensions.allow` names what is
├── NotAcceptableError          NOT_ACCEPTABLE          406  wants neither media type of ours
└── UnsupportedMediaTypeError   UNSUPPORTED_MEDIA_TYPE  415  the body is not JSON
"""

from collections.abc import Mapping
from typing import cast

from graphql_api.errors import ApiError, ErrorCode
from graphql_api.operations.report import code_of


class MethodNotAllowedError(ApiError):
    code = ErrorCode.METHOD_NOT_ALLOWED


class NotAcceptableError(ApiError):
    code = ErrorCode.NOT_ACCEPTABLE


class UnsupportedMediaTypeError(ApiError):
    code = ErrorCode.UNSUPPORTED_MEDIA_TYPE


# GraphQL-over-HTTP gives these their meaning in either media type; every other code is a 400.
STATUSES: Mapping[ErrorCode, int] = {
    ErrorCode.UNAUTHENTICATED: 401,
    ErrorCode.FORBIDDEN: 403,
    ErrorCode.NOT_FOUND: 404,
    ErrorCode.METHOD_NOT_ALLOWED: 405,
    ErrorCode.NOT_ACCEPTABLE: 406,
    ErrorCode.PAYLOAD_TOO_LARGE: 413,
    ErrorCode.UNSUPPORTED_MEDIA_TYPE: 415,
    ErrorCode.RATE_LIMITED: 429,
    ErrorCode.QUOTA_EXCEEDED: 429,
    ErrorCode.INTERNAL_SERVER_ERROR: 500,
    ErrorCode.DEADLINE_EXCEEDED: 503,
}


def headers_of(entry: Mapping[str, object]) -> dict[str, str]:
    """The headers that belong to an entry of `errors` when it decides the status."""
    extensions = cast("Mapping[str, object]", entry["extensions"])
    headers: dict[str, str] = {}
    if code_of(entry) is ErrorCode.UNAUTHENTICATED:
        headers["www-authenticate"] = "Bearer"
    if "allow" in extensions:
        headers["allow"] = str(extensions["allow"])
    # No client library reads the header; that is why a rate limit also says it in its extensions.
    if "retryAfter" in extensions:
        headers["retry-after"] = str(extensions["retryAfter"])
    return headers
