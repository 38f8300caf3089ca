"""The IAM guard stands between the product and its table: what the repository gets wrong, it stops."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from botocore.model import OperationModel

from graphql_api.auth.identity import Role
from graphql_api.store import entity, keys
from graphql_api.store.loader import ItemLoader
from graphql_api.store.table import Table
from tests.iam.guard import TenantSession
from tests.world import World, open_world

Patch = pytest.MonkeyPatch
TASKS = "{ tasks { edges { node { title } } } }"
CREATE = 'mutation { createProject(input: { name: "x" }) { __typename } }'


@pytest.fixture
async def opened(engine_endpoint: str) -> AsyncIterator[World]:
    """A world in which calls may be refused."""
    world = await open_world(engine_endpoint)
    yield world.as_("acme", Role.ADMIN)
    await world.services.close()


def a_family_of_another(patch: Patch) -> None:
    patch.setattr("graphql_api.context.tenant_family", lambda _: keys.tenant_family("globex"))


def a_foreign_key_among_its_own(patch: Patch) -> None:
    load = ItemLoader.load
    strange = keys.entity_key(keys.tenant_family("globex"), "USER", "globex-admin")

    def load_both(self: ItemLoader, key: keys.Key) -> Any:
        load(self, strange).add_done_callback(lambda read: read.exception())
        return load(self, key)

    patch.setattr(ItemLoader, "load", load_both)


def a_scan(patch: Patch) -> None:
    async def scan(self: Any, *_: object) -> Any:
        answer = await self._call(self._database.client.scan, TableName=self._database.table_name)
        return answer["Items"]

    patch.setattr(Table, "query", scan)


def a_list_of_another(patch: Patch) -> None:
    patch.setattr(
        "graphql_api.store.repository.partition",
        lambda _, *path: keys.partition(keys.tenant_family("globex"), *path),
    )


@pytest.mark.parametrize(
    ("bug", "query"),
    [
        (a_family_of_another, TASKS),
        (a_family_of_another, CREATE),
        (a_foreign_key_among_its_own, "{ viewer { name } }"),
        (a_list_of_another, TASKS),
        (a_scan, TASKS),
    ],
)
async def test_a_call_for_another_tenant_never_leaves(
    bug: Callable[[Patch], None], query: str, opened: World, monkeypatch: Patch
):
    await opened.data("{ viewer { id } }")
    bug(monkeypatch)
    answer = await opened.execute(query)
    assert "INTERNAL_SERVER_ERROR" in answer.codes
    assert opened.guard.refused
    assert {call.principal for call in opened.guard.refused} == {TenantSession("acme")}
    assert b"globex" not in answer.reply.body.lower()


async def test_an_index_key_of_another_tenant_is_never_written(opened: World, monkeypatch: Patch):
    monkeypatch.setattr(entity, "partition", lambda _, *path: keys.partition(keys.Family("T#globex"), *path))
    answer = await opened.execute(CREATE)
    assert answer.codes == ["INTERNAL_SERVER_ERROR"]
    assert [call.poisoning for call in opened.guard.refused] == [True]


async def test_every_call_of_the_product_is_decided(opened: World):
    sent: list[str] = []

    def count(model: OperationModel, **_event: object) -> None:
        sent.append(model.name)

    opened.services.sources.database.client.meta.events.register("before-call.dynamodb", count)
    opened.guard.forget_calls()
    await opened.data(CREATE)
    await opened.data(TASKS)
    assert sent
    assert [call.operation for call in opened.guard.calls] == sent
