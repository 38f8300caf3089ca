"""The Authorization header, by calling the ASGI application directly."""

from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from graphql_api.auth.identity import Identity, Role
from graphql_api.auth.middleware import AuthMiddleware
from graphql_api.errors import ForbiddenError, UnauthenticatedError

ALICE = Identity("alice", Role.MEMBER, "acme", 99)


class Authenticator:
    """Knows one token; records what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def __call__(self, token: str) -> Identity:
        self.asked.append(token)
        if token == "suspended":
            raise ForbiddenError("This account is suspended.")
        if token != "a.b.c":
            raise UnauthenticatedError
        return ALICE


class Application:
    """The inner application: keeps the scope it was called with."""

    scope: Scope | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope


async def receive() -> Message:
    raise AssertionError("the middleware reads no body")


async def send(message: Message) -> None:
    raise AssertionError("the middleware writes no response")


@pytest.fixture
def authenticate() -> Authenticator:
    return Authenticator()


@pytest.fixture
def inner() -> Application:
    return Application()


@pytest.fixture
def middleware(inner: Application, authenticate: Authenticator) -> AuthMiddleware:
    return AuthMiddleware(inner, authenticate)


def request(*authorizations: bytes, kind: str = "http", **more: Any) -> dict[str, Any]:
    headers = [(b"host", b"x"), *((b"authorization", value) for value in authorizations)]
    return {"type": kind, "headers": headers, **more}


@pytest.mark.parametrize("value", [b"Bearer a.b.c", b"bearer a.b.c", b"BEARER   a.b.c"])
@pytest.mark.parametrize("kind", ["http", "websocket"])
async def test_a_bearer_token_becomes_the_identity(
    middleware: AuthMiddleware, value: bytes, kind: str
) -> None:
    scope = request(value, kind=kind)
    await middleware(scope, receive, send)
    assert scope["state"]["identity"] is ALICE


async def test_without_the_header_nobody_is_known(
    middleware: AuthMiddleware, inner: Application, authenticate: Authenticator
) -> None:
    await middleware(request(), receive, send)
    assert inner.scope is not None
    assert inner.scope["state"] == {"identity": None}
    assert authenticate.asked == []


@pytest.mark.parametrize(
    "values",
    [
        (b"",),
        (b"Bearer",),
        (b"Bearer ",),
        (b"Bearer  ",),
        (b"a.b.c",),
        (b"Basic YTpi",),
        (b"Bearer a.b.c d",),
        (b"Bearer a.b.c,Bearer a.b.c",),
        (b"Bearer a.b.c\n",),
        (b"Bearer\ta.b.c",),
        (b" Bearer a.b.c",),
        (b"Bearer a.b.c\xff",),
        (b"Bearer a.b.c\0",),
        (b'Bearer "a.b.c"',),
        (b"BearerX a.b.c",),
        (b"Bearer a.b.c", b"Bearer a.b.c"),
        (b"Bearer a.b.c", b"Basic YTpi"),
        (b"", b"Bearer a.b.c"),
    ],
)
async def test_a_malformed_header_is_refused_before_anybody_is_asked(
    middleware: AuthMiddleware, inner: Application, authenticate: Authenticator, values: tuple[bytes, ...]
) -> None:
    with pytest.raises(UnauthenticatedError) as refused:
        await middleware(request(*values), receive, send)
    assert refused.value.message == "The token is not valid."
    assert inner.scope is None
    assert authenticate.asked == []


@pytest.mark.parametrize(
    ("token", "error"), [(b"Bearer bad", UnauthenticatedError), (b"Bearer suspended", ForbiddenError)]
)
async def test_what_authentication_raises_ends_the_request(
    middleware: AuthMiddleware, inner: Application, token: bytes, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await middleware(request(token), receive, send)
    assert inner.scope is None


async def test_requests_that_share_the_servers_state_do_not_share_an_identity(
    middleware: AuthMiddleware,
) -> None:
    shared = {"started": True}
    known, unknown = request(b"Bearer a.b.c", state=shared), request(state=shared)
    await middleware(known, receive, send)
    await middleware(unknown, receive, send)
    assert known["state"] == {"started": True, "identity": ALICE}
    assert unknown["state"] == {"started": True, "identity": None}
    assert shared == {"started": True}


async def test_no_other_header_names_a_caller_or_a_tenant(middleware: AuthMiddleware) -> None:
    scope = request()
    scope["headers"] += [
        (b"x-tenant-id", b"acme"),
        (b"proxy-authorization", b"Bearer a.b.c"),
        (b"cookie", b"authorization=Bearer a.b.c"),
    ]
    await middleware(scope, receive, send)
    assert scope["state"]["identity"] is None


async def test_lifespan_passes_untouched(middleware: AuthMiddleware, inner: Application) -> None:
    scope = {"type": "lifespan"}
    await middleware(scope, receive, send)
    assert inner.scope == {"type": "lifespan"}
