"""A real key server on the loopback interface that counts what it is asked."""

import json
import ssl
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Any, Self


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a client that gave up is part of the tests."""


class JwksServer:
    """Serves `document` at `url`, or `body` instead, with `status` and after `delay` seconds.

    With `drip`, each byte of the body comes that many seconds after the one before.
    """

    def __init__(self, document: object = None, tls: ssl.SSLContext | None = None) -> None:
        self.document = document
        self.body: bytes | None = None
        self.status = 200
        self.headers: Mapping[str, str] = {}
        self.delay = 0.0
        self.drip = 0.0
        self.requests: list[str] = []
        self._server = _QuietServer(("127.0.0.1", 0), self._handler())
        scheme = "http"
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
            scheme = "https"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_address[1]}/jwks.json?tag=1"
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def fetches(self) -> int:
        return len(self.requests)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        served = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                served.requests.append(self.path)
                time.sleep(served.delay)
                body = json.dumps(served.document).encode() if served.body is None else served.body
                self.send_response(served.status)
                for name, value in served.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if not served.drip:
                    self.wfile.write(body)
                    return
                for byte in body:
                    time.sleep(served.drip)
                    self.wfile.write(bytes([byte]))

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        return Handler
