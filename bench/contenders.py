"""Who is compared, each behind two doors: an ASGI view that knows its caller, and a Lambda handler."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import strawberry
from mangum import Mangum
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.extensions import ParserCache, ValidationCache

from bench import bare
from graphql_api.app.negotiation import MediaType
from graphql_api.app.view import GraphQLView
from graphql_api.auth.identity import Identity
from graphql_api.auth.middleware import AuthMiddleware
from graphql_api.bootstrap import Services
from graphql_api.deadline import Deadline
from graphql_api.features import FEATURES
from graphql_api.handlers import loop
from graphql_api.handlers.api_gateway import HttpHandler
from graphql_api.schema import build_schema

BARE, OURS, STOCK = "bare", "this API", "stock"
NAMES = (BARE, OURS, STOCK)
Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Contender:
    """One implementation. The view finds its caller in the request's state; the handler verifies a token."""

    name: str
    view: ASGIApp
    handler: Handler


def contenders(services: Services) -> list[Contender]:
    """All three over the same services, in the order of NAMES."""
    stock_app = Starlette(
        routes=[Route("/graphql", stock := StockView(services))],
        middleware=[Middleware(AuthMiddleware, authenticate=services.authenticate)],
    )
    mangum = loop.invoke(lambda: Mangum(stock_app, lifespan="off"))
    return [
        Contender(BARE, bare_view(services), bare_handler(services)),
        Contender(OURS, GraphQLView(services.operations, services.new_context), HttpHandler(services)),
        Contender(STOCK, stock, mangum),
    ]


class StockView(GraphQL[Any, Any]):
    """strawberry.asgi over the same types and resolvers, with the two caches its documentation advises."""

    def __init__(self, services: Services) -> None:
        ours = build_schema()
        schema = strawberry.Schema(
            query=ours.query,
            mutation=ours.mutation,
            types=[cls for feature in FEATURES for cls in feature.nodes],
            extensions=[ParserCache, ValidationCache],
        )
        super().__init__(schema, graphql_ide=None)
        self._services = services

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Any:
        return self._services.new_context(
            request.state.identity, request_id="bench", deadline=Deadline.after(10)
        )


def bare_view(services: Services) -> ASGIApp:
    async def view(scope: Scope, receive: Receive, send: Send) -> None:
        tenant = scope["state"]["identity"].tenant
        body = await bare.answer(services, tenant, (await receive())["body"])
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return view


def bare_handler(services: Services) -> Handler:
    async def respond(event: dict[str, Any]) -> dict[str, Any]:
        caller = await services.authenticate(event["headers"]["authorization"].removeprefix("Bearer "))
        assert caller.tenant is not None
        body = await bare.answer(services, caller.tenant, event["body"])
        return {
            "statusCode": 200,
            "headers": {"content-type": "application/json"},
            "body": body.decode(),
            "isBase64Encoded": False,
        }

    def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
        return asyncio.get_event_loop().run_until_complete(respond(event))

    return handler


async def ask(view: ASGIApp, caller: Identity, body: bytes) -> bytes:
    """The body of a view's response to one POST."""
    messages: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        messages.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/graphql",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json"), (b"accept", b"application/json")],
        "state": {
            "identity": caller,
            "request_id": "bench",
            "deadline": Deadline.after(10),
            "media_type": MediaType.JSON,
        },
    }
    await view(scope, receive, send)
    return messages[1]["body"]


class LambdaContext:
    """The part of Lambda's context that is read."""

    def get_remaining_time_in_millis(self) -> int:
        return 30_000


def http_event(token: str, body: str) -> dict[str, Any]:
    """A POST as API Gateway's HTTP API hands it on, payload 2.0."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/graphql",
        "rawQueryString": "",
        "headers": {
            "accept": "application/json",
            "authorization": f"Bearer {token}",
            "content-length": str(len(body)),
            "content-type": "application/json",
            "host": "api.example",
        },
        "requestContext": {
            "http": {"method": "POST", "path": "/graphql", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1"},
            "stage": "$default",
            "requestId": "bench",
        },
        "body": body,
        "isBase64Encoded": False,
    }
