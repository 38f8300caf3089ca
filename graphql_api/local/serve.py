"""The whole system on one machine: engine, tables, demo data, HTTP and WebSockets, the stream, webhooks."""

import asyncio
import contextlib
import dataclasses
import logging
import os
import signal
import socket
from collections.abc import AsyncGenerator, Generator
from functools import partial
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from graphql_api import telemetry
from graphql_api.app import create_app
from graphql_api.bootstrap import Services, build_services
from graphql_api.errors import ApiError
from graphql_api.handlers.events import (
    JobsHandler,
    StreamHandler,
    SweepHandler,
    WebhookHandler,
    WebSocketHandler,
)
from graphql_api.local import demo
from graphql_api.local.banner import banner
from graphql_api.local.dynamodb import EmbeddedDynamoDB
from graphql_api.local.gateway import WebSocketGateway
from graphql_api.local.graphiql import DemoTab, GraphiQLConfig, graphiql_routes
from graphql_api.local.installation import GATEWAY_PATH, JWKS_PATH, LOOPBACK, STATE_DIR, Installation
from graphql_api.local.pump import StreamPump
from graphql_api.local.queue import LocalQueue
from graphql_api.metering.usage import FLUSH_SECONDS
from graphql_api.store.provision import create_tables

STAGE = "local"
SWEEP_SECONDS = 15.0
JOBS_SECONDS = 2.0
SHUTDOWN_SECONDS = 5
_CLIENTS_FAULTS = (
    "ASGI callable returned without completing handshake.",
    "Invalid UTF-8 sequence received from client.",
)

_log = logging.getLogger(__name__)


def serve(port: int, *, reset: bool = False, state_dir: Path = STATE_DIR) -> None:
    """Run until interrupted. `DYNAMODB_ENDPOINT` in the environment replaces the embedded engine."""
    telemetry.configure()
    for chatty in ("uvicorn.error", "aiobotocore.credentials"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    logging.getLogger("uvicorn.error").addFilter(_is_of_ours)
    listener = _listen(port)
    installation = Installation.at(state_dir)
    _audit_to(state_dir / "audit.jsonl")
    # Uvicorn, once done, raises the signal that stopped it again; SIGTERM must not cut off what ends us.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if reset and os.environ.get("DYNAMODB_ENDPOINT"):
        raise SystemExit("RESET=1 empties the embedded engine; yours at DYNAMODB_ENDPOINT it leaves alone.")
    with contextlib.suppress(KeyboardInterrupt), _engine(state_dir / "dynamodb", reset=reset) as endpoint:
        installation.announce(endpoint)
        try:
            app = create_local_app(installation, listener.getsockname()[1], endpoint)
            LocalServer(app).run(sockets=[listener])
        finally:
            installation.withdraw()


def _audit_to(path: Path) -> None:
    """The lines of the audit log into a file, as they go to S3 on AWS."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(telemetry.JsonFormatter())
    lines = logging.getLogger("audit")
    lines.handlers[:] = [handler]
    lines.propagate = False


def _is_of_ours(record: logging.LogRecord) -> bool:
    """Not what uvicorn takes for our failure: a refused handshake, a client's bytes that are no text."""
    return record.getMessage() not in _CLIENTS_FAULTS


class LocalServer(uvicorn.Server):
    """Uvicorn as API Gateway is: it neither pings nor compresses, and tells clients that it goes away."""

    def __init__(self, app: Starlette) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                server_header=False,
                ws="websockets-sansio",  # The other one stands on what `websockets` is about to remove.
                ws_ping_interval=None,
                ws_per_message_deflate=False,
                timeout_graceful_shutdown=SHUTDOWN_SECONDS,
            )
        )
        self._gateway: WebSocketGateway = app.state.gateway

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Before uvicorn closes the sockets itself, with another code.
        await self._gateway.close()
        await super().shutdown(sockets)


def create_local_app(installation: Installation, port: int, endpoint: str) -> Starlette:
    """The doors of the API, and behind them what only development serves. It makes its tables and data when
    it starts.
    """
    queue = LocalQueue()
    built = build_services(
        installation.settings(port=port, dynamodb_endpoint=endpoint),
        bus=installation.bus,
        signer=installation.signer,
    )
    services = dataclasses.replace(built, queue=queue)
    gateway = WebSocketGateway(WebSocketHandler(services).handle, stage=STAGE)
    pages = create_app(services, extra_routes=_development_routes(installation))

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        async with pages.router.lifespan_context(pages):
            await _provision(services)
            sweeping = asyncio.create_task(_sweep(services))
            metering = asyncio.create_task(_meter(services))
            working = asyncio.create_task(_work(services))
            delivering = asyncio.create_task(queue.serve(WebhookHandler(services).handle))
            async with _pump(services):
                print(banner(installation, port), flush=True)
                yield
            sweeping.cancel()
            working.cancel()
            metering.cancel()
            delivering.cancel()
            await asyncio.gather(delivering, return_exceptions=True)
            await services.usage.flush_all(SHUTDOWN_SECONDS)

    app = Starlette(
        routes=[*gateway.routes("/graphql", GATEWAY_PATH), Mount("/", pages)],
        # The page at / hands out tokens; another site's name that resolves to this machine gets none.
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=(LOOPBACK, "localhost"))],
        lifespan=lifespan,
    )
    app.state.gateway = gateway
    return app


def _pump(services: Services) -> StreamPump:
    settings = services.settings
    return StreamPump(
        StreamHandler(services).handle,
        table_name=settings.table_name,
        region=settings.region,
        endpoint=settings.dynamodb_endpoint,
    )


async def _sweep(services: Services) -> None:
    """What a schedule does on AWS."""
    handler = SweepHandler(services)
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        try:
            await handler.handle()
        except ApiError as error:
            _log.warning("Sockets were not swept.", extra={"code": error.code})


async def _meter(services: Services) -> None:
    """Write usage also while nobody asks for anything."""
    while True:
        await asyncio.sleep(FLUSH_SECONDS)
        await services.usage.flush()


async def _work(services: Services) -> None:
    """What another schedule does on AWS."""
    handler = JobsHandler(services)
    while True:
        await asyncio.sleep(JOBS_SECONDS)
        try:
            await handler.handle()
        except ApiError as error:
            _log.warning("Jobs were not advanced.", extra={"code": error.code})


async def _provision(services: Services) -> None:
    await create_tables(services.sources.database)
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
