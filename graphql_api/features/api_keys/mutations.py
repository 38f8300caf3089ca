"""What is done with API keys. A secret is told once, in the answer to the mutation that makes it."""

import dataclasses
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

import strawberry

from graphql_api import inputs
from graphql_api.audit.acts import audited
from graphql_api.audit.entry import AuditKind
from graphql_api.auth.identity import Role
from graphql_api.auth.permissions import at_least
from graphql_api.auth.secret_text import SecretText
from graphql_api.context import Info
from graphql_api.errors import ConflictError, InvalidInputError, NotFoundError
from graphql_api.feature import once, told_once
from graphql_api.features.api_keys.api_key import (
    ALL_KEYS,
    ApiKey,
    KeySecret,
    issue,
    kept,
    keys_of,
    new_secret,
)
from graphql_api.features.users import User, still_admin, tenant_role
from graphql_api.metering.field_rates import FieldRate, Per
from graphql_api.relay import READS_A_LIST, Connection, connection, page_size, uid_of
from graphql_api.results import Problem
from graphql_api.store.idempotency import Mark
from graphql_api.store.repository import Repository, StaleError
from graphql_api.store.writes import Check

MAX_KEYS = 20  # of one user
MAX_DAYS = 366
MAX_OVERLAP = 1440  # minutes
MAKING_SECRETS = {"rates": [FieldRate(Per.USER, burst=60, per_minute=20)]}
TOLD_ONCE = "To send as a bearer token. Told once: null where an earlier call is repeated."


@strawberry.input(description="A new API key.")
class CreateApiKeyInput:
    name: str
    user_id: strawberry.ID | None = strawberry.field(default=None, description="Whose; yours by default.")
    role: Role | None = strawberry.field(
        default=None, description="The most it may do; by default its user's."
    )
    valid_days: int | None = strawberry.field(
        default=None, description=f"1 to {MAX_DAYS}; null for a key that is good until revoked."
    )
    idempotency_key: str | None = None


@strawberry.input(description="A new secret for an API key.")
class RotateApiKeyInput:
    id: strawberry.ID
    overlap_minutes: int = strawberry.field(
        default=60, description=f"How long the former secret stays good: 0 to {MAX_OVERLAP}."
    )
    expected_version: int | None = None
    idempotency_key: str | None = None


@strawberry.input(description="An API key to end.")
class RevokeApiKeyInput:
    id: strawberry.ID
    expected_version: int | None = None
    idempotency_key: str | None = None


@strawberry.type
class CreateApiKeyPayload:
    api_key: ApiKey
    secret: str | None = strawberry.field(description=TOLD_ONCE)
    is_repetition: bool = strawberry.field(description="Whether an earlier call has told the secret.")


@strawberry.type
class RotateApiKeyPayload:
    api_key: ApiKey
    secret: str | None = strawberry.field(description=TOLD_ONCE)
    is_repetition: bool = strawberry.field(description="Whether an earlier call has told the secret.")


@strawberry.type
class RevokeApiKeyPayload:
    api_key: ApiKey


CreateApiKeyResult = Annotated[CreateApiKeyPayload | Problem, strawberry.union("CreateApiKeyResult")]
RotateApiKeyResult = Annotated[RotateApiKeyPayload | Problem, strawberry.union("RotateApiKeyResult")]
RevokeApiKeyResult = Annotated[RevokeApiKeyPayload | Problem, strawberry.union("RevokeApiKeyResult")]


async def _create(
    repository: Repository, payload: CreateApiKeyInput, mark: Mark
) -> tuple[ApiKey, SecretText]:
    name, days = inputs.line(payload.name, "name"), payload.valid_days
    if days is not None and not 1 <= days <= MAX_DAYS:
        raise InvalidInputError(f"validDays is from 1 to {MAX_DAYS}.", "validDays")
    uid = uid_of(User, payload.user_id) if payload.user_id else repository.stamp.actor.subject
    owner = await repository.fresh().get(User, uid)
    role = tenant_role(payload.role or owner.role)
    held = await repository.page(ApiKey, keys_of(uid), MAX_KEYS, None)
    if len(held.items) >= MAX_KEYS:
        raise ConflictError(f"A user has {MAX_KEYS} API keys at most; revoke one first.")
    until = None if days is None else repository.stamp.now() + timedelta(days=days)
    key, secret, writes = issue(repository, owner, name, role, until)
    await repository.commit(*writes, still_admin(repository), leaves=[key], mark=mark)
    return key, secret


async def _rotate(
    repository: Repository, payload: RotateApiKeyInput, mark: Mark
) -> tuple[ApiKey, SecretText]:
    overlap, now = payload.overlap_minutes, repository.stamp.now()
    if not 0 <= overlap <= MAX_OVERLAP:
        raise InvalidInputError(f"overlapMinutes is from 0 to {MAX_OVERLAP}.", "overlapMinutes")
    key, authority = await _within_reach(repository, payload)
    if payload.expected_version not in (None, key.version):
        raise StaleError(key)
    if key.valid_until is not None and key.valid_until <= now:
        raise ConflictError("This API key has expired; create another.")
    stored = await repository.fresh().get(KeySecret, key.uid)
    secret = new_secret(repository, key)
    renewed = dataclasses.replace(
        stored,
        digest=secret.digest,
        former_digest=stored.digest if overlap else None,
        former_until=now + timedelta(minutes=overlap) if overlap else None,
    )
    rotated = repository.stamped(key, rotated_at=now)
    writes = (repository.change(key, rotated), kept(repository, renewed), *authority)
    await repository.commit(*writes, leaves=[rotated], mark=mark)
    return rotated, secret


async def _revoke(repository: Repository, payload: RevokeApiKeyInput, mark: Mark) -> ApiKey:
    key, authority = await _within_reach(repository, payload)
    stored, now = await repository.fresh().get(KeySecret, key.uid), repository.stamp.now()
    ended = kept(repository, dataclasses.replace(stored, digest="", former_digest=None, deleted_at=now))
    return await repository.update(
        key,
        lambda one: dataclasses.replace(one, deleted_at=now),
        expected_version=payload.expected_version,
        mark=mark,
        also=lambda _: [ended, *authority],
    )


async def _within_reach(
    repository: Repository, payload: RotateApiKeyInput | RevokeApiKeyInput
) -> tuple[ApiKey, Sequence[Check]]:
    """The key, and what must hold when it is changed: an administrator's is any, others' their own."""
    key = await repository.fresh().get(ApiKey, uid_of(ApiKey, payload.id))
    actor = repository.stamp.actor
    if actor.role.covers(Role.ADMIN):
        return key, [still_admin(repository)]
    # With a lesser key nobody comes by a greater one, nor ends it.
    if key.user_uid != actor.subject or not actor.role.covers(key.role):
        raise NotFoundError(ApiKey.noun)
    return key, []


@strawberry.type
class ApiKeyQuery:
    @strawberry.field(
        description="The tenant's API keys, the oldest first, for administrators; for others their own.",
        permission_classes=[at_least(Role.VIEWER)],
        metadata=READS_A_LIST,
    )
    async def api_keys(
        self, info: Info, first: int | None = 20, after: str | None = None
    ) -> Connection[ApiKey]:
        caller = info.context.caller
        wanted = ALL_KEYS if caller.role.covers(Role.ADMIN) else keys_of(caller.subject)
        page = await info.context.repository.page(ApiKey, wanted, page_size(first), after)
        return connection(page, after)


@strawberry.type
class ApiKeyMutation:
    @strawberry.mutation(
        description="Give a person or a machine user an API key.",
        permission_classes=[at_least(Role.ADMIN)],
        metadata=MAKING_SECRETS,
        extensions=[audited(AuditKind.ADMINISTRATION)],
    )
    async def create_api_key(self, info: Info, input: CreateApiKeyInput) -> CreateApiKeyResult | None:
        key, secret = await told_once(info.context.repository, info, input, ApiKey, _create)
        return CreateApiKeyPayload(api_key=key, secret=secret, is_repetition=secret is None)

    @strawberry.mutation(
        description="Give an API key a new secret, good at once; your own, or as an administrator anybody's.",
        permission_classes=[at_least(Role.VIEWER)],
        metadata=MAKING_SECRETS,
        extensions=[audited(AuditKind.ADMINISTRATION)],
    )
    async def rotate_api_key(self, info: Info, input: RotateApiKeyInput) -> RotateApiKeyResult | None:
        key, secret = await told_once(info.context.repository, info, input, ApiKey, _rotate)
        return RotateApiKeyPayload(api_key=key, secret=secret, is_repetition=secret is None)

    @strawberry.mutation(
        description="End an API key; takes effect within a minute. Yours, or as an administrator anybody's.",
        permission_classes=[at_least(Role.VIEWER)],
        extensions=[audited(AuditKind.ADMINISTRATION)],
    )
    async def revoke_api_key(self, info: Info, input: RevokeApiKeyInput) -> RevokeApiKeyResult | None:
        key = await once(info.context.repository, info, input, ApiKey, _revoke)
        return RevokeApiKeyPayload(api_key=key)
