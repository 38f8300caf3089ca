"""HTTP requests as the events that API Gateway makes of them, and its reading of what comes back."""

import base64
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit


class LambdaContext:
    """The part of Lambda's context that is used."""

    def __init__(self, milliseconds: int = 30_000) -> None:
        self.milliseconds = milliseconds

    def get_remaining_time_in_millis(self) -> int:
        return self.milliseconds


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


def _body(body: bytes, *, as_binary: bool) -> dict[str, Any]:
    if as_binary:
        return {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}
    return {"body": body.decode() if body else None, "isBase64Encoded": False}


def http_event(
    method: str, url: str, headers: Mapping[str, str], body: bytes = b"", stage: str = "$default"
) -> dict[str, Any]:
    """HTTP API, payload 2.0: the stage is in the path, and a body not known as text comes as base64."""
    parts = urlsplit(url)
    path = parts.path if stage == "$default" else f"/{stage}{parts.path}"
    lower = {name.lower(): value for name, value in headers.items()}
    is_text = lower.get("content-type", "").startswith(("application/json", "text/"))
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": parts.query,
        "headers": lower,
        "requestContext": {
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1"},
            "stage": stage,
            "requestId": "gateway-id",
        },
        **_body(body, as_binary=bool(body) and not is_text),
    }


def rest_event(method: str, url: str, headers: Mapping[str, str], body: bytes = b"") -> dict[str, Any]:
    """REST API, payload 1.0, without binary media types: every body is text."""
    parts = urlsplit(url)
    parameters = parse_qs(parts.query, keep_blank_values=True)
    return {
        "version": "1.0",
        "resource": "/{proxy+}",
        "path": parts.path,
        "httpMethod": method,
        "headers": dict(headers),
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": {name: values[-1] for name, values in parameters.items()} or None,
        "multiValueQueryStringParameters": parameters or None,
        "requestContext": {"stage": "dev", "identity": {"sourceIp": "127.0.0.1"}, "requestId": "gateway-id"},
        **_body(body, as_binary=False),
    }


def http_reply(response: dict[str, Any]) -> Reply:
    body = response["body"]
    decoded = base64.b64decode(body) if response["isBase64Encoded"] else body.encode()
    return Reply(response["statusCode"], response["headers"], decoded)


def rest_reply(response: dict[str, Any]) -> Reply:
    """Without binary media types a base64 body is delivered as it is: nobody decodes it."""
    headers = dict(response["headers"])
    for name, values in response.get("multiValueHeaders", {}).items():
        headers[name] = ", ".join(values)
    return Reply(response["statusCode"], headers, response["body"].encode())
