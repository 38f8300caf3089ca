"""The application called as a server calls it, without a socket."""

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any

from starlette.types import ASGIApp, Message

_ADDRESSES = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


async def call(
    app: ASGIApp,
    method: str,
    path: str,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    *,
    address: str | None = None,
) -> Reply:
    """One request's reply; `path` may carry a query string. Each comes from an address of its own, or from
    the one that is given.
    """
    target, _, query = path.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": target,
        "raw_path": target.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [
            (name.lower().encode(), value.encode("latin-1")) for name, value in (headers or {}).items()
        ],
        "server": ("testserver", 80),
        "client": (address or str(IPv4Address(0x0A000000 + next(_ADDRESSES))), 1),
        "state": {},
    }
    messages: list[Message] = []
    requests = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> Message:
        return next(requests, {"type": "http.disconnect"})

    async def send(message: Message) -> None:
        messages.append(message)

    await app(scope, receive, send)
    start = messages[0]
    return Reply(
        status=start["status"],
        headers={name.decode().lower(): value.decode("latin-1") for name, value in start["headers"]},
        body=b"".join(message.get("body", b"") for message in messages[1:]),
    )
