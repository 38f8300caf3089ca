"""A proxy on loopback that treats idle connections as a load balancer does while Lambda is frozen."""

import http.client
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Literal, cast
from urllib.parse import urlsplit


class Proxy(ThreadingHTTPServer):
    """Hands every request on to the engine, over connections that stay open."""

    daemon_threads = True

    def __init__(self, engine: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.engine = urlsplit(engine).netloc
        self.opened: list[socket.socket] = []
        self.operations: list[str] = []
        self.accidents: list[Literal["before", "after"]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def close_idle(self) -> None:
        """Close every connection; none is in use between two invocations."""
        for connection in self.opened:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def drop_next(self, when: Literal["before", "after"]) -> None:
        """Close the next request's connection: before the engine hears of it, or instead of its answer."""
        self.accidents.append(when)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one segment: two would wait for each other (Nagle)

    def setup(self) -> None:
        super().setup()
        self.proxy = cast("Proxy", self.server)
        self.proxy.opened.append(self.connection)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.proxy.operations.append(self.headers["X-Amz-Target"].rpartition(".")[2])
        accident = self.proxy.accidents.pop(0) if self.proxy.accidents else None
        if accident == "before":
            self.close_connection = True
            return
        upstream = http.client.HTTPConnection(self.proxy.engine)
        upstream.request("POST", self.path, body, dict(self.headers))
        answer = upstream.getresponse()
        content = answer.read()
        upstream.close()
        if accident == "after":
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name in ("Content-Type", "x-amzn-RequestId"):
            self.send_header(name, answer.headers.get(name, ""))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def proxy_to(engine: str) -> Iterator[Proxy]:
    with Proxy(engine) as proxy:
        thread = Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield proxy
        finally:
            proxy.close_idle()
            proxy.shutdown()
            thread.join(10)
