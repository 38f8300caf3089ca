"""Whoever holds the token of an invitation becomes a member; no other proof is asked for."""

import dataclasses
import hmac
from typing import Annotated

import strawberry

from graphql_api import inputs
from graphql_api.auth.permissions import NobodyKnown
from graphql_api.auth.secret_text import INVITATION, SecretText
from graphql_api.context import Info
from graphql_api.feature import told_once
from graphql_api.features.api_keys.api_key import FIRST_KEY_LASTS, issue
from graphql_api.features.invitations.invitation import InvalidInvitationError, Invitation, acceptance
from graphql_api.features.tenants import TenantRegistration, TenantStatus
from graphql_api.features.users import User, UserStatus
from graphql_api.metering.field_rates import FieldRate, Per
from graphql_api.results import Problem
from graphql_api.store.idempotency import Mark
from graphql_api.store.repository import Repository


@strawberry.input(description="An invitation to accept, by whoever holds its token.")
class AcceptInviteInput:
    token: str
    name: str | None = strawberry.field(default=None, description="Yours, if not as you were invited.")
    idempotency_key: str | None = None


@strawberry.type
class AcceptInvitePayload:
    user: User
    slug: str = strawberry.field(description="The tenant's, as tokens carry it.")
    subject: str = strawberry.field(description="What your tokens carry as `sub`.")
    secret: str | None = strawberry.field(
        description="An API key of yours for 24 hours. Told once: null where an earlier call is repeated."
    )
    is_repetition: bool = strawberry.field(description="Whether an earlier call has told the secret.")


AcceptInviteResult = Annotated[AcceptInvitePayload | Problem, strawberry.union("AcceptInviteResult")]


async def _accept(repository: Repository, payload: AcceptInviteInput, mark: Mark) -> tuple[User, SecretText]:
    invitation = await _invitation(repository, payload)
    now = repository.stamp.now()
    name = None if payload.name is None else inputs.line(payload.name, "name")

    def joined(user: User) -> User:
        until = user.invited_until if user.status is UserStatus.INVITED else None
        if invitation.deleted_at or until is None or until <= now:
            raise InvalidInvitationError
        return dataclasses.replace(
            user, name=name or user.name, status=UserStatus.ACTIVE, invited_until=None, has_joined=True
        )

    user = await repository.fresh().get(User, invitation.uid)
    _, secret, writes = issue(repository, user, "Invitation", user.role, now + FIRST_KEY_LASTS)
    ended = acceptance(repository, invitation)
    member = await repository.update(
        user, joined, expected_version=None, mark=mark, also=lambda _: [ended, *writes]
    )
    return member, secret


def _parsed(token: str) -> SecretText:
    parsed = SecretText.parse(INVITATION, token)
    if parsed is None:
        raise InvalidInvitationError
    return parsed


async def _invitation(repository: Repository, payload: AcceptInviteInput) -> Invitation:
    """The invitation that a token opens, or opened. Raises InvalidInvitationError."""
    token = _parsed(payload.token)
    invitation = await repository.fresh().find(Invitation, token.uid)
    if invitation is None or not hmac.compare_digest(invitation.digest, token.digest):
        raise InvalidInvitationError
    return invitation


@strawberry.type
class AcceptingMutation:
    @strawberry.mutation(
        description="Accept an invitation, without a token of any other kind. Whatever is wrong with it, the "
        "answer is the same.",
        permission_classes=[NobodyKnown],
        metadata={"rates": [FieldRate(Per.ADDRESS, burst=30, per_minute=10)]},
    )
    async def accept_invite(self, info: Info, input: AcceptInviteInput) -> AcceptInviteResult | None:
        token = _parsed(input.token)
        platform, repository = info.context.invited(token.tenant, token.uid)
        # Before anything else: not even that a mutation was made before is told to others.
        await _invitation(repository, input)
        registration = await platform.fresh().find(TenantRegistration, token.tenant)
        if registration is None or registration.status is not TenantStatus.ACTIVE:
            raise InvalidInvitationError
        user, secret = await told_once(repository, info, input, User, _accept)
        return AcceptInvitePayload(
            user=user, slug=token.tenant, subject=user.uid, secret=secret, is_repetition=secret is None
        )
