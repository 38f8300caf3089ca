"""The contract a feature fulfils: one entry in FEATURES, and the few words every mutation shares."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from graphql_api import inputs
from graphql_api.context import Info
from graphql_api.errors import ApiError
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
) -> E:
    """The entity that a mutation leaves; the effect happens once for each idempotency key.

    A repetition within 24 hours answers with the same entity as it is now, deleted ones included.
    Raises IdempotencyMismatchError for other input under the same key.
    """
    begun = mark_of(repository, info, payload)
    try:
        await begun.require_new(repository.table)
        try:
            return await effect(repository, payload, begun)
        except ApiError:
            # What it ran into may be the effect of the same request, repeated at the same time.
            await begun.require_new(repository.table)
            raise
    except AlreadyDoneError as done:
        entity = await repository.fresh().find(cls, done.uids[0])
        assert entity is not None, "an entity outlives the record of its making"
        return entity


def mark_of(repository: Repository, info: Info, payload: MutationInput) -> Mark:
    """The mark of this mutation: empty when the client gave no idempotency key."""
    key, stamp = inputs.idempotency_key(payload.idempotency_key), repository.stamp
    return mark(repository.family, stamp.actor.subject, info.field_name, key, payload, stamp.now())
