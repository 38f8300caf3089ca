"""Bugs that show nothing of another tenant's data, only that it is there."""

from collections import Counter
from typing import Any

from graphql_api.errors import ConflictError, ForbiddenError, NotFoundError, RateLimitedError
from graphql_api.features import projects
from graphql_api.features.invitations import inviting
from graphql_api.features.tasks import rules
from graphql_api.operations import Failure, Operations
from graphql_api.store.keys import Family
from graphql_api.store.repository import Repository
from tests.isolation.mutants.reach import Patch, is_of_a_tenant, looking_elsewhere

QUOTA = 30


def an_error_that_names_what_it_hides(patch: Patch) -> None:
    def refuse(entity: Any) -> Exception:
        words = next(
            (getattr(entity, name) for name in ("title", "name", "body") if hasattr(entity, name)), ""
        )
        return NotFoundError(f"{entity.noun} {words!r} of this tenant")

    _refuse_elsewhere(patch, refuse)


def forbidden_instead_of_not_found(patch: Patch) -> None:
    _refuse_elsewhere(patch, lambda entity: ForbiddenError(f"This {entity.noun} is another tenant's."))


def _refuse_elsewhere(patch: Patch, refusal: Any) -> None:
    elsewhere, get = looking_elsewhere(patch), Repository.get

    async def get_or_refuse(self: Any, cls: Any, uid: str) -> Any:
        try:
            return await get(self, cls, uid)
        except NotFoundError:
            _, entity = await elsewhere(self, cls, uid) if is_of_a_tenant(self) else (self, None)
            raise refusal(entity) if entity else NotFoundError(cls.noun) from None

    patch.setattr(Repository, "get", get_or_refuse)


def emails_unique_among_all(patch: Patch) -> None:
    _unique(patch, inviting, "_invite", lambda payload: payload.email)


def project_names_unique_among_all(patch: Patch) -> None:
    _unique(patch, projects, "_create", lambda payload: payload.name)


def _unique(patch: Patch, module: Any, effect: str, value_of: Any) -> None:
    holders: dict[str, Family] = {}
    original = getattr(module, effect)

    async def unless_taken(repository: Any, payload: Any, mark: Any) -> Any:
        if holders.setdefault(value_of(payload), repository.family) != repository.family:
            raise ConflictError("This is taken.")
        return await original(repository, payload, mark)

    patch.setattr(module, effect, unless_taken)


def positions_from_one_counter(patch: Patch) -> None:
    made = Counter[str]()

    def position(_: str) -> str:
        made["task"] += 1
        return f"{made['task']:016}g"

    patch.setattr(rules, "_last_position", position)


def one_quota_for_all(patch: Patch) -> None:
    served = Counter[str]()
    original = Operations.execute

    async def execute(self: Any, request: Any, context: Any, **rest: Any) -> Any:
        served["operations"] += 1
        if served["operations"] > QUOTA:
            return self._result(context, [Failure(RateLimitedError("Slow down."))])
        return await original(self, request, context, **rest)

    patch.setattr(Operations, "execute", execute)


MUTANTS = (
    an_error_that_names_what_it_hides,
    forbidden_instead_of_not_found,
    emails_unique_among_all,
    project_names_unique_among_all,
    positions_from_one_counter,
    one_quota_for_all,
)
