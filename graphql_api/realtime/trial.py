"""Whether a subscription can be kept: it is begun as a socket's would be, and nothing comes of it."""

from graphql import OperationType

from graphql_api.context import RequestContext
from graphql_api.errors import (
    ApiError,
    DeadlineExceededError,
    ErrorCode,
    ForbiddenError,
    InternalError,
    InvalidInputError,
    NotFoundError,
    RateLimitedError,
)
from graphql_api.operations import OperationRequest, Operations
from graphql_api.operations.report import ErrorEntry, code_of
from graphql_api.realtime.subscribing import Recorder
from graphql_api.sources import SubscriptionText
from graphql_api.store.entity import Topic

_ALLOWED = frozenset({OperationType.SUBSCRIPTION})


class Trial:
    """Tries subscriptions out for requests of any tenant."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    async def topic_of(self, context: RequestContext, text: SubscriptionText) -> Topic:
        """What it listens to. Raises what a socket would be answered, where it would be refused."""
        recorder = Recorder()
        trial = context.listening(text.role, recorder)
        request = OperationRequest(text.query, text.operation_name, dict(text.variables))
        try:
            result = await self._operations.execute(request, trial, allowed=_ALLOWED)
        finally:
            await trial.close()
        if result.errors:
            raise _refusal(result.errors[0])
        if recorder.topic is None:
            raise InvalidInputError("The subscription listens to nothing.", "query")
        return recorder.topic


def _refusal(error: ErrorEntry) -> ApiError:
    message = f"The subscription is refused: {error['message']}"
    match code_of(error):
        case ErrorCode.FORBIDDEN:
            return ForbiddenError(message)
        case ErrorCode.NOT_FOUND:
            return NotFoundError("What the subscription names")
        case ErrorCode.RATE_LIMITED:
            return RateLimitedError(message)
        case ErrorCode.DEADLINE_EXCEEDED:
            return DeadlineExceededError()
        case ErrorCode.INTERNAL_SERVER_ERROR:
            return InternalError()
        case _:
            return InvalidInputError(message, "query")
