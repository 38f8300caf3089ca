"""The composition root: the only place that chooses implementations."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from graphql_api.auth.identity import Identity
from graphql_api.auth.keys import JwksKeys
from graphql_api.auth.membership import Membership, Memberships
from graphql_api.auth.tokens import TokenVerifier
from graphql_api.context import RequestContext, Sources
from graphql_api.deadline import Deadline
from graphql_api.features.tenants import TenantRegistration, TenantStatus
from graphql_api.features.users import User, UserStatus
from graphql_api.metering.limits import Limits
from graphql_api.operations import Operations
from graphql_api.schema import build_schema
from graphql_api.settings import Settings
from graphql_api.store.client import Database
from graphql_api.store.codec import decode
from graphql_api.store.cursor import CursorCodec
from graphql_api.store.entity import Entity, key_of
from graphql_api.store.keys import PLATFORM, Family, tenant_family
from graphql_api.store.repository import together
from graphql_api.store.table import Table
from graphql_api.store.uid import new_uid

# A membership is read before the request's own deadline starts to matter.
MEMBERSHIP_SECONDS = 5.0


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a door needs, built once for a process. `open` it on the loop that will serve."""

    settings: Settings
    sources: Sources
    operations: Operations
    verifier: TokenVerifier
    memberships: Memberships

    async def authenticate(self, token: str) -> Identity:
        """The caller a token names. Raises UnauthenticatedError or ForbiddenError."""
        return await self.memberships.identify(await self.verifier.verify(token))

    def new_context(
        self, identity: Identity | None, *, request_id: str, deadline: Deadline
    ) -> RequestContext:
        return RequestContext(self.sources, identity, request_id, deadline)

    async def open(self) -> None:
        await self.sources.database.open()

    async def close(self) -> None:
        await self.sources.database.close()


def build_services(
    settings: Settings,
    *,
    now: Callable[[], datetime] = utc_now,
    make_uid: Callable[[], str] = new_uid,
) -> Services:
    """The services of one installation; nothing is connected before `open`."""
    database = Database(settings)
    cursors = CursorCodec(settings.cursor_secrets, lambda: int(now().timestamp()) // 3600)
    return Services(
        settings=settings,
        sources=Sources(database, cursors, now, make_uid),
        operations=Operations(build_schema(), Limits(), settings.profile),
        verifier=TokenVerifier(JwksKeys(settings.jwks_url), settings.issuer, settings.audience),
        memberships=Memberships(MembershipReader(database).read, clock=time.time),
    )


class MembershipReader:
    """What the registry and the tenant say of a member, each read with its own rights."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, tenant: str, subject: str) -> Membership | None:
        """None where the tenant or the user does not exist."""
        registration, user = await together(
            (
                self._find(PLATFORM, TenantRegistration, tenant),
                self._find(tenant_family(tenant), User, subject),
            )
        )
        if not isinstance(registration, TenantRegistration) or not isinstance(user, User):
            return None
        return Membership(
            role=user.role,
            active=user.status is UserStatus.ACTIVE,
            tenant_active=registration.status is TenantStatus.ACTIVE,
        )

    async def _find(self, family: Family, cls: type[Entity], uid: str) -> Entity | None:
        key = key_of(family, cls, uid)
        table = Table(self._database, family, Deadline.after(MEMBERSHIP_SECONDS))
        item = (await table.batch_get([key], consistent=True)).get(key)
        return None if item is None else decode(cls, item)
