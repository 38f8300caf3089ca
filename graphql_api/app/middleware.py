"""What surrounds every request: its id, its time limit, and the boundary no error crosses unnamed."""

import asyncio
import logging
import re
from uuid import uuid4

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from graphql_api.app.negotiation import negotiate
from graphql_api.app.response import refusal
from graphql_api.audit.recording import Audit
from graphql_api.deadline import Deadline
from graphql_api.errors import ApiError, DeadlineExceededError, InternalError
from graphql_api.telemetry import log_fields

REQUEST_ID = re.compile(rb"\A[0-9A-Za-z][0-9A-Za-z._-]{7,63}\Z")
GRACE = 0.5  # Execution ends at the deadline and says so; the boundary only catches what hangs around it.

_log = logging.getLogger(__name__)


class RequestMiddleware:
    """Gives the request an id (a sane one of the client's is kept), a deadline and the media type its answer
    is to have, None if the client accepts none of ours; stamps logs and responses.

    A door that knows how long it may run has put its own `deadline` into the state; the earlier one holds.
    """

    def __init__(self, app: ASGIApp, seconds: float, headers: dict[str, str]) -> None:
        self._app = app
        self._seconds = seconds
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        state = dict(scope.get("state", {}))
        own = Deadline.after(self._seconds)
        deadline = min(own, state.get("deadline", own), key=lambda one: one.at)
        media_type = negotiate(b",".join(_values(scope, b"accept")).decode("latin-1"))
        scope["state"] = {**state, "request_id": request_id, "deadline": deadline, "media_type": media_type}

        async def send_stamped(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = request_id
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        with log_fields(request_id=request_id):
            await self._app(scope, receive, send_stamped)


class AuditMiddleware:
    """Keeps what a request leaves in the audit log before its response begins to leave."""

    def __init__(self, app: ASGIApp, audit: Audit) -> None:
        self._app = app
        self._audit = audit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        address = (scope.get("client") or (None,))[0]
        async with self._audit.request(scope["state"]["request_id"], address) as request:

            async def send_kept(message: Message) -> None:
                if message["type"] == "http.response.start":
                    await request.flush()
                await send(message)

            await self._app(scope, receive, send_kept)


class ErrorBoundary:
    """Every exception that leaves the application becomes a typed GraphQL error here."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def send_noting_start(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            async with asyncio.timeout(scope["state"]["deadline"].remaining() + GRACE):
                await self._app(scope, receive, send_noting_start)
        except Exception as error:
            if started:
                raise  # Too late for another answer; the server cuts this one off.
            await refusal(_as_api_error(error), Request(scope))(scope, receive, send)


def _as_api_error(error: Exception) -> ApiError:
    if isinstance(error, TimeoutError):
        error = DeadlineExceededError()
    if isinstance(error, ApiError) and not isinstance(error, InternalError):
        _log.info("Request refused.", extra={"code": error.code})
        return error
    _log.error("Request failed unexpectedly.", exc_info=error)
    return InternalError()


def _request_id(scope: Scope) -> str:
    given = _values(scope, b"x-request-id")
    if len(given) == 1 and REQUEST_ID.match(given[0]):
        return given[0].decode("ascii")
    return uuid4().hex


def _values(scope: Scope, header: bytes) -> list[bytes]:
    return [value for name, value in scope["headers"] if name == header]
