"""Tenants: what its members see of their own, and the registry that the platform keeps of all."""

import dataclasses
from enum import StrEnum
from typing import Annotated, Any, ClassVar

import strawberry

from graphql_api import inputs
from graphql_api.auth.identity import TENANT_SLUG, Role
from graphql_api.auth.permissions import at_least
from graphql_api.auth.plan import Tier
from graphql_api.context import Info
from graphql_api.errors import ConflictError, InvalidInputError, NotFoundError
from graphql_api.feature import Feature, once
from graphql_api.features.users import EmailAddress, User, membership_writes
from graphql_api.features.workflows.workflow import default_workflow
from graphql_api.relay import READS_A_LIST, Connection, Node, connection, page_size
from graphql_api.results import Problem
from graphql_api.store.entity import Entity, Placement
from graphql_api.store.idempotency import UNMARKED, Mark
from graphql_api.store.keys import sort_key
from graphql_api.store.page import ListRange
from graphql_api.store.repository import Repository
from graphql_api.store.schema import Index

strawberry.enum(Tier, description="The plans there are; what each allows, the platform's operators decide.")

REGISTRATIONS = ListRange(Index.LISTING, (("TENANTS",),))


@strawberry.type(description="Your tenant.")
class Tenant(Node, Entity):
    kind: ClassVar[str] = "TENANT"
    noun: ClassVar[str] = "Tenant"

    name: str

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

    def placement(self) -> Placement:
        return Placement(listing_pk=("TENANTS",), agenda_sk=sort_key(self.uid))

    @strawberry.field
    def slug(self) -> str:
        return self.uid


@strawberry.input(description="Changes to your tenant.")
class UpdateTenantInput:
    expected_version: int | None = None
    name: strawberry.Maybe[str | None]
    idempotency_key: str | None = None


@strawberry.input(description="A new tenant and its first administrator.")
class OnboardTenantInput:
    slug: str = strawberry.field(description="3 to 40 of a-z, 0-9 and -, neither first nor last a -.")
    name: str
    admin_email: str
    admin_name: str
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
class OnboardTenantPayload:
    tenant: TenantRegistration
    admin_subject: str = strawberry.field(description="What the first administrator's tokens carry as `sub`.")


@strawberry.type
class SuspendTenantPayload:
    tenant: TenantRegistration


@strawberry.type
class ReactivateTenantPayload:
    tenant: TenantRegistration


UpdateTenantResult = Annotated[UpdateTenantPayload | Problem, strawberry.union("UpdateTenantResult")]
OnboardTenantResult = Annotated[OnboardTenantPayload | Problem, strawberry.union("OnboardTenantResult")]
SuspendTenantResult = Annotated[SuspendTenantPayload | Problem, strawberry.union("SuspendTenantResult")]
ReactivateTenantResult = Annotated[
    ReactivateTenantPayload | Problem, strawberry.union("ReactivateTenantResult")
]


async def _update(repository: Repository, payload: UpdateTenantInput, mark: Mark) -> Tenant:
    changes = inputs.patch(
        name=(payload.name, lambda given: inputs.line(inputs.present(given, "name"), "name"))
    )
    slug = repository.stamp.actor.tenant
    assert slug is not None, "a tenant's repository is its member's"
    return await repository.update(
        await repository.fresh().get(Tenant, slug),
        lambda tenant: dataclasses.replace(tenant, **changes),
        expected_version=payload.expected_version,
        mark=mark,
    )


def valid_slug(slug: str) -> str:
    """A slug that a tenant could have. Raises InvalidInputError."""
    if not TENANT_SLUG.match(slug):
        raise InvalidInputError("A slug is 3 to 40 of a-z, 0-9 and -, not at its ends.", "slug")
    return slug


async def onboard(
    platform: Repository, founding: Repository, payload: OnboardTenantInput, mark: Mark
) -> TenantRegistration:
    """Register the tenant, then found it with its own rights, then open it.

    The registry and the tenant's data are never in one transaction, as nobody has rights to both. A
    call that stopped between the steps is continued by the next one with the same slug and administrator.
    """
    email = inputs.email(payload.admin_email, "adminEmail")
    admin_name = inputs.line(payload.admin_name, "adminName")
    name = inputs.line(payload.name, "name")
    registration = platform.new(
        TenantRegistration,
        uid=valid_slug(payload.slug),
        name=name,
        status=TenantStatus.PROVISIONING,
        admin_uid=platform.stamp.new_uid(),
    )
    registered = await platform.fresh().find(TenantRegistration, registration.uid)
    if registered is None:
        await platform.commit(platform.put(registration), leaves=[registration])
        registered = registration
    address = await founding.fresh().find(EmailAddress, email)
    if registered.status is not TenantStatus.PROVISIONING or registered.name != name:
        raise ConflictError("This slug is taken.")
    if address is None:
        await _found(founding, registered, User, email, admin_name)
    return await platform.update(
        registered,
        lambda now: dataclasses.replace(now, status=TenantStatus.ACTIVE),
        expected_version=None,
        mark=mark,
    )


async def _found(
    founding: Repository,
    registered: TenantRegistration,
    user: type[User],
    email: str,
    admin_name: str,
) -> None:
    admin = founding.new(user, uid=registered.admin_uid, name=admin_name, email=email, role=Role.ADMIN)
    tenant = founding.new(Tenant, uid=registered.uid, name=registered.name)
    workflow = default_workflow(founding)
    await founding.commit(
        founding.put(tenant),
        founding.put(workflow),
        *membership_writes(founding, admin),
        leaves=[tenant, workflow, admin],
        mark=UNMARKED,
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
        description="Change the name of your tenant.",
        permission_classes=[at_least(Role.ADMIN)],
    )
    async def update_tenant(self, info: Info, input: UpdateTenantInput) -> UpdateTenantResult | None:
        tenant = await once(info.context.repository, info, input, Tenant, _update)
        return UpdateTenantPayload(tenant=tenant)

    @strawberry.mutation(
        description="Create a tenant and its first administrator.",
        permission_classes=[at_least(Role.PLATFORM)],
    )
    async def onboard_tenant(self, info: Info, input: OnboardTenantInput) -> OnboardTenantResult | None:
        founding = info.context.founding(valid_slug(input.slug))
        registration = await once(
            info.context.platform,
            info,
            input,
            TenantRegistration,
            lambda platform, payload, mark: onboard(platform, founding, payload, mark),
        )
        return OnboardTenantPayload(tenant=registration, admin_subject=registration.admin_uid)

    @strawberry.mutation(
        description="Shut a tenant out, with all its members; takes effect within a minute.",
        permission_classes=[at_least(Role.PLATFORM)],
    )
    async def suspend_tenant(self, info: Info, input: SuspendTenantInput) -> SuspendTenantResult | None:
        registration = await once(info.context.platform, info, input, TenantRegistration, _suspend)
        return SuspendTenantPayload(tenant=registration)

    @strawberry.mutation(
        description="Let a suspended tenant in again; takes effect within a minute.",
        permission_classes=[at_least(Role.PLATFORM)],
    )
    async def reactivate_tenant(
        self, info: Info, input: ReactivateTenantInput
    ) -> ReactivateTenantResult | None:
        registration = await once(info.context.platform, info, input, TenantRegistration, _reactivate)
        return ReactivateTenantPayload(tenant=registration)


FEATURE = Feature(nodes=(Tenant,), query=TenantQuery, mutation=TenantMutation)
