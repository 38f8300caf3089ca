"""Every failure a client can be told of, as one closed tree of codes.

ApiError
├── UnauthenticatedError        UNAUTHENTICATED        no valid token (HTTP 401 when the token itself is bad)
├── ForbiddenError              FORBIDDEN              the caller's role, or a suspension, forbids it
├── NotFoundError               NOT_FOUND              absent, deleted, or another tenant's: the same answer
├── ConflictError               CONFLICT               somebody else's write came first
├── InvalidInputError           BAD_USER_INPUT         a value outside its documented bounds
│   ├── BadCursorError          BAD_CURSOR             tampered, expired, or issued for another list
│   └── IdempotencyMismatchError IDEMPOTENCY_MISMATCH  the key was used before with other input
├── RateLimitedError            RATE_LIMITED           try again later
├── QuotaExceededError          QUOTA_EXCEEDED         the tenant's plan allows no more
├── QueryTooComplexError        QUERY_TOO_COMPLEX      the document is over a static bound
├── BadRequestError             BAD_REQUEST            not a GraphQL request
├── PayloadTooLargeError        PAYLOAD_TOO_LARGE      request, answer or event; `extensions.limit` in bytes
├── CursorExpiredError          CURSOR_EXPIRED         an event cursor older than the log; read anew
├── DeadlineExceededError       DEADLINE_EXCEEDED      the request ran out of time; retry it
└── InternalError               INTERNAL_SERVER_ERROR  our fault; masked for the client
"""

from enum import StrEnum
from typing import ClassVar


class ErrorCode(StrEnum):
    """The closed set of `extensions.code` values; nothing else ever leaves the API."""

    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    NOT_FOUND = "NOT_FOUND"
    CONFLICT = "CONFLICT"
    BAD_USER_INPUT = "BAD_USER_INPUT"
    RATE_LIMITED = "RATE_LIMITED"
    QUOTA_EXCEEDED = "QUOTA_EXCEEDED"
    QUERY_TOO_COMPLEX = "QUERY_TOO_COMPLEX"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    BAD_CURSOR = "BAD_CURSOR"
    CURSOR_EXPIRED = "CURSOR_EXPIRED"
    IDEMPOTENCY_MISMATCH = "IDEMPOTENCY_MISMATCH"
    INTERNAL_SERVER_ERROR = "INTERNAL_SERVER_ERROR"
    # The GraphQL ecosystem's own names for what goes wrong before execution.
    GRAPHQL_PARSE_FAILED = "GRAPHQL_PARSE_FAILED"
    GRAPHQL_VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED"
    OPERATION_RESOLUTION_FAILURE = "OPERATION_RESOLUTION_FAILURE"
    INTROSPECTION_DISABLED = "INTROSPECTION_DISABLED"
    BAD_REQUEST = "BAD_REQUEST"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    NOT_ACCEPTABLE = "NOT_ACCEPTABLE"
    PAYLOAD_TOO_LARGE = "PAYLOAD_TOO_LARGE"
    UNSUPPORTED_MEDIA_TYPE = "UNSUPPORTED_MEDIA_TYPE"


class ApiError(Exception):
    """An expected failure: its message is written for the client and never holds internals."""

    code: ClassVar[ErrorCode] = ErrorCode.INTERNAL_SERVER_ERROR

    def __init__(self, message: str, **extensions: object) -> None:
        super().__init__(message)
        self.message = message
        self.extensions = extensions


class UnauthenticatedError(ApiError):
    """No caller is known."""

    code = ErrorCode.UNAUTHENTICATED

    def __init__(self, message: str = "Sign in to do this.") -> None:
        super().__init__(message)


class ForbiddenError(ApiError):
    """The caller is known and may not do this."""

    code = ErrorCode.FORBIDDEN


class NotFoundError(ApiError):
    """The same words for an id that is absent, deleted, malformed or another tenant's."""

    code = ErrorCode.NOT_FOUND

    def __init__(self, noun: str) -> None:
        super().__init__(f"{noun} not found.")


class ConflictError(ApiError):
    """A newer version exists; `current` is the entity as it is now, where it is known."""

    code = ErrorCode.CONFLICT

    def __init__(self, message: str, current: object | None = None) -> None:
        super().__init__(message)
        self.current = current


class InvalidInputError(ApiError):
    """One input value is out of bounds; `field` is its path in the input, dotted."""

    code = ErrorCode.BAD_USER_INPUT

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message, **({"field": field} if field else {}))
        self.field = field


class BadCursorError(InvalidInputError):
    """Tampered, expired, or issued for another list: never said which."""

    code = ErrorCode.BAD_CURSOR

    def __init__(self) -> None:
        super().__init__("The cursor is not valid for this list.", "after")


class IdempotencyMismatchError(InvalidInputError):
    """The idempotency key was used in the last 24 hours with other input."""

    code = ErrorCode.IDEMPOTENCY_MISMATCH

    def __init__(self) -> None:
        super().__init__("This idempotency key was used with different input.", "idempotencyKey")


class RateLimitedError(ApiError):
    """Over the caller's rate; try again later."""

    code = ErrorCode.RATE_LIMITED


class QuotaExceededError(ApiError):
    """The tenant's plan allows no more of this than `limit`; None where it allows none at all."""

    code = ErrorCode.QUOTA_EXCEEDED

    def __init__(self, message: str, limit: int | None = None, **extensions: object) -> None:
        super().__init__(message, **({} if limit is None else {"limit": limit}), **extensions)
        self.limit = limit


class QueryTooComplexError(ApiError):
    """A static bound of the document is exceeded; `extensions` name the bound and its limit."""

    code = ErrorCode.QUERY_TOO_COMPLEX


class BadRequestError(ApiError):
    """Not a GraphQL request at all."""

    code = ErrorCode.BAD_REQUEST


class PayloadTooLargeError(ApiError):
    """What was sent, or what would be answered, is over its bound."""

    code = ErrorCode.PAYLOAD_TOO_LARGE


class CursorExpiredError(ApiError):
    """The cursor's place is no longer in the log, or the log is another: nothing is passed over silently."""

    code = ErrorCode.CURSOR_EXPIRED

    def __init__(self) -> None:
        super().__init__("The cursor is too old to resume from; read the data again and begin anew.")


class DeadlineExceededError(ApiError):
    """The request ran out of time before its data was complete."""

    code = ErrorCode.DEADLINE_EXCEEDED

    def __init__(self, message: str = "The request took too long; try again.") -> None:
        super().__init__(message)


class InternalError(ApiError):
    """What a client is told of an unexpected failure; the cause is in the log under its request id."""

    code = ErrorCode.INTERNAL_SERVER_ERROR

    def __init__(self) -> None:
        super().__init__("Something went wrong on our side.")
