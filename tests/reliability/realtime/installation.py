"""The real services over memory: as many processes as a schedule wants, each with a clock of its own."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from types import SimpleNamespace
from typing import Any, cast

import pytest

from graphql_api.auth.identity import Identity, Role
from graphql_api.auth.tokens import Claims, TokenVerifier
from graphql_api.bootstrap import Services, build_services
from graphql_api.context import RequestContext
from graphql_api.deadline import Deadline
from graphql_api.errors import UnauthenticatedError
from graphql_api.features.projects import Project
from graphql_api.features.tenants import Tenant, TenantRegistration, TenantStatus
from graphql_api.features.users import User
from graphql_api.realtime.gateway import ApiGateway
from graphql_api.schema import build_schema
from graphql_api.settings import Settings
from graphql_api.store.codec import Item
from graphql_api.store.entity import Entity, key_of, to_item
from graphql_api.store.keys import PLATFORM, Family, Key, tenant_family
from graphql_api.store.repository import Repository
from graphql_api.store.writes import key_attributes
from tests.reliability.realtime.memory import DATA, InMemoryTable, MemoryDatabase
from tests.reliability.realtime.timeline import BEGINNING, clock
from tests.world import settings

TENANTS = ("acme", "globex")
PEOPLE = ("ann", "bob", "cleo", "writer")
PROJECTS = ("site", "shop")
_TOKEN_LIFETIME = timedelta(days=1)


@contextmanager
def in_memory() -> Iterator[None]:
    """The product on memory and virtual time, and silent about what goes wrong, as it must all the time."""
    time = SimpleNamespace(monotonic=lambda: asyncio.get_running_loop().time())
    with pytest.MonkeyPatch.context() as patch:
        for module in ("bootstrap", "readers", "realtime.ingest", "sources"):
            patch.setattr(f"graphql_api.{module}.Table", InMemoryTable)
        patch.setattr("graphql_api.bootstrap.build_schema", cache(build_schema))
        patch.setattr("graphql_api.deadline.time", time)
        disabled = logging.root.manager.disable
        logging.disable(logging.CRITICAL)
        try:
            yield
        finally:
            logging.disable(disabled)


@cache
def _settings() -> Settings:
    return settings("http://127.0.0.1:9")


class Tokens:
    """Stands for the verifier, which other suites try: a token is `tenant/subject`."""

    async def verify(self, token: str) -> Claims:
        tenant, _, subject = token.partition("/")
        if tenant not in TENANTS:
            raise UnauthenticatedError
        return Claims(subject, Role.ADMIN, tenant, int((BEGINNING + _TOKEN_LIFETIME).timestamp()))


@dataclass(frozen=True, slots=True)
class Process:
    """One warm Lambda: the services that its invocations share."""

    services: Services

    def repository(self, tenant: str, subject: str, request_id: str) -> Repository:
        """A member's data, for one request."""
        return self.context(tenant, subject, request_id).repository

    def platform(self, request_id: str) -> Repository:
        """What the platform owns, for one request of an operator."""
        operator = Identity("operator", Role.PLATFORM, None, 0)
        sources = self.services.sources
        return RequestContext(sources, operator, request_id, Deadline.after(10)).platform

    def context(self, tenant: str, subject: str, request_id: str) -> RequestContext:
        """One request of a member."""
        identity = Identity(subject, Role.ADMIN, tenant, 0)
        return RequestContext(self.services.sources, identity, request_id, Deadline.after(10))


def start_process(
    database: MemoryDatabase, management: Any, new_uid: Callable[[], str], skew: float = 0.0
) -> Process:
    """A process whose clock goes `skew` seconds before the true one; `management` is the gateway's client."""
    now = clock(skew)
    services = build_services(_settings(), now=now, make_uid=new_uid, database=database)
    for memberships in (services.memberships, services.listeners):
        memberships._clock = lambda: now().timestamp()
    gateway = ApiGateway(services.settings)
    gateway._client = management
    return Process(replace(services, verifier=cast("TokenVerifier", Tokens()), gateway=gateway))


def found_tenants(database: MemoryDatabase) -> None:
    """The tenants with their people and projects, from before the beginning."""
    for key, item in _founding():
        database.tables[DATA].set(key, item, at_once=True)


@cache
def _founding() -> list[tuple[Key, Item]]:
    return [row for slug in TENANTS for row in _tenant(slug)]


def _tenant(slug: str) -> Iterator[tuple[Key, Item]]:
    stamp: dict[str, Any] = {
        "created_by_uid": "operator",
        "updated_by_uid": "operator",
        "request_id": "founding",
        "created_at": BEGINNING,
        "updated_at": BEGINNING,
    }
    family = tenant_family(slug)
    registered = TenantRegistration(
        uid=slug, name=slug, status=TenantStatus.ACTIVE, admin_uid=PEOPLE[0], **stamp
    )
    yield _row(PLATFORM, registered)
    yield _row(family, Tenant(uid=slug, name=slug, **stamp))
    for name in PEOPLE:
        user = User(uid=name, name=name, email=f"{name}@{slug}.example", role=Role.ADMIN, **stamp)
        yield _row(family, user)
    for name in PROJECTS:
        yield _row(family, Project(uid=name, name=f"{name} of {slug}", **stamp))


def _row(family: Family, entity: Entity) -> tuple[Key, Item]:
    key = key_of(family, type(entity), entity.uid)
    return key, key_attributes(key) | to_item(family, entity)
