"""A small schema and the services around it: what the protocol tests ask, whatever the product becomes."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from typing import Annotated, Any

import strawberry
from starlette.types import ASGIApp, Message
from strawberry.dataloader import DataLoader
from strawberry.permission import BasePermission

from graphql_api.audit.recording import Audit
from graphql_api.auth.identity import Identity, Role
from graphql_api.bootstrap import utc_now
from graphql_api.deadline import Deadline
from graphql_api.errors import (
    ConflictError,
    ForbiddenError,
    InternalError,
    NotFoundError,
    RateLimitedError,
    UnauthenticatedError,
)
from graphql_api.metering.limits import Limits
from graphql_api.operations import Operations
from graphql_api.settings import Profile, Settings
from graphql_api.store.capacity import Consumed
from graphql_api.store.keys import Family
from graphql_api.store.table import Table

SECRET = "arn:aws:dynamodb:eu-central-1:123456789012:table/data"
IDENTITIES = {
    "good": Identity("alice", Role.MEMBER, "acme", 2_000_000_000),
    "other": Identity("bob", Role.MEMBER, "globex", 2_000_000_000),
}
REFUSALS = {
    "bad": UnauthenticatedError("The token is not valid."),
    "suspended": ForbiddenError("This tenant is suspended."),
    "limited": RateLimitedError("Too many requests.", retryAfter=7),
    "broken": RuntimeError(SECRET),
    "unreachable": InternalError(),
}


async def _never(keys: list[int]) -> list[int]:
    await asyncio.sleep(60)
    return keys


@dataclass
class Context:
    """One request's context; `calls` counts what resolvers did, for the whole process."""

    identity: Identity | None
    request_id: str
    deadline: Deadline
    calls: Counter[str]
    loader: DataLoader[int, int] = field(default_factory=lambda: DataLoader(_never))
    is_closed: bool = False
    is_charged: bool = False
    address: str | None = None
    consumed: Consumed = field(default_factory=Consumed)

    async def before_reading(self) -> None:
        return

    async def renew(self) -> bool:
        return False

    async def close(self) -> None:
        self.is_closed = True


Info = strawberry.Info[Context, None]


class SignedIn(BasePermission):
    def has_permission(self, source: Any, info: Any, **_: Any) -> bool:
        if info.context.identity is None:
            raise UnauthenticatedError
        return True


class Color(Enum):
    RED = "red"
    GREEN = "green"


@strawberry.input
class Point:
    across: int
    down: int = 0


@strawberry.input(one_of=True)
class Selector:
    name: strawberry.Maybe[str]
    number: strawberry.Maybe[int]


@strawberry.input
class Patch:
    title: strawberry.Maybe[str]
    note: strawberry.Maybe[str | None]


@strawberry.type
class Thing:
    number: int

    @strawberry.field
    async def loaded(self, info: Info) -> int:
        return await info.context.loader.load(self.number)

    @strawberry.field
    def refused(self) -> str | None:
        raise NotFoundError("Thing")

    @strawberry.field
    def things(self) -> list["Thing"]:
        return [Thing(number=number) for number in range(3)]


@strawberry.type
class Taken:
    message: str


class TakenHandler(strawberry.ExceptionHandler[ConflictError, Taken]):
    def handle(self, exception: ConflictError, *, field: object, info: object) -> Taken:
        return Taken(message=exception.message)


@strawberry.type
class Query:
    @strawberry.field
    def hello(self) -> str:
        return "world"

    @strawberry.field
    def echo(self, text: str | None = None, count: int = 1) -> str | None:
        return text * count if text is not None else None

    @strawberry.field
    def id(self, id: strawberry.ID | None = None) -> strawberry.ID | None:
        return id

    @strawberry.field
    def color(self, color: Color = Color.RED) -> Color:
        return color

    @strawberry.field
    def point(self, point: Point) -> int:
        return point.across

    @strawberry.field
    def select(self, by: Selector) -> str:
        return "name" if by.name else "number"

    @strawberry.field
    def big(self, size: int) -> str:
        return "x" * size

    @strawberry.field
    def surrogate(self) -> str:
        return "\ud800"

    @strawberry.field
    def boom(self) -> str | None:
        raise ValueError(SECRET)

    @strawberry.field
    def strict_boom(self) -> str:
        raise ValueError(SECRET)

    @strawberry.field
    def internal(self) -> str | None:
        raise InternalError from ConnectionError(SECRET)

    @strawberry.field
    def overflow(self) -> int | None:
        return 123_456_789_012

    @strawberry.field
    def refused(self) -> str | None:
        raise NotFoundError("Thing")

    @strawberry.field
    def verbose(self, text: str) -> str | None:
        raise NotFoundError(text)

    @strawberry.field(permission_classes=[SignedIn])
    def tenant(self, info: Info) -> str | None:
        return info.context.identity.tenant if info.context.identity else None

    @strawberry.field
    def thing(self) -> Thing:
        return Thing(number=1)

    @strawberry.field
    def things(self, first: int | None = None) -> list[Thing]:
        return [Thing(number=number) for number in range(first or 20)]

    @strawberry.field
    async def slow(self, seconds: float = 60) -> str:
        await asyncio.sleep(seconds)
        return "done"

    @strawberry.field
    def maybe(self) -> "Query | None":
        return Query()

    @strawberry.field
    async def abandon(self) -> str:
        asyncio.get_running_loop().create_task(asyncio.sleep(60), name="abandoned")
        return "left"


@strawberry.type
class Mutation:
    @strawberry.mutation
    def bump(self, info: Info) -> int:
        info.context.calls["bump"] += 1
        return info.context.calls["bump"]

    @strawberry.mutation
    def fill(self, info: Info, size: int) -> str:
        info.context.calls["fill"] += 1
        return "x" * size

    @strawberry.mutation
    def patch(self, patch: Patch) -> str:
        return f"{patch.title is not None} {patch.note is not None}"

    @strawberry.mutation
    def claim(self) -> Annotated[Thing | Taken, strawberry.union("ClaimResult")]:
        raise ConflictError("Taken already.")


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def ticks(self) -> AsyncIterator[int]:
        yield 1


SCHEMA = strawberry.Schema(Query, Mutation, Subscription, exception_handlers=[TakenHandler()])


def _no_table(family: Family, _: Deadline) -> Table:
    raise AssertionError(f"nothing here is audited, and of {family} least of all")


@dataclass
class Services:
    """What bootstrap gives the application, with tokens that are names."""

    settings: Settings
    operations: Operations
    calls: Counter[str] = field(default_factory=Counter[str])
    contexts: list[Context] = field(default_factory=list[Context])
    audit: Audit = field(default_factory=lambda: Audit(_no_table, utc_now, timedelta(days=1)))

    async def authenticate(self, token: str) -> Identity:
        self.calls["authenticate"] += 1
        if token == "slow":
            await asyncio.sleep(60)
        if token in REFUSALS:
            raise REFUSALS[token]
        return IDENTITIES[token]

    def new_context(
        self, identity: Identity | None, *, request_id: str, deadline: Deadline, address: str | None
    ) -> Context:
        self.contexts.append(Context(identity, request_id, deadline, self.calls, address=address))
        return self.contexts[-1]

    @property
    def are_open(self) -> bool:
        return self.calls["open"] > 0

    async def open(self) -> None:
        self.calls["open"] += 1

    async def close(self) -> None:
        self.calls["close"] += 1


def services(profile: Profile = Profile.PRODUCTION, **settings: Any) -> Services:
    return Services(
        Settings(
            profile=profile,
            table_name="data",
            control_table_name="control",
            issuer="https://issuer.example",
            audience="graphql",
            jwks_url="https://issuer.example/jwks.json",
            cursor_secrets=(b"0" * 32,),
            **settings,
        ),
        Operations(SCHEMA, Limits(), profile),
    )


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def codes(self) -> list[str]:
        return [error["extensions"]["code"] for error in self.json["errors"]]


Send = Callable[..., Awaitable[Answer]]
GRAPHQL = "application/graphql-response+json"


async def send(
    app: ASGIApp,
    body: bytes | Sequence[bytes] = b"",
    *,
    method: str = "POST",
    path: str = "/graphql",
    query: bytes = b"",
    headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
) -> Answer:
    """One request straight into the application; a sequence of bodies arrives in as many chunks."""
    chunks = [body] if isinstance(body, bytes) else list(body)
    pairs = list(headers.items() if isinstance(headers, Mapping) else headers)
    sent: list[Message] = []

    async def receive() -> Message:
        if not chunks:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": chunks.pop(0), "more_body": bool(chunks)}

    async def collect(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query,
        "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in pairs],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 8000),
    }
    await app(scope, receive, collect)
    start = sent[0]
    received = {name.decode(): value.decode() for name, value in start["headers"]}
    return Answer(start["status"], received, b"".join(part.get("body", b"") for part in sent[1:]))


async def post(
    app: ASGIApp,
    query: str,
    variables: Mapping[str, object] | None = None,
    *,
    accept: str = GRAPHQL,
    token: str | None = None,
    **parameters: object,
) -> Answer:
    """A GraphQL request as clients send it."""
    headers = {"content-type": "application/json", "accept": accept}
    if token:
        headers["authorization"] = f"Bearer {token}"
    body = {"query": query, "variables": variables or {}, **parameters}
    return await send(app, json.dumps(body).encode(), headers=headers)
