"""What API Gateway tells our function of a WebSocket, and what it reads from the response to `$connect`."""

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from starlette.requests import HTTPConnection

from graphql_api.local.gateway.connection import Close, Connection, new_id

API_ID = "local"

Event = dict[str, Any]


def connect_event(connection: Connection, stage: str) -> Event:
    """With the client's headers and query."""
    socket = connection.socket
    event = _event(connection, stage, "$connect", "CONNECT")
    headers = [(_title(name), value) for name, value in socket.headers.items()]
    event |= _grouped("headers", "multiValueHeaders", [*headers, *_forwarded(socket)])
    if query := socket.query_params.multi_items():
        event |= _grouped("queryStringParameters", "multiValueQueryStringParameters", query)
    return event


def message_event(connection: Connection, stage: str, body: str) -> Event:
    return {**_event(connection, stage, "$default", "MESSAGE", messageId=new_id()), "body": body}


def disconnect_event(connection: Connection, stage: str, close: Close) -> Event:
    """Without the client's headers: AWS keeps none of them until then, and sends these."""
    told = {"disconnectStatusCode": close.code, "disconnectReason": close.reason}
    host = connection.socket.headers.get("host", "")
    headers = [("Host", host), ("x-api-key", ""), ("X-Forwarded-For", ""), ("x-restapi", "")]
    event = _event(connection, stage, "$disconnect", "DISCONNECT", **told)
    return event | _grouped("headers", "multiValueHeaders", headers)


def identity(socket: HTTPConnection) -> dict[str, str]:
    """Whom a connection is with, as far as the handshake tells."""
    agent = socket.headers.get("user-agent")
    return {"sourceIp": _source(socket)} | ({"userAgent": agent} if agent else {})


def subprotocol(response: dict[str, Any]) -> str | None:
    """The one that the `$connect` response names; AWS echoes it and chooses none by itself."""
    headers: dict[str, Any] = response.get("headers") or {}
    named = (value for name, value in headers.items() if name.lower() == "sec-websocket-protocol")
    return next(named, None)


def _event(connection: Connection, stage: str, route: str, event_type: str, **more: object) -> Event:
    now, request_id = time.time(), new_id()
    context = {
        "routeKey": route,
        "eventType": event_type,
        "extendedRequestId": request_id,
        "requestTime": datetime.fromtimestamp(now, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
        "messageDirection": "IN",
        "stage": stage,
        "connectedAt": int(connection.connected_at * 1000),
        "requestTimeEpoch": int(now * 1000),
        "identity": identity(connection.socket),
        "requestId": request_id,
        "domainName": connection.socket.headers.get("host", ""),
        "connectionId": connection.id,
        "apiId": API_ID,
    }
    return {"requestContext": context | more, "isBase64Encoded": False}


def _grouped(single: str, multiple: str, pairs: Iterable[tuple[str, str]]) -> Event:
    """The last value of each name, and all of them."""
    grouped: dict[str, list[str]] = {}
    for name, value in pairs:
        grouped.setdefault(name, []).append(value)
    return {single: {name: values[-1] for name, values in grouped.items()}, multiple: grouped}


def _forwarded(socket: HTTPConnection) -> list[tuple[str, str]]:
    port = str(socket.url.port or 80)
    return [("X-Forwarded-For", _source(socket)), ("X-Forwarded-Port", port), ("X-Forwarded-Proto", "http")]


def _source(socket: HTTPConnection) -> str:
    return socket.client.host if socket.client else ""


def _title(name: str) -> str:
    """As browsers write it; the server has lowered its case, which AWS does not."""
    return name.title().replace("Websocket", "WebSocket")
