"""How a tenant begins: registered by the platform, founded with rights of its own, then opened."""

import dataclasses
from typing import Annotated

import strawberry

from graphql_api import inputs
from graphql_api.audit.acts import audited
from graphql_api.audit.entry import AuditKind
from graphql_api.auth.identity import TENANT_SLUG, Role
from graphql_api.auth.permissions import at_least
from graphql_api.context import Info
from graphql_api.errors import ConflictError, InvalidInputError
from graphql_api.feature import Feature, once
from graphql_api.features.tenants import Tenant, TenantRegistration, TenantStatus
from graphql_api.features.users import EmailAddress, User, membership_writes
from graphql_api.features.workflows.workflow import default_workflow
from graphql_api.results import Problem
from graphql_api.store.idempotency import UNMARKED, Mark
from graphql_api.store.repository import Repository


class SlugTakenError(ConflictError):
    """The tenant is somebody else's."""

    def __init__(self) -> None:
        super().__init__("This slug is taken.")


@strawberry.input(description="A new tenant and its first administrator.")
class OnboardTenantInput:
    slug: str = strawberry.field(description="3 to 40 of a-z, 0-9 and -, neither first nor last a -.")
    name: str
    admin_email: str
    admin_name: str
    idempotency_key: str | None = None


@strawberry.type
class OnboardTenantPayload:
    tenant: TenantRegistration
    admin_subject: str = strawberry.field(description="What the first administrator's tokens carry as `sub`.")


OnboardTenantResult = Annotated[OnboardTenantPayload | Problem, strawberry.union("OnboardTenantResult")]


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
    registered = await register(platform, founding, payload)
    if registered.status is not TenantStatus.PROVISIONING:
        raise SlugTakenError
    return await platform.update(
        registered,
        lambda now: dataclasses.replace(now, status=TenantStatus.ACTIVE),
        expected_version=None,
        mark=mark,
    )


async def register(
    platform: Repository, founding: Repository, payload: OnboardTenantInput, *, own: bool = False
) -> TenantRegistration:
    """The registration of a tenant that is founded, PROVISIONING unless it was opened before.

    `own`: only one that the same actor began. Raises ConflictError for a slug that is another's.
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
    is_another = own and registered.created_by_uid != platform.stamp.actor.subject
    if is_another or registered.name != name:
        raise SlugTakenError
    if registered.status is TenantStatus.PROVISIONING:
        address = await founding.fresh().find(EmailAddress, email)
        if address is None:
            await _found(founding, registered, User, email, admin_name)
    return registered


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


@strawberry.type
class OnboardingMutation:
    @strawberry.mutation(
        description="Create a tenant and its first administrator.",
        permission_classes=[at_least(Role.PLATFORM)],
        extensions=[audited(AuditKind.ADMINISTRATION)],
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


FEATURE = Feature(mutation=OnboardingMutation)
