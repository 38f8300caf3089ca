"""Administrators invite people, give them another token, or withdraw the invitation."""

import dataclasses
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

import strawberry

from graphql_api import inputs
from graphql_api.audit.acts import audited
from graphql_api.audit.entry import AuditKind
from graphql_api.auth.identity import Role
from graphql_api.auth.permissions import at_least, require_role
from graphql_api.auth.secret_text import SecretText
from graphql_api.context import Info
from graphql_api.errors import ConflictError, ForbiddenError, InvalidInputError
from graphql_api.feature import once, told_once
from graphql_api.features.invitations.invitation import invitation
from graphql_api.features.users import (
    User,
    UserStatus,
    membership_writes,
    still,
    still_admin,
    tenant_role,
)
from graphql_api.metering.field_rates import FieldRate, Per
from graphql_api.relay import uid_of
from graphql_api.results import Problem
from graphql_api.store.idempotency import Mark
from graphql_api.store.repository import Repository

VALID_FOR = timedelta(days=7)
TOLD_ONCE = "For `acceptInvite`. Told once: null where an earlier call is repeated."

INVITING = {"rates": [FieldRate(Per.USER, burst=100, per_minute=30)]}


@strawberry.input(description="A new member.")
class InviteUserInput:
    email: str = strawberry.field(description="Unique in the tenant, compared in lower case.")
    name: str
    role: Role = Role.MEMBER
    idempotency_key: str | None = None


@strawberry.input(description="A new token for somebody who was invited; the former one ends.")
class RenewInvitationInput:
    user_id: strawberry.ID
    idempotency_key: str | None = None


@strawberry.input(description="An invitation to withdraw.")
class RevokeInvitationInput:
    user_id: strawberry.ID
    idempotency_key: str | None = None


@strawberry.type
class InviteUserPayload:
    user: User
    subject: str = strawberry.field(description="What this person's tokens carry as `sub`.")
    token: str | None = strawberry.field(description=TOLD_ONCE)
    is_repetition: bool = strawberry.field(description="Whether an earlier call has told the token.")


@strawberry.type
class RenewInvitationPayload:
    user: User
    token: str | None = strawberry.field(description=TOLD_ONCE)
    is_repetition: bool = strawberry.field(description="Whether an earlier call has told the token.")


@strawberry.type
class RevokeInvitationPayload:
    user: User


InviteUserResult = Annotated[InviteUserPayload | Problem, strawberry.union("InviteUserResult")]
RenewInvitationResult = Annotated[RenewInvitationPayload | Problem, strawberry.union("RenewInvitationResult")]
RevokeInvitationResult = Annotated[
    RevokeInvitationPayload | Problem, strawberry.union("RevokeInvitationResult")
]


async def _invite(repository: Repository, payload: InviteUserInput, mark: Mark) -> tuple[User, SecretText]:
    caller = repository.stamp.actor
    require_role(caller, caller.settings.invite_role)
    if not caller.role.covers(tenant_role(payload.role)):
        raise ForbiddenError("Nobody gives a role above their own.")
    user = repository.new(
        User,
        name=inputs.line(payload.name, "name"),
        email=inputs.email(payload.email),
        role=tenant_role(payload.role),
        status=UserStatus.INVITED,
        invited_until=repository.stamp.now() + VALID_FOR,
        has_joined=False,
    )
    _require_domain(user.email, caller.settings.email_domains)
    secret, kept = invitation(repository, user)
    writes = (*membership_writes(repository, user), kept, still(repository, caller.role))
    await repository.commit(*writes, leaves=[user], mark=mark)
    return user, secret


def _require_domain(email: str, domains: Sequence[str]) -> None:
    if domains and email.rpartition("@")[2] not in domains:
        raise InvalidInputError(f"People are invited under {', '.join(domains)} alone.", "email")


async def _renew(
    repository: Repository, payload: RenewInvitationInput, mark: Mark
) -> tuple[User, SecretText]:
    user = _waiting(await repository.fresh().get(User, uid_of(User, payload.user_id)))
    renewed = repository.stamped(user, invited_until=repository.stamp.now() + VALID_FOR)
    secret, kept = invitation(repository, user)
    writes = (repository.change(user, renewed), kept, still_admin(repository))
    await repository.commit(*writes, leaves=[renewed], mark=mark)
    return renewed, secret


def _waiting(user: User) -> User:
    """The user, if invited. Raises ConflictError."""
    if user.status is not UserStatus.INVITED:
        raise ConflictError("This person is not waiting for an invitation.", user)
    return user


async def _revoke(repository: Repository, payload: RevokeInvitationInput, mark: Mark) -> User:
    unchanged = still_admin(repository)
    return await repository.update(
        await repository.fresh().get(User, uid_of(User, payload.user_id)),
        lambda user: dataclasses.replace(_waiting(user), invited_until=None),
        expected_version=None,
        mark=mark,
        also=lambda _: [unchanged],
    )


@strawberry.type
class InvitingMutation:
    @strawberry.mutation(
        description="Add a member, who may come in once they have accepted: with the token, for seven days. "
        "The tenant's settings say which role may, and under which domains.",
        permission_classes=[at_least(Role.MANAGER)],
        metadata=INVITING,
        extensions=[audited(AuditKind.ADMINISTRATION)],
    )
    async def invite_user(self, info: Info, input: InviteUserInput) -> InviteUserResult | None:
        user, token = await told_once(info.context.repository, info, input, User, _invite, adds=1)
        return InviteUserPayload(user=user, subject=user.uid, token=token, is_repetition=token is None)

    @strawberry.mutation(
        description="Give somebody who was invited a new token for seven days; the former one ends.",
        permission_classes=[at_least(Role.ADMIN)],
        metadata=INVITING,
        extensions=[audited(AuditKind.ADMINISTRATION)],
    )
    async def renew_invitation(self, info: Info, input: RenewInvitationInput) -> RenewInvitationResult | None:
        user, token = await told_once(info.context.repository, info, input, User, _renew)
        return RenewInvitationPayload(user=user, token=token, is_repetition=token is None)

    @strawberry.mutation(
        description="Withdraw an invitation: its token is good no longer.",
        permission_classes=[at_least(Role.ADMIN)],
        extensions=[audited(AuditKind.ADMINISTRATION)],
    )
    async def revoke_invitation(
        self, info: Info, input: RevokeInvitationInput
    ) -> RevokeInvitationResult | None:
        user = await once(info.context.repository, info, input, User, _revoke)
        return RevokeInvitationPayload(user=user)
