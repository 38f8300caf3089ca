"""A small installation for one test: two tenants, a member of each role in both, a guarded table."""

import dataclasses
import ipaddress
import json
import math
import tempfile
import time
import uuid
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
from starlette.applications import Starlette

from graphql_api.app import create_app
from graphql_api.audit.entry import AuditEvent, AuditKind
from graphql_api.auth.identity import Identity, Role
from graphql_api.auth.plan import DEFAULTS, Tier
from graphql_api.auth.tokens import TokenVerifier
from graphql_api.bootstrap import Services, build_services
from graphql_api.context import RequestContext
from graphql_api.deadline import Deadline
from graphql_api.features.tasks.task import Task
from graphql_api.features.tenants import Tenant, TenantRegistration, TenantStatus
from graphql_api.features.users import User, membership_writes
from graphql_api.features.workflows.workflow import default_workflow
from graphql_api.metering.bucket import Rate
from graphql_api.settings import Profile, Settings
from graphql_api.store.capacity import Consumed
from graphql_api.store.client import PRINCIPAL
from graphql_api.store.keys import tenant_family
from graphql_api.store.provision import create_tables
from graphql_api.store.schema import control_definition, table_definition
from tests.asgi import Reply, call
from tests.auth.signing import KeyPair
from tests.iam.guard import (
    CONNECTIONS_ROLE,
    PLATFORM_ROLE,
    PolicyGuard,
    Principal,
    TenantSession,
)

ISSUER, AUDIENCE = "https://issuer.test", "graphql-api"
KEYS = KeyPair("test-key")
_LIMITS = DEFAULTS[Tier.ENTERPRISE].limits
ENTERPRISE = Rate(_LIMITS.points_per_second, _LIMITS.burst)
# Where tests have webhooks delivered to.
RECEIVERS = (ipaddress.ip_network("127.0.0.1/32"),)
MEMBERS = (Role.VIEWER, Role.MEMBER, Role.MANAGER, Role.ADMIN)
OPERATOR = "operator"
# The tenant whose member makes the present request; the store cannot work for another one behind its back.
CALLER: ContextVar[str | None] = ContextVar("caller", default=None)
# What the function at work may become for a tenant's keys, and for the platform's: the sweep, nobody.
TENANT_POLICY: ContextVar[str] = ContextVar("tenant_policy", default="tenant")
REGISTRY: ContextVar[Principal | None] = ContextVar("registry", default=PLATFORM_ROLE)


class PublishedKeys:
    """The issuer's key set, without its web server; tests/auth fetch it over HTTP."""

    async def find(self, key_id: str) -> jwt.PyJWK | None:
        return jwt.PyJWK(KEYS.jwk) if key_id == KEYS.key_id else None


def settings(endpoint: str, *, profile: Profile = Profile.DEVELOPMENT) -> Settings:
    name = f"test-{uuid.uuid4().hex[:12]}"
    return Settings(
        profile=profile,
        table_name=name,
        control_table_name=f"{name}-control",
        issuer=ISSUER,
        audience=AUDIENCE,
        jwks_url="https://issuer.test/jwks.json",
        cursor_secrets=(b"a cursor secret of thirty-two bytes",),
        dynamodb_endpoint=endpoint,
        webhook_allowed_networks=RECEIVERS if profile is Profile.DEVELOPMENT else (),
        sign_up=True,
        export_directory=Path(tempfile.gettempdir()) / name,
    )


def principal() -> Principal | None:
    """Whose rights a call is made with: what the store says, held against who is calling."""
    family, caller = PRINCIPAL.get(), CALLER.get()
    if family is None:
        return None
    kind, _, slug = family.partition("#")
    if kind == "P":
        return REGISTRY.get()
    if kind == "C":
        return CONNECTIONS_ROLE
    return TenantSession(slug if caller in (None, slug) else caller, TENANT_POLICY.get())


def user_uid(tenant: str, role: Role) -> str:
    return f"{tenant}-{role.lower()}"


def token(tenant: str | None, role: Role, subject: str | None = None) -> str:
    now = int(time.time())
    claims: dict[str, Any] = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": subject or (user_uid(tenant, role) if tenant else OPERATOR),
        "iat": now,
        "exp": now + 600,
        "roles": [role.value],
    }
    return KEYS.sign(claims | ({"tenant": tenant} if tenant else {}))


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a request: a member by tenant and role, an operator, whoever has an API key, or nobody."""

    tenant: str | None = None
    role: Role | None = None
    subject: str | None = None
    key: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        if self.key is not None:
            return {"authorization": f"Bearer {self.key}"}
        if self.role is None:
            return {}
        return {"authorization": f"Bearer {token(self.tenant, self.role, self.subject)}"}


@dataclass(frozen=True, slots=True)
class Answer:
    """A GraphQL response and the HTTP reply it came in."""

    reply: Reply
    data: Any
    errors: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    extensions: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def codes(self) -> list[str]:
        return [error["extensions"]["code"] for error in self.errors]


def token_used(tenant: str | None, subject: str) -> AuditEvent:
    """What the first use of a token leaves in the audit log."""
    return AuditEvent(kind=AuditKind.TOKEN_USED, tenant=tenant, actor=subject)


class World:
    """The application, its table and its guard."""

    def __init__(self, services: Services, guard: PolicyGuard) -> None:
        self.services = services
        self.guard = guard
        self.app: Starlette = create_app(services)
        self.caller = Caller()

    def as_(self, tenant: str | None, role: Role, subject: str | None = None) -> "World":
        """The same world, seen by another caller."""
        return self.by(Caller(tenant, role, subject))

    def by(self, caller: Caller) -> "World":
        """The same world, seen by that caller."""
        other = World.__new__(World)
        other.__dict__ = {**self.__dict__, "caller": caller}
        return other

    async def post(self, body: bytes, headers: Mapping[str, str]) -> Reply:
        """A raw POST as the caller."""
        mark = CALLER.set(self.caller.tenant)
        try:
            return await call(self.app, "POST", "/graphql", {**self.caller.headers, **headers}, body)
        finally:
            CALLER.reset(mark)

    async def execute(self, query: str, **variables: Any) -> Answer:
        """The answer to an operation, errors included."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        reply = await self.post(body, {"content-type": "application/json"})
        payload = reply.json()
        return Answer(reply, payload.get("data"), payload.get("errors", []), payload.get("extensions", {}))

    async def data(self, query: str, **variables: Any) -> Any:
        """The data of an operation that must not fail."""
        answer = await self.execute(query, **variables)
        assert not answer.errors, answer.errors
        return answer.data

    async def mutate(self, field: str, selection: str, **payload: Any) -> Any:
        """What one mutation answers, with `__typename` and an error's message and code."""
        name = field[0].upper() + field[1:]
        query = f"""mutation ($input: {name}Input!) {{ result: {field}(input: $input) {{
            __typename ... on Error {{ message code }} ... on {name}Payload {{ {selection} }} }} }}"""
        return (await self.data(query, input=payload))["result"]

    async def calls(self, query: str, **variables: Any) -> list[str]:
        """The DynamoDB calls that an operation makes, its caller's membership being known."""
        await self.data("{ __typename }")
        self.guard.forget_calls()
        await self.data(query, **variables)
        return [call.operation for call in self.guard.calls]


async def open_world(endpoint: str, *, profile: Profile = Profile.DEVELOPMENT, **sources: Any) -> World:
    """A world with an empty table and the tenants acme and globex."""
    chosen = settings(endpoint, profile=profile)
    # What is written of usage is counted apart, by the tests that ask for it.
    services = build_services(chosen, **{"flush_seconds": math.inf, **sources})
    services = dataclasses.replace(services, verifier=TokenVerifier(PublishedKeys(), ISSUER, AUDIENCE))
    await services.open()
    await create_tables(services.sources.database)
    guard = PolicyGuard(
        [table_definition(chosen.table_name), control_definition(chosen.control_table_name)], principal
    )
    guard.watch(services.sources.database.client)
    world = World(services, guard)
    for slug in ("acme", "globex"):
        await found(world, slug)
        # As any process has that has served the tenant before.
        family, deadline = tenant_family(slug), Deadline.after(10)
        await services.budgets.require_month(family, 1, deadline)
        await services.budgets.charge(family, ENTERPRISE, 0, deadline)
        services.budgets.refund(family, ENTERPRISE, ENTERPRISE.burst)
        # On a meter of its own: it is nobody's use.
        log = services.sources.change_log(family, deadline, Consumed())
        await services.sources.counts.take(log, Task.kind, 0, 1)
        for role in MEMBERS:
            services.audit.counted(token_used(slug, user_uid(slug, role)))
    services.audit.counted(token_used(None, OPERATOR))
    guard.forget_calls()
    return world


async def found(world: World, slug: str) -> None:
    """A tenant with one member of each role."""
    operator = Identity(OPERATOR, Role.PLATFORM, None, 0)
    context = RequestContext(world.services.sources, operator, "founding", Deadline.after(10))
    founding, platform = context.founding(slug), context.platform
    writes = [founding.put(founding.new(Tenant, uid=slug, name=slug.title()))]
    writes.append(founding.put(default_workflow(founding)))
    for role in MEMBERS:
        name, email = f"{slug.title()} {role.title()}", f"{role.lower()}@{slug}.example"
        user = founding.new(User, uid=user_uid(slug, role), name=name, email=email, role=role)
        writes += membership_writes(founding, user)
    await founding.commit(*writes, leaves=[])
    registration = platform.new(
        TenantRegistration,
        uid=slug,
        name=slug.title(),
        status=TenantStatus.ACTIVE,
        admin_uid=user_uid(slug, Role.ADMIN),
        plan=Tier.ENTERPRISE,
    )
    await platform.commit(platform.put(registration), leaves=[registration])
    await context.close()
