"""The contract a feature fulfils: one entry in FEATURES, and the few words every mutation shares."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from graphql_api import inputs
from graphql_api.auth.secret_text import SecretText
from graphql_api.context import Info
from graphql_api.errors import ApiError
from graphql_api.metering.quota import give_back, require_room
from graphql_api.store.entity import Entity
from graphql_api.store.idempotency import AlreadyDoneError, Mark, mark
from graphql_api.store.repository import Repository

E = TypeVar("E", bound=Entity)


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """What one noun brings to the schema. `nodes` are its entities, which `node` can fetch by id."""

    nodes: tuple[type[Entity], ...] = ()
    query: type[Any] | None = None
    mutation: type[Any] | None = None
    subscription: type[Any] | None = None


class MutationInput(Protocol):
    """Every mutation takes one input object with at least this."""

    idempotency_key: str | None


P = TypeVar("P", bound=MutationInput)


async def once(
    repository: Repository,
    info: Info,
    payload: P,
    cls: type[E],
    effect: Callable[[Repository, P, Mark], Awaitable[E]],
    *,
    adds: int = 0,
) -> E:
    """The entity that a mutation leaves; the effect happens once for each idempotency key.

    A repetition within 24 hours answers with the same entity as it is now, deleted ones included. `adds`: 1
    where it is one more of those that the tenant's plan bounds, -1 where it is one less.
    Raises IdempotencyMismatchError for other input under the same key, QuotaExceededError.
    """
    begun = mark_of(repository, info, payload)
    try:
        await begun.require_new(repository.table)
        if adds > 0:
            await require_room(info.context, cls)
        try:
            entity = await effect(repository, payload, begun)
        except (ApiError, AlreadyDoneError):
            if adds > 0:
                give_back(info.context, cls)
            # What it ran into may be the effect of the same request, repeated at the same time.
            await begun.require_new(repository.table)
            raise
        if adds < 0:
            give_back(info.context, cls)
        return entity
    except AlreadyDoneError as done:
        entity = await repository.fresh().find(cls, done.uids[0])
        assert entity is not None, "an entity outlives the record of its making"
        return entity


async def told_once(
    repository: Repository,
    info: Info,
    payload: P,
    cls: type[E],
    effect: Callable[[Repository, P, Mark], Awaitable[tuple[E, SecretText]]],
    *,
    adds: int = 0,
) -> tuple[E, str | None]:
    """As `once`, for an effect that makes a secret: its text, and None to whoever repeats the mutation."""
    told: list[str] = []

    async def making(repository: Repository, payload: P, mark: Mark) -> E:
        entity, secret = await effect(repository, payload, mark)
        told.append(secret.text)
        return entity

    entity = await once(repository, info, payload, cls, making, adds=adds)
    return entity, next(iter(told), None)


def mark_of(repository: Repository, info: Info, payload: MutationInput) -> Mark:
    """The mark of this mutation: empty when the client gave no idempotency key."""
    key, stamp = inputs.idempotency_key(payload.idempotency_key), repository.stamp
    return mark(repository.family, stamp.actor.subject, info.field_name, key, payload, stamp.now())
