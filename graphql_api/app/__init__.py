"""The web application: its routes, and what every request passes on its way to them."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from graphql_api.app.http_error import MethodNotAllowedError
from graphql_api.app.middleware import AuditMiddleware, ErrorBoundary, RequestMiddleware
from graphql_api.app.response import refusal
from graphql_api.app.view import ContextFactory, GraphQLView
from graphql_api.audit.recording import Audit
from graphql_api.auth.identity import Identity
from graphql_api.auth.middleware import AuthMiddleware
from graphql_api.errors import BadRequestError, NotFoundError
from graphql_api.operations import Operations
from graphql_api.settings import Settings

_SECURITY_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    # Nothing here is a page; one that is sets its own policy.
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}
_PRODUCTION_HEADERS = {
    **_SECURITY_HEADERS,
    "strict-transport-security": "max-age=63072000; includeSubDomains",
}


class Services(Protocol):
    """What the application is built from."""

    @property
    def settings(self) -> Settings: ...
    @property
    def operations(self) -> Operations: ...
    @property
    def audit(self) -> Audit: ...
    @property
    def authenticate(self) -> Callable[[str], Awaitable[Identity]]: ...
    @property
    def new_context(self) -> ContextFactory: ...
    async def open(self) -> None: ...
    async def close(self) -> None: ...


def create_app(services: Services, extra_routes: Sequence[BaseRoute] = ()) -> Starlette:
    """The application over `services`, which a server's lifespan opens and closes.

    `extra_routes` are what only development serves: GraphiQL, its own token keys.
    """

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        await services.open()
        try:
            yield
        finally:
            await services.close()

    view = GraphQLView(services.operations, services.new_context)
    app = Starlette(
        routes=[Route("/graphql", view), Route("/health", _health), *extra_routes],
        middleware=_middleware(services),
        exception_handlers={HTTPException: _routing_failure},
        lifespan=lifespan,
    )
    # A redirect would be built from the client's own Host header.
    app.router.redirect_slashes = False
    return app


def _middleware(services: Services) -> list[Middleware]:
    """Outermost first. CORS stands before the boundary, so that browsers may read refusals too."""
    settings = services.settings
    return [
        Middleware(
            RequestMiddleware,
            seconds=settings.request_deadline,
            headers=_SECURITY_HEADERS if settings.is_development else _PRODUCTION_HEADERS,
        ),
        Middleware(AuditMiddleware, audit=services.audit),
        Middleware(
            CORSMiddleware,
            allow_origins=settings.allowed_origins,
            allow_methods=("GET", "POST"),
            allow_headers=("Authorization", "X-Request-Id"),
            expose_headers=("X-Request-Id", "Retry-After"),
        ),
        Middleware(ErrorBoundary),
        Middleware(AuthMiddleware, authenticate=services.authenticate),
    ]


async def _health(_: Request) -> Response:
    return JSONResponse({"status": "ok"}, headers={"cache-control": "no-store"})


async def _routing_failure(request: Request, error: Exception) -> Response:
    """The router and static files refuse by raising a bare status."""
    status = error.status_code if isinstance(error, HTTPException) else 400
    if status == 404:
        return refusal(NotFoundError("Resource"), request)
    if status == 405:
        return refusal(MethodNotAllowedError("This resource is only read.", allow="GET, HEAD"), request)
    return refusal(BadRequestError("The request cannot be answered."), request)
