"""The application behind real sockets: uvicorn, and API Gateway in both of its dialects.

In the development profile, since the audits ask by introspection.
"""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import uvicorn

from graphql_api.app import create_app
from graphql_api.handlers.api_gateway import HttpHandler
from graphql_api.settings import Profile
from tests.handlers.events import LambdaContext, Reply, http_event, http_reply, rest_event, rest_reply
from tests.http import protocol

Event = Callable[[str, str, dict[str, str], bytes], dict[str, Any]]


@contextmanager
def _serving(serve: Callable[[], None], stop: Callable[[], None]) -> Iterator[None]:
    thread = Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        stop()
        thread.join(10)


@contextmanager
def uvicorn_door() -> Iterator[str]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()  # Connections wait in the backlog until the server runs.
        server = uvicorn.Server(
            uvicorn.Config(create_app(protocol.services(Profile.DEVELOPMENT)), ws="none", log_config=None)
        )

        def stop() -> None:
            server.should_exit = True

        with _serving(lambda: server.run(sockets=[listener]), stop):
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/graphql"


@contextmanager
def _gateway(to_event: Event, to_reply: Callable[[dict[str, Any]], Reply]) -> Iterator[str]:
    handler = HttpHandler(protocol.services(Profile.DEVELOPMENT))

    class Gateway(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            event = to_event(self.command, self.path, dict(self.headers), body)
            reply = to_reply(handler(event, LambdaContext()))
            self.send_response(reply.status)
            for name, value in {**reply.headers, "content-length": str(len(reply.body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.body)

        do_GET = do_POST = answer  # noqa: N815 - http.server finds methods by these names

        def log_message(self, format: str, *args: object) -> None:
            pass

    # One thread, as one Lambda environment serves one invocation at a time.
    with HTTPServer(("127.0.0.1", 0), Gateway) as server, _serving(server.serve_forever, server.shutdown):
        yield f"http://127.0.0.1:{server.server_port}/graphql"


def http_api_door() -> Any:
    return _gateway(http_event, http_reply)


def rest_api_door() -> Any:
    return _gateway(rest_event, rest_reply)
