"""An address before an engine, whose answers can be spoilt and which can be replaced behind it."""

import asyncio
import http.client
import json
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.local.served import PATIENCE_SECONDS, served


@dataclass
class Relay:
    """Forwards to `target`, unless an operation has error codes to answer first; None is a bare 500."""

    target: str
    endpoint: str = ""
    errors: dict[str, list[str | None]] = field(default_factory=lambda: defaultdict(list))
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    async def answer(self, request: Request) -> Response:
        operation = request.headers["x-amz-target"].rpartition(".")[2]
        self.requests.append((operation, await request.json()))
        if not self.errors[operation]:
            return await asyncio.to_thread(self.forward, dict(request.headers), await request.body())
        code = self.errors[operation].pop(0)
        if code is None:
            raise ConnectionError
        body = json.dumps({"__type": code, "message": "spoilt"})
        return Response(body, 400, media_type="application/x-amz-json-1.0")

    def forward(self, headers: dict[str, str], body: bytes) -> Response:
        kept = {name: headers[name] for name in ("x-amz-target", "content-type", "authorization")}
        address = urlsplit(self.target).netloc
        with closing(http.client.HTTPConnection(address, timeout=PATIENCE_SECONDS)) as connection:
            connection.request("POST", "/", body, kept)
            response = connection.getresponse()
            content_type = response.getheader("content-type")
            return Response(response.read(), response.status, media_type=content_type)


@asynccontextmanager
async def relayed(target: str, port: int = 0) -> AsyncGenerator[Relay]:
    relay = Relay(target)
    async with served([Route("/", relay.answer, methods=["POST"])], port) as address:
        relay.endpoint = f"http://{address}"
        yield relay
