"""How many of everything a tenant may have, by its plan.

QuotaExceededError    QUOTA_EXCEEDED    the plan allows no more; `limit` says how many
"""

from graphql_api.auth.plan import Allowance
from graphql_api.context import RequestContext
from graphql_api.errors import QuotaExceededError
from graphql_api.store.entity import Entity


async def take_room(context: RequestContext, cls: type[Entity], wanted: int = 1) -> int:
    """How many of those wanted the tenant's plan has room for; they count from now on.

    A plan that seems used up is read again, so that a better one is good at once. No plan, no bound.
    """
    if context.caller.allowance is None:
        return wanted
    taken = await _take(context, cls, wanted)
    if taken < wanted and await context.renew():
        taken += await _take(context, cls, wanted - taken)
    return taken


async def require_room(context: RequestContext, cls: type[Entity]) -> None:
    """Count one more. Raises QuotaExceededError."""
    if not await take_room(context, cls):
        raise no_room(context, cls)


def no_room(context: RequestContext, cls: type[Entity]) -> QuotaExceededError:
    """What somebody is told whose tenant may have no more of a kind."""
    limit = _limit(context.caller.allowance, cls)
    return QuotaExceededError(f"Your plan allows {limit} of this: {cls.noun}.", limit)


def give_back(context: RequestContext, cls: type[Entity], number: int = 1) -> None:
    """What was taken and not made."""
    context.counts.give_back(context.repository.family, cls.kind, number)


async def _take(context: RequestContext, cls: type[Entity], wanted: int) -> int:
    limit = _limit(context.caller.allowance, cls)
    return await context.counts.take(context.change_log, cls.kind, wanted, limit)


def _limit(allowance: Allowance | None, cls: type[Entity]) -> int:
    assert allowance is not None, "who is bounded has a plan"
    assert cls.bounded_by is not None, "only what a plan bounds is counted"
    limit: int = getattr(allowance.limits, cls.bounded_by)
    return limit
