"""API Gateway's HTTP events, payload 2.0 or REST's 1.0, through Mangum to the application."""

import json
import logging
from collections.abc import Mapping
from typing import Any, Protocol
from uuid import uuid4

from mangum import Mangum
from mangum.adapter import DEFAULT_TEXT_MIME_TYPES
from starlette.types import ASGIApp, Receive, Scope, Send

from graphql_api.app import Services as AppServices
from graphql_api.app import create_app
from graphql_api.deadline import Deadline
from graphql_api.errors import BadRequestError
from graphql_api.handlers import loop
from graphql_api.handlers.function import Services as LambdaServices
from graphql_api.handlers.function import make_ready
from graphql_api.operations import Failure, describe

MARGIN_SECONDS = 1.0  # Left to say DEADLINE_EXCEEDED before Lambda ends the invocation.

_log = logging.getLogger(__name__)


class Services(AppServices, LambdaServices, Protocol):
    """What this door is built from."""


class HttpHandler:
    """`handler(event, context)` over `services`, opened by the first invocation: no connection at import."""

    def __init__(self, services: Services) -> None:
        self._services = services
        app = LambdaRequest(create_app(services))
        # Mangum sends what it does not list as base64, and REST APIs hand that on undecoded.
        text_types = [*DEFAULT_TEXT_MIME_TYPES, "application/graphql-response+json"]
        self._mangum = loop.invoke(lambda: Mangum(app, lifespan="off", text_mime_types=text_types))

    def __call__(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        make_ready(self._services)
        try:
            return loop.invoke(lambda: self._mangum(event, context))
        except ValueError:
            # Mangum cannot read the event: a lone surrogate in the body, a port in Host that is no number.
            return _bad_request()


class LambdaRequest:
    """What only this door knows of a request: how long it may run, and the stage that prefixes its path."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        remaining = scope["aws.context"].get_remaining_time_in_millis() / 1000
        state = {"deadline": Deadline.after(remaining - MARGIN_SECONDS)}
        path = _without_stage(scope["path"], scope["aws.event"])
        await self._app({**scope, "state": state, "path": path}, receive, send)


def _without_stage(path: str, event: Mapping[str, Any]) -> str:
    """Payload 2.0 has the stage in the path unless it is `$default`; REST's 1.0 never has."""
    stage = event["requestContext"].get("stage", "")
    if event.get("version") == "2.0" and path.startswith(f"/{stage}/"):
        return path.removeprefix(f"/{stage}")
    return path


def _bad_request() -> dict[str, Any]:
    _log.info("Request refused.", extra={"code": BadRequestError.code})
    entry = describe(Failure(BadRequestError("The request is not valid HTTP.")), uuid4().hex)
    return {
        "statusCode": 400,
        "headers": {"content-type": "application/json; charset=utf-8"},
        "body": json.dumps({"errors": [entry]}),
        "isBase64Encoded": False,
    }
