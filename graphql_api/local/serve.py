"""The whole system on one machine: engine, table, demo data, HTTP."""

import contextlib
import logging
import os
import signal
import socket
from collections.abc import AsyncGenerator, Generator
from functools import partial
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from graphql_api import telemetry
from graphql_api.app import create_app
from graphql_api.bootstrap import Services, build_services
from graphql_api.local import demo
from graphql_api.local.banner import banner
from graphql_api.local.dynamodb import EmbeddedDynamoDB
from graphql_api.local.graphiql import DemoTab, GraphiQLConfig, graphiql_routes
from graphql_api.local.installation import JWKS_PATH, LOOPBACK, STATE_DIR, Installation
from graphql_api.store.provision import create_table


def serve(port: int, *, reset: bool = False, state_dir: Path = STATE_DIR) -> None:
    """Run until interrupted. `DYNAMODB_ENDPOINT` in the environment replaces the embedded engine."""
    telemetry.configure()
    for chatty in ("uvicorn.error", "aiobotocore.credentials"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    listener = _listen(port)
    installation = Installation.at(state_dir)
    # Uvicorn, once done, raises the signal that stopped it again; SIGTERM must not cut off what ends us.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if reset and os.environ.get("DYNAMODB_ENDPOINT"):
        raise SystemExit("RESET=1 empties the embedded engine; yours at DYNAMODB_ENDPOINT it leaves alone.")
    with contextlib.suppress(KeyboardInterrupt), _engine(state_dir / "dynamodb", reset=reset) as endpoint:
        installation.announce(endpoint)
        try:
            app = create_local_app(installation, listener.getsockname()[1], endpoint)
            config = uvicorn.Config(app, log_config=None, access_log=False, server_header=False)
            uvicorn.Server(config).run(sockets=[listener])
        finally:
            installation.withdraw()


def create_local_app(installation: Installation, port: int, endpoint: str) -> Starlette:
    """The application with what only development serves; it makes its table and data when it starts."""
    services = build_services(installation.settings(port=port, dynamodb_endpoint=endpoint))
    app = create_app(services, extra_routes=_development_routes(installation))
    # The page at / hands out tokens; another site's name that resolves to this machine gets none.
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=(LOOPBACK, "localhost"))
    serving = app.router.lifespan_context

    @contextlib.asynccontextmanager
    async def lifespan(application: Starlette) -> AsyncGenerator[None]:
        async with serving(application):
            await _provision(services)
            print(banner(installation, port), flush=True)
            yield

    app.router.lifespan_context = lifespan
    return app


async def _provision(services: Services) -> None:
    await create_table(services.sources.database)
    await demo.seed(services.sources)


def _development_routes(installation: Installation) -> list[BaseRoute]:
    async def jwks(_: Request) -> Response:
        return JSONResponse(installation.issuer.jwks())

    tabs = [
        DemoTab(tenant.slug, partial(installation.demo_token, tenant, tenant.people[0].role))
        for tenant in demo.TENANTS
    ]
    return [Route(JWKS_PATH, jwks), *graphiql_routes(GraphiQLConfig(tabs=tabs))]


def _listen(port: int) -> socket.socket:
    """A listening socket, so that a taken port is told before anything is started, and who asks before the
    server is ready waits for it; 0 takes any free port.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
        listener.listen()
    except OSError as taken:
        listener.close()
        raise SystemExit(f"Port {port} cannot be used ({taken.strerror}); try PORT=8001.") from None
    return listener


@contextlib.contextmanager
def _engine(state_dir: Path, *, reset: bool) -> Generator[str]:
    if chosen := os.environ.get("DYNAMODB_ENDPOINT"):
        yield chosen
        return
    with EmbeddedDynamoDB(state_dir, reset=reset) as engine:
        yield engine.endpoint
