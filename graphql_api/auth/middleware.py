"""Authorization header in, `scope["state"]["identity"]` out, for every request."""

import re
from collections.abc import Awaitable, Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from graphql_api.auth.identity import Identity
from graphql_api.auth.tokens import INVALID_TOKEN
from graphql_api.errors import UnauthenticatedError

# RFC 9110 §11.1: the scheme in any case, then spaces; RFC 6750 §2.1: then the token.
_BEARER = re.compile(rb"\Abearer +([0-9a-z._~+/-]+=*)\Z", re.IGNORECASE)


class AuthMiddleware:
    """No header: identity None, and each protected field says UNAUTHENTICATED.

    A header that is malformed, repeated or of another scheme raises UnauthenticatedError, as
    `authenticate` does for a bad token; the application's outer boundary renders what it raises.
    """

    def __init__(self, app: ASGIApp, authenticate: Callable[[str], Awaitable[Identity]]) -> None:
        self._app = app
        self._authenticate = authenticate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            token = _bearer_token(scope)
            identity = None if token is None else await self._authenticate(token)
            # A new mapping: a server may hand the same state to every request.
            scope["state"] = {**scope.get("state", {}), "identity": identity}
        await self._app(scope, receive, send)


def _bearer_token(scope: Scope) -> str | None:
    values = [value for name, value in scope["headers"] if name == b"authorization"]
    if not values:
        return None
    match = _BEARER.match(values[0])
    if len(values) > 1 or match is None:
        raise UnauthenticatedError(INVALID_TOKEN)
    return match[1].decode("ascii")
