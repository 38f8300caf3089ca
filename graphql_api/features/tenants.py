"""Tenants: what its members see of their own, and the registry that the platform keeps of all."""

import dataclasses
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar

import strawberry

from graphql_api import inputs
from graphql_api.audit.acts import audited
from graphql_api.audit.entry import AuditKind
from graphql_api.auth.identity import TENANT_SLUG, Role, TenantSettings
from graphql_api.auth.permissions import at_least
from graphql_api.auth.plan import Tier
from graphql_api.context import Info
from graphql_api.errors import ConflictError, NotFoundError
from graphql_api.feature import Feature, once
from graphql_api.features.tenant_settings import TenantSettingsInput, changed_settings
from graphql_api.relay import READS_A_LIST, Connection, Node, connection, page_size
from graphql_api.results import Problem
from graphql_api.store.entity import Entity, Placement
from graphql_api.store.idempotency import Mark
from graphql_api.store.keys import sort_key
from graphql_api.store.page import ListRange
from graphql_api.store.repository import Repository
from graphql_api.store.schema import Index
from graphql_api.usage_reports import MonthlyUsage, ledger_of, monthly

strawberry.enum(Tier, description="The plans there are; what each allows, the platform's operators decide.")

REGISTRATIONS = ListRange(Index.LISTING, (("TENANTS",),))


@strawberry.type(description="Your tenant.")
class Tenant(Node, Entity):
    kind: ClassVar[str] = "TENANT"
    noun: ClassVar[str] = "Tenant"

    name: str
    settings: TenantSettings = strawberry.field(default_factory=TenantSettings)

    @strawberry.field(description="Its unchanging short name, as in every token.")
    def slug(self) -> str:
        return self.uid


@strawberry.enum(description="PROVISIONING until its first administrator exists.")
class TenantStatus(StrEnum):
    PROVISIONING = "PROVISIONING"
    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"


@strawberry.type(description="A tenant as the platform knows it: that it exists, never what it holds.")
class TenantRegistration(Entity):
    kind: ClassVar[str] = "REGISTRATION"
    noun: ClassVar[str] = "Tenant"

    name: str
    status: TenantStatus
    admin_uid: strawberry.Private[str]
    plan: Tier = Tier.FREE
    # For good: the slug stays, so that nobody else takes it for theirs.
    erasure_begun_at: datetime | None = None
    erased_at: datetime | None = None
    erased_items: int | None = None

    @property
    def is_open(self) -> bool:
        return self.status is TenantStatus.ACTIVE and self.erasure_begun_at is None

    def placement(self) -> Placement:
        return Placement(listing_pk=("TENANTS",), agenda_sk=sort_key(self.uid))

    @strawberry.field
    def slug(self) -> str:
        return self.uid

    @strawberry.field(
        description="What it used in the calendar month, in UTC, of that day.",
        permission_classes=[at_least(Role.PLATFORM)],
        metadata=READS_A_LIST,
    )
    async def usage(self, info: Info, month: date) -> MonthlyUsage:
        return await monthly(ledger_of(info, self.uid), month)


@strawberry.input(description="Changes to your tenant.")
class UpdateTenantInput:
    expected_version: int | None = None
    name: strawberry.Maybe[str | None]
    settings: strawberry.Maybe[TenantSettingsInput | None]
    idempotency_key: str | None = None


@strawberry.input(description="A tenant to shut out.")
class SuspendTenantInput:
    slug: str
    idempotency_key: str | None = None


@strawberry.input(description="A suspended tenant to let in again.")
class ReactivateTenantInput:
    slug: str
    idempotency_key: str | None = None


@strawberry.type
class UpdateTenantPayload:
    tenant: Tenant


@strawberry.type
class SuspendTenantPayload:
    tenant: TenantRegistration


@strawberry.type
class ReactivateTenantPayload:
    tenant: TenantRegistration


UpdateTenantResult = Annotated[UpdateTenantPayload | Problem, strawberry.union("UpdateTenantResult")]
SuspendTenantResult = Annotated[SuspendTenantPayload | Problem, strawberry.union("SuspendTenantResult")]
ReactivateTenantResult = Annotated[
    ReactivateTenantPayload | Problem, strawberry.union("ReactivateTenantResult")
]


async def _update(repository: Repository, payload: UpdateTenantInput, mark: Mark) -> Tenant:
    changes = inputs.patch(
        name=(payload.name, lambda given: inputs.line(inputs.present(given, "name"), "name")),
        settings=(payload.settings, lambda given: inputs.present(given, "settings")),
    )
    given: TenantSettingsInput | None = changes.pop("settings", None)

    def changed(tenant: Tenant) -> Tenant:
        settings = tenant.settings if given is None else changed_settings(tenant.settings, given)
        return dataclasses.replace(tenant, **changes, settings=settings)

    slug = repository.stamp.actor.tenant
    assert slug is not None, "a tenant's repository is its member's"
    return await repository.update(
        await repository.fresh().get(Tenant, slug),
        changed,
        expected_version=payload.expected_version,
        mark=mark,
    )


async def _suspend(platform: Repository, payload: SuspendTenantInput, mark: Mark) -> TenantRegistration:
    return await amend(platform, payload.slug, mark, status=TenantStatus.SUSPENDED)


async def _reactivate(platform: Repository, payload: ReactivateTenantInput, mark: Mark) -> TenantRegistration:
    return await amend(platform, payload.slug, mark, status=TenantStatus.ACTIVE)


async def amend(platform: Repository, slug: str, mark: Mark, **changes: Any) -> TenantRegistration:
    """Change what the platform keeps of a tenant. Raises NotFoundError; ConflictError before it is open."""
    if not TENANT_SLUG.match(slug):
        raise NotFoundError(TenantRegistration.noun)
    registration = await platform.fresh().get(TenantRegistration, slug)
    if registration.status is TenantStatus.PROVISIONING:
        raise ConflictError("The tenant is still being onboarded.")
    if registration.erasure_begun_at is not None:
        raise ConflictError("The tenant is being erased, or was.")
    return await platform.update(
        registration,
        lambda now: dataclasses.replace(now, **changes),
        expected_version=None,
        mark=mark,
    )


@strawberry.type
class TenantQuery:
    @strawberry.field(description="Your tenant.", permission_classes=[at_least(Role.VIEWER)])
    async def tenant(self, info: Info) -> Tenant:
        slug = info.context.caller.tenant
        assert slug is not None, "VIEWER and above are members of a tenant"
        return await info.context.repository.get(Tenant, slug)

    @strawberry.field(
        description="All tenants, by slug; for the platform's operators.",
        permission_classes=[at_least(Role.PLATFORM)],
        metadata=READS_A_LIST,
    )
    async def tenants(
        self, info: Info, first: int | None = 20, after: str | None = None
    ) -> Connection[TenantRegistration]:
        page = await info.context.platform.page(TenantRegistration, REGISTRATIONS, page_size(first), after)
        return connection(page, after)


@strawberry.type
class TenantMutation:
    @strawberry.mutation(
        description="Change the name and the settings of your tenant.",
        permission_classes=[at_least(Role.ADMIN)],
        extensions=[audited(AuditKind.ADMINISTRATION)],
    )
    async def update_tenant(self, info: Info, input: UpdateTenantInput) -> UpdateTenantResult | None:
        tenant = await once(info.context.repository, info, input, Tenant, _update)
        return UpdateTenantPayload(tenant=tenant)

    @strawberry.mutation(
        description="Shut a tenant out, with all its members; takes effect within a minute.",
        permission_classes=[at_least(Role.PLATFORM)],
        extensions=[audited(AuditKind.ADMINISTRATION)],
    )
    async def suspend_tenant(self, info: Info, input: SuspendTenantInput) -> SuspendTenantResult | None:
        registration = await once(info.context.platform, info, input, TenantRegistration, _suspend)
        return SuspendTenantPayload(tenant=registration)

    @strawberry.mutation(
        description="Let a suspended tenant in again; takes effect within a minute.",
        permission_classes=[at_least(Role.PLATFORM)],
        extensions=[audited(AuditKind.ADMINISTRATION)],
    )
    async def reactivate_tenant(
        self, info: Info, input: ReactivateTenantInput
    ) -> ReactivateTenantResult | None:
        registration = await once(info.context.platform, info, input, TenantRegistration, _reactivate)
        return ReactivateTenantPayload(tenant=registration)


FEATURE = Feature(nodes=(Tenant,), query=TenantQuery, mutation=TenantMutation)
