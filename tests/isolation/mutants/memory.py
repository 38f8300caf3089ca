"""Bugs that keep something of one request where the next one finds it."""

import dataclasses
import logging
from typing import Any

import orjson

from graphql_api import feature
from graphql_api.app.view import GraphQLView
from graphql_api.auth.membership import Memberships
from graphql_api.context import RequestContext
from graphql_api.operations import Operations
from graphql_api.store import idempotency
from graphql_api.store.keys import PLATFORM, Family, Key
from graphql_api.store.repository import Repository
from graphql_api.store.table import Table
from tests.isolation.mutants.reach import Patch


def tenant_kept_for_the_process(patch: Patch) -> None:
    """Whose data is meant is noted when a request comes in, for all that are under way."""
    latest: dict[str, Family] = {}
    original = RequestContext._repository

    def repository(self: Any, family: Family, *actor: Any) -> Any:
        opened: Any = original(self, family, *actor)
        opened.__class__ = _RepositoryOfTheLatest
        opened.families = latest
        latest[family[:1]] = family
        return opened

    patch.setattr(RequestContext, "_repository", repository)


class _RepositoryOfTheLatest(Repository):
    families: dict[str, Family]

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        return self.families[found[:1]] if name == "family" else found


def items_kept_for_the_process(patch: Patch) -> None:
    """Reads that may lag are answered from a memory whose key is kind and uid."""
    items: dict[str, Any] = {}
    original = Table.batch_get

    async def batch_get(self: Any, keys: Any, *, consistent: bool = False) -> Any:
        known: dict[Key, str] = {key: key.partition.split("#", 2)[-1] for key in keys}
        if not consistent and all(known[key] in items for key in keys):
            return {key: items[known[key]] for key in keys}
        found = await original(self, keys, consistent=consistent)
        items.update({known[key]: item for key, item in found.items()})
        return found

    patch.setattr(Table, "batch_get", batch_get)


def answers_kept_by_their_question(patch: Patch) -> None:
    answers: dict[bytes, Any] = {}
    original = Operations.execute

    async def execute(self: Any, request: Any, context: Any, **rest: Any) -> Any:
        key = orjson.dumps([request.query, request.variables], option=orjson.OPT_SORT_KEYS)
        if key not in answers or request.query.startswith("mutation"):
            answers[key] = await original(self, request, context, **rest)
        return answers[key]

    patch.setattr(Operations, "execute", execute)


def answers_kept_by_request_id(patch: Patch) -> None:
    """A mutation that comes again under its request id is not executed again."""
    answers: dict[str, Any] = {}
    original = GraphQLView._execute

    async def execute(self: Any, request: Any, operation: Any, *rest: Any) -> Any:
        request_id = request.state.request_id
        if request_id not in answers or operation.query.startswith("query"):
            answers[request_id] = await original(self, request, operation, *rest)
        return answers[request_id]

    patch.setattr(GraphQLView, "_execute", execute)


def answers_kept_by_their_url(patch: Patch) -> None:
    """What comes by GET is cached as if it were everybody's."""
    answers: dict[str, Any] = {}
    original = GraphQLView._respond

    async def respond(self: Any, request: Any) -> Any:
        if request.method != "GET":
            return await original(self, request)
        if str(request.url) not in answers:
            answers[str(request.url)] = await original(self, request)
        return answers[str(request.url)]

    patch.setattr(GraphQLView, "_respond", respond)


def memberships_kept_by_subject(patch: Patch) -> None:
    original = Memberships._membership

    async def membership(self: Any, tenant: str, subject: str, ttl: float) -> Any:
        known = next((kept for (_, uid), kept in self._records.items() if uid == subject), None)
        if known is not None and 0 <= self._clock() - known[0] < ttl:
            return known[1]
        return await original(self, tenant, subject, ttl)

    patch.setattr(Memberships, "_membership", membership)


def variables_kept_with_the_document(patch: Patch) -> None:
    """What a request leaves out is what the last one with the same document said."""
    said: dict[str, dict[str, Any]] = {}
    original = Operations.execute

    async def execute(self: Any, request: Any, context: Any, **rest: Any) -> Any:
        variables = _filled(said.get(request.query, {}), request.variables)
        said[request.query] = variables
        return await original(self, dataclasses.replace(request, variables=variables), context, **rest)

    patch.setattr(Operations, "execute", execute)


def _filled(before: Any, now: Any) -> Any:
    if isinstance(before, dict) and isinstance(now, dict):
        return before | {name: _filled(before.get(name), value) for name, value in now.items()}
    return now


def idempotency_without_the_tenant(patch: Patch) -> None:
    def mark(family: Family, *rest: Any) -> Any:
        return idempotency.mark(family if family == PLATFORM else Family("T#all"), *rest)

    patch.setattr(feature, "mark", mark)


def idempotency_without_the_user(patch: Patch) -> None:
    def mark(family: Family, _actor: str, *rest: Any) -> Any:
        return idempotency.mark(family, "anybody", *rest)

    patch.setattr(feature, "mark", mark)


def a_log_line_of_the_last_request(patch: Patch) -> None:
    last: list[Any] = [None]
    original = Operations.execute

    async def execute(self: Any, request: Any, context: Any, **rest: Any) -> Any:
        logging.getLogger("graphql_api.operations").debug("Served.", extra={"previous": str(last[0])})
        last[0] = request.variables
        return await original(self, request, context, **rest)

    patch.setattr(Operations, "execute", execute)


MUTANTS = (
    tenant_kept_for_the_process,
    items_kept_for_the_process,
    answers_kept_by_their_question,
    answers_kept_by_request_id,
    answers_kept_by_their_url,
    memberships_kept_by_subject,
    variables_kept_with_the_document,
    idempotency_without_the_tenant,
    idempotency_without_the_user,
    a_log_line_of_the_last_request,
)
