"""GraphQL over HTTP, to the letter of the specification."""

from collections.abc import Set as AbstractSet
from typing import Protocol

from graphql import OperationType
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from graphql_api.app.http_error import MethodNotAllowedError, NotAcceptableError
from graphql_api.app.negotiation import MediaType
from graphql_api.app.request import from_body, from_query_string
from graphql_api.app.response import answer
from graphql_api.auth.identity import Identity
from graphql_api.deadline import Deadline
from graphql_api.operations import OperationContext, OperationRequest, Operations
from graphql_api.telemetry import log_fields

_BY_GET = frozenset({OperationType.QUERY})
_BY_POST = frozenset({OperationType.QUERY, OperationType.MUTATION})


class RequestContext(OperationContext, Protocol):
    """The context of one request, closed before its response leaves."""

    async def close(self) -> None: ...


class ContextFactory(Protocol):
    def __call__(
        self, identity: Identity | None, *, request_id: str, deadline: Deadline, address: str | None
    ) -> RequestContext: ...


class GraphQLView:
    """One operation per request; who asks, and until when, is in the request's state."""

    def __init__(self, operations: Operations, new_context: ContextFactory) -> None:
        self._operations = operations
        self._new_context = new_context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._respond(Request(scope, receive))
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        if request.method not in ("GET", "POST"):
            raise MethodNotAllowedError("Send queries by GET or POST, mutations by POST.", allow="GET, POST")
        # Before execution: a mutation whose answer nobody can read must not happen.
        media_type: MediaType | None = request.state.media_type
        if media_type is None:
            raise NotAcceptableError(f"Accept {MediaType.GRAPHQL} or {MediaType.JSON}.")
        if request.method == "GET":
            return await self._execute(request, from_query_string(request), _BY_GET)
        operation = await from_body(request, self._operations.limits.max_body_bytes)
        return await self._execute(request, operation, _BY_POST)

    async def _execute(
        self, request: Request, operation: OperationRequest, allowed: AbstractSet[OperationType]
    ) -> Response:
        state = request.state
        identity: Identity | None = state.identity
        address = request.client.host if request.client else None
        context = self._new_context(
            identity, request_id=state.request_id, deadline=state.deadline, address=address
        )
        with log_fields(tenant=identity.tenant if identity else None):
            try:
                result = await self._operations.execute(operation, context, allowed=allowed)
            finally:
                await context.close()
            response = answer(result, request, state.media_type)
            self._operations.account(result, context, len(response.body))
        return response
