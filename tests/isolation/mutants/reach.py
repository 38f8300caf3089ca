"""Bugs that lead a request into another tenant's data."""

import copy
import dataclasses
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from graphql_api.app.view import GraphQLView
from graphql_api.operations import Operations
from graphql_api.store.keys import PLATFORM, SEPARATOR, Family
from graphql_api.store.page import ListRange
from graphql_api.store.repository import Repository

Patch = pytest.MonkeyPatch
Elsewhere = Callable[[Any, Any, str], Awaitable[tuple[Any, Any]]]


def looking_elsewhere(patch: Patch) -> Elsewhere:
    """How to find what a repository has not: in the families of all others that were ever opened."""
    families: set[Family] = set()
    init, find = Repository.__init__, Repository.find

    def remember(self: Any, table: Any, family: Family, *rest: Any) -> None:
        families.add(family)
        init(self, table, family, *rest)

    async def elsewhere(repository: Any, cls: Any, uid: str) -> tuple[Any, Any]:
        for family in sorted(families - {repository.family, PLATFORM}):
            other = copy.copy(repository)
            other.family = family
            if entity := await find(other, cls, uid):
                return other, entity
        return repository, None

    patch.setattr(Repository, "__init__", remember)
    return elsewhere


def is_of_a_tenant(repository: Any) -> bool:
    return repository.family != PLATFORM


def tenant_from_a_header(patch: Patch) -> None:
    original = GraphQLView._execute

    async def execute(self: Any, request: Any, *rest: Any) -> Any:
        if (slug := request.headers.get("x-tenant-id")) and request.state.identity:
            request.state.identity = dataclasses.replace(request.state.identity, tenant=slug)
        return await original(self, request, *rest)

    patch.setattr(GraphQLView, "_execute", execute)


def tenant_from_a_variable(patch: Patch) -> None:
    original = Operations.execute

    async def execute(self: Any, request: Any, context: Any, **rest: Any) -> Any:
        if (slug := request.variables.get("tenant")) and context.identity and context.identity.tenant:
            context.identity = dataclasses.replace(context.identity, tenant=slug)
        return await original(self, request, context, **rest)

    patch.setattr(Operations, "execute", execute)


def lists_by_a_cut_prefix(patch: Patch) -> None:
    """In index keys a tenant's name has room for three characters: `a-b-c` is cut to `a-b`."""
    _partition_lists(patch, lambda family: family[: len("T#") + 3])


def lists_without_the_tenant(patch: Patch) -> None:
    _partition_lists(patch, lambda _: "T#all")


def _partition_lists(patch: Patch, cut: Callable[[Family], str]) -> None:
    def partition(family: Family, *path: str) -> str:
        return SEPARATOR.join((family if family == PLATFORM else cut(family), *path))

    for user in ("entity", "repository"):
        patch.setattr(f"graphql_api.store.{user}.partition", partition)


def read_by_id_alone(patch: Patch) -> None:
    elsewhere, find = looking_elsewhere(patch), Repository.find

    async def find_anywhere(self: Any, cls: Any, uid: str) -> Any:
        entity = await find(self, cls, uid)
        if entity is None and is_of_a_tenant(self) and self._loader._feeds is None:
            _, entity = await elsewhere(self, cls, uid)
        return entity

    patch.setattr(Repository, "find", find_anywhere)


def write_by_id_alone(patch: Patch) -> None:
    """What a mutation names is found, and changed, wherever it is; queries are as they should be."""
    elsewhere, find, change = looking_elsewhere(patch), Repository.find, Repository.change
    owners: dict[str, Any] = {}

    async def find_anywhere(self: Any, cls: Any, uid: str) -> Any:
        entity = await find(self, cls, uid)
        if entity is None and is_of_a_tenant(self) and self._loader._feeds is not None:
            owners[uid], entity = await elsewhere(self, cls, uid)
        return entity

    def change_there(self: Any, old: Any, *rest: Any, **options: Any) -> Any:
        return change(owners.get(old.uid, self), old, *rest, **options)

    patch.setattr(Repository, "find", find_anywhere)
    patch.setattr(Repository, "change", change_there)


def cursors_of_any_tenant(patch: Patch) -> None:
    original = ListRange.scope
    patch.setattr(ListRange, "scope", lambda self, _: original(self, "T#any"))


MUTANTS = (
    tenant_from_a_header,
    tenant_from_a_variable,
    lists_by_a_cut_prefix,
    lists_without_the_tenant,
    read_by_id_alone,
    write_by_id_alone,
    cursors_of_any_tenant,
)
