"""Expected failures of mutations as types a client can select on, beside each payload in its union."""

from typing import TypeAlias

import strawberry

from graphql_api import errors
from graphql_api.relay import Node

strawberry.enum(errors.ErrorCode, description="Every code an error can carry, here or in `extensions.code`.")


@strawberry.interface(description="An expected failure.")
class Error:
    message: str = strawberry.field(description="For people; its words may change.")
    code: errors.ErrorCode = strawberry.field(description="For programs.")


@strawberry.type(name="InvalidInputError", description="A value outside its documented bounds.")
class InvalidInput(Error):
    field: str | None = strawberry.field(description="Path of the value inside `input`, dotted.")


@strawberry.type(name="NotFoundError", description="Absent, deleted, or not yours: never said which.")
class NotFound(Error):
    pass


@strawberry.type(name="ConflictError", description="Somebody else's write came first.")
class Conflict(Error):
    current: Node | None = strawberry.field(description="The entity as it is now.")


@strawberry.type(name="ForbiddenError", description="Your role does not allow it.")
class Forbidden(Error):
    pass


@strawberry.type(name="QuotaExceededError", description="Your tenant's plan allows no more of this.")
class QuotaExceeded(Error):
    limit: int | None = strawberry.field(description="How many it allows.")


# What every mutation can answer besides its payload, so that one client fragment serves all.
Problem: TypeAlias = InvalidInput | NotFound | Conflict | Forbidden | QuotaExceeded


def problem_of(error: errors.ApiError) -> Problem | None:
    """The type that shows an expected failure; None for one that has none and stays a top-level error."""
    match error:
        case errors.InvalidInputError():
            return InvalidInput(message=error.message, code=error.code, field=error.field)
        case errors.NotFoundError():
            return NotFound(message=error.message, code=error.code)
        case errors.ConflictError():
            current = error.current if isinstance(error.current, Node) else None
            return Conflict(message=error.message, code=error.code, current=current)
        case errors.ForbiddenError():
            return Forbidden(message=error.message, code=error.code)
        case errors.QuotaExceededError():
            return QuotaExceeded(message=error.message, code=error.code, limit=error.limit)
        case _:
            return None


class ProblemHandler:
    """Turns an expected failure into its type, in every field whose union has that type."""

    def __init__(self, exception_type: type[errors.ApiError], error_type: type[Error]) -> None:
        self.exception_type = exception_type
        self.error_type = error_type

    def handle(self, exception: errors.ApiError, *, field: object, info: object) -> Problem | None:
        return problem_of(exception)


EXCEPTION_HANDLERS = (
    ProblemHandler(errors.InvalidInputError, InvalidInput),
    ProblemHandler(errors.NotFoundError, NotFound),
    ProblemHandler(errors.ConflictError, Conflict),
    ProblemHandler(errors.ForbiddenError, Forbidden),
    ProblemHandler(errors.QuotaExceededError, QuotaExceeded),
)
