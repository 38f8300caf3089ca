"""An identity provider on a loopback port: its key set over HTTP, and tokens for anybody."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self

from graphql_api.auth.identity import Role
from graphql_api.local.keys import DevelopmentIssuer
from graphql_api.settings import Profile

AUDIENCE = "graphql-api"
ISSUER = "https://tokens.example"


class Issuer:
    """Signs with a key of its own, as a context manager; its keys are at `jwks_url` meanwhile."""

    def __init__(self, directory: Path) -> None:
        self._signer = DevelopmentIssuer.open(directory, Profile.DEVELOPMENT)
        keys = json.dumps(self._signer.jwks()).encode()

        class Keys(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(keys)))
                self.end_headers()
                self.wfile.write(keys)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Keys)
        self._thread = threading.Thread(target=self._server.serve_forever)

    @property
    def jwks_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/.well-known/jwks.json"

    def token(self, subject: str, role: Role, tenant: str | None = None) -> str:
        """Good for an hour."""
        return self._signer.mint_token(
            issuer=ISSUER, audience=AUDIENCE, subject=subject, roles=[role], tenant=tenant, lifetime=3600
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
