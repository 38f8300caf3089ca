"""The composition root: the only place that chooses implementations."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from graphql_api.auth.identity import Identity
from graphql_api.auth.keys import JwksKeys
from graphql_api.auth.membership import Membership, Memberships
from graphql_api.auth.plan import DEFAULTS, Tier
from graphql_api.auth.tokens import TokenVerifier
from graphql_api.context import RequestContext, Sources
from graphql_api.deadline import Deadline
from graphql_api.features.plans import Plan
from graphql_api.features.tenants import TenantRegistration, TenantStatus
from graphql_api.features.users import User, UserStatus
from graphql_api.metering.bucket import Bucket
from graphql_api.metering.budget import Budgets
from graphql_api.metering.limits import Limits
from graphql_api.operations import Operations
from graphql_api.realtime.gateway import ApiGateway, Gateway
from graphql_api.realtime.services import MEMBERSHIP_SECONDS, RealtimeServices
from graphql_api.realtime.subscriptions import Groups
from graphql_api.schema import build_schema
from graphql_api.settings import Settings
from graphql_api.store.client import Database
from graphql_api.store.codec import decode
from graphql_api.store.cursor import Seals
from graphql_api.store.entity import Entity, key_of
from graphql_api.store.keys import PLATFORM, Family, tenant_family
from graphql_api.store.loader import ItemLoader
from graphql_api.store.repository import together
from graphql_api.store.secrets import CursorSecrets
from graphql_api.store.table import Table
from graphql_api.store.uid import new_uid

# A membership is read before the request's own deadline starts to matter.
READ_SECONDS = 5.0


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
    gateway: Gateway
    groups: Groups
    listeners: Memberships
    secrets: CursorSecrets
    budgets: Budgets

    async def authenticate(self, token: str) -> Identity:
        """The caller a token names. Raises UnauthenticatedError or ForbiddenError."""
        return await self.memberships.identify(await self.verifier.verify(token))

    def new_context(
        self, identity: Identity | None, *, request_id: str, deadline: Deadline
    ) -> RequestContext:
        return RequestContext(self.sources, identity, request_id, deadline)

    @property
    def realtime(self) -> RealtimeServices:
        """What the doors of real time need of them."""
        return RealtimeServices(
            sources=self.sources,
            operations=self.operations,
            memberships=self.listeners,
            verify=self.verifier.verify,
            gateway=self.gateway,
            groups=self.groups,
            allowed_origins=self.settings.allowed_origins,
        )

    @property
    def are_open(self) -> bool:
        """Whether an invocation may begin; where not, `open` does what is missing."""
        return self.sources.database.is_open and self.secrets.are_fresh

    async def open(self) -> None:
        """Connect what is not connected, read again what has to be; calling it once more changes nothing."""
        await self.secrets.refresh()
        await self.gateway.open()
        await self.sources.database.open()

    async def close(self) -> None:
        await self.secrets.close()
        await self.gateway.close()
        await self.sources.database.close()


def build_services(
    settings: Settings,
    *,
    now: Callable[[], datetime] = utc_now,
    make_uid: Callable[[], str] = new_uid,
) -> Services:
    """The services of one installation; nothing is connected before `open`."""
    database = Database(settings)
    read = MembershipReader(database).read
    seals = Seals(settings.cursor_secrets)
    sources = Sources(database, seals, now, make_uid, settings.log_retention)
    budgets = _budgets(sources)
    return Services(
        settings=settings,
        sources=sources,
        operations=Operations(build_schema(), Limits(), settings.profile, budgets),
        budgets=budgets,
        verifier=TokenVerifier(
            JwksKeys(settings.jwks_url), settings.issuer, settings.audience, settings.subject_claim
        ),
        memberships=Memberships(read, clock=time.time),
        listeners=Memberships(read, MEMBERSHIP_SECONDS, clock=time.time),
        gateway=ApiGateway(settings),
        groups=Groups(),
        secrets=CursorSecrets(settings, seals, now),
    )


def _budgets(sources: Sources) -> Budgets:
    def bucket(family: Family, deadline: Deadline) -> Bucket:
        table = sources.control(family, deadline)
        return Bucket(table, family, lambda: int(sources.now().timestamp() * 1000))

    return Budgets(bucket, lambda: sources.now().timestamp())


class MembershipReader:
    """What the registry and the tenant say of members, each read with its own rights.

    Whoever is asked for at the same moment is read together: a tenant's thousand subscribers in ten calls.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._loaders: dict[Family, ItemLoader] = {}

    async def read(self, tenant: str, subject: str) -> Membership | None:
        """None where the tenant or the user does not exist."""
        # All plans beside the registration: which of them it is, is known only when it has been read.
        registration, user, *plans = await together(
            (
                self._find(PLATFORM, TenantRegistration, tenant),
                self._find(tenant_family(tenant), User, subject),
                *(self._find(PLATFORM, Plan, tier) for tier in Tier),
            )
        )
        if not isinstance(registration, TenantRegistration) or not isinstance(user, User):
            return None
        edited = {plan.allowance.tier: plan.allowance for plan in plans if isinstance(plan, Plan)}
        return Membership(
            role=user.role,
            active=user.status is UserStatus.ACTIVE,
            tenant_active=registration.status is TenantStatus.ACTIVE,
            allowance=edited.get(registration.plan, DEFAULTS[registration.plan]),
        )

    async def _find(self, family: Family, cls: type[Entity], uid: str) -> Entity | None:
        item = await self._loader(family).load(key_of(family, cls, uid))
        return None if item is None else decode(cls, item)

    def _loader(self, family: Family) -> ItemLoader:
        """One for all who ask before the loop goes round: what it has read must not be read from it later."""
        if family not in self._loaders:
            table = Table(self._database, family, Deadline.after(READ_SECONDS))
            self._loaders[family] = ItemLoader(table, consistent=True)
            asyncio.get_running_loop().call_soon(self._loaders.pop, family)
        return self._loaders[family]
