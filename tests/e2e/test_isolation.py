"""One tenant's session against another's items: the repository's refusal, and that of IAM without it."""

import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiobotocore.session import get_session
from botocore.exceptions import ClientError

from graphql_api.deadline import Deadline
from graphql_api.settings import Profile, Settings
from graphql_api.store import client
from graphql_api.store.client import Database
from graphql_api.store.codec import Item
from graphql_api.store.keys import CONNECTIONS, FIRST, LAST, PLATFORM, Family, Key, partition, tenant_family
from graphql_api.store.schema import Index, LogIndex
from graphql_api.store.table import Table
from graphql_api.store.writes import ANYTHING, Check, Delete, Put, Update
from tests.e2e.issuer import AUDIENCE, ISSUER
from tests.e2e.system import Member, System

OWN = tenant_family("acme")
# Another tenant; one whose name begins like ours; one that a wildcard would reach; what is nobody's tenant.
FOREIGN = [tenant_family("globex"), tenant_family("acme2"), Family("T#*"), PLATFORM, CONNECTIONS]
NOTE: Item = {"note": {"S": "written"}}
PROJECT = "query ($id: ID!) { project(id: $id) { name } node(id: $id) { id } }"
CREATE_TASK = """mutation ($input: CreateTaskInput!) { createTask(input: $input) {
  __typename ... on NotFoundError { code } } }"""
UPDATE_PROJECT = """mutation ($input: UpdateProjectInput!) { updateProject(input: $input) {
  __typename ... on NotFoundError { code } } }"""


def _unexpected(standing: Item | None) -> Exception:
    return AssertionError(standing)


def _key(family: Family) -> Key:
    return Key(partition(family, "NOTE", "1"), "NOTE")


class Tables:
    """Both tables as acme's session may use them, with a method for each kind of call."""

    def __init__(self, database: Database) -> None:
        self._data = Table(database, OWN, Deadline.after(10))
        self._control = Table(database, OWN, Deadline.after(10), database.control_table_name)

    async def put(self, family: Family) -> None:
        await self._data.commit([Put(_key(family), NOTE, _unexpected, ANYTHING)])

    async def update(self, family: Family) -> None:
        await self._data.commit([Update(_key(family), NOTE, frozenset(), ANYTHING, _unexpected)])

    async def delete(self, family: Family, kind: str = "TOPIC") -> None:
        key = Key(partition(family, kind, "1"), "1")
        await self._control.commit([Delete(key, ANYTHING, _unexpected)])

    async def batch_get(self, family: Family) -> None:
        await self._data.batch_get([_key(family)])

    async def batch_get_beside_own(self, family: Family) -> None:
        await self._data.batch_get([Key(partition(OWN, "NOTE", "2"), "NOTE"), _key(family)])

    async def transact_write_beside_own(self, family: Family) -> None:
        own = Put(Key(partition(OWN, "NOTE", "2"), "NOTE"), NOTE, _unexpected, ANYTHING)
        await self._data.commit([own, Put(_key(family), NOTE, _unexpected, ANYTHING)])

    async def condition_check_beside_own(self, family: Family) -> None:
        own = Put(Key(partition(OWN, "NOTE", "2"), "NOTE"), NOTE, _unexpected, ANYTHING)
        await self._data.commit([own, Check(_key(family), ANYTHING, _unexpected)])

    async def index_query(self, family: Family) -> None:
        await self._data.query(Index.LISTING, partition(family, "TENANTS"), FIRST, LAST, 10)

    async def log_query(self, family: Family) -> None:
        await self._control.read(partition(family, "LOG", "SEGMENTS"), FIRST, LAST, 10)

    async def timeline_query(self, family: Family) -> None:
        await self._control.query(LogIndex.TIMELINE, partition(family, "LOG", "TIMELINE"), FIRST, LAST, 10)


CALLS: list[Callable[[Tables, Family], Awaitable[None]]] = [
    Tables.put,
    Tables.update,
    Tables.delete,
    Tables.batch_get,
    Tables.batch_get_beside_own,
    Tables.transact_write_beside_own,
    Tables.condition_check_beside_own,
    Tables.index_query,
    Tables.log_query,
    Tables.timeline_query,
]


@pytest.fixture(scope="module")
async def tables(system: System) -> AsyncIterator[Tables]:
    """The product's own clients and credentials, in a process that has the HTTP function's role."""
    own = system.account.session_of(system.outputs["HttpFunctionRoleArn"])
    settings = Settings(
        profile=Profile.DEVELOPMENT,
        table_name=system.outputs["TableName"],
        control_table_name=system.outputs["ControlTableName"],
        issuer=ISSUER,
        audience=AUDIENCE,
        jwks_url=system.issuer.jwks_url,
        cursor_secret_arn=system.outputs["CursorSecretArn"],
        tenant_role_arn=system.outputs["TenantRoleArn"],
        platform_role_arn=system.outputs["PlatformRoleArn"],
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "_SESSION", get_session())
        patch.setenv("AWS_ENDPOINT_URL", system.account.endpoint)
        for name, value in own.items():
            patch.setenv(name.upper(), value)
        database = await Database(settings).open()
        try:
            yield Tables(database)
        finally:
            await database.close()


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.__name__)
async def test_a_tenants_session_reaches_its_own_items(call: Any, tables: Tables):
    await call(tables, OWN)


@pytest.mark.parametrize("family", FOREIGN)
@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.__name__)
async def test_a_tenants_session_reaches_no_other_items(call: Any, family: Family, tables: Tables):
    with pytest.raises(ClientError, match="AccessDenied"):
        await call(tables, family)


async def test_a_tenants_session_takes_nothing_away_from_its_own_log(tables: Tables):
    with pytest.raises(ClientError, match="AccessDenied"):
        await tables.delete(OWN, "LOG")


def test_an_id_of_another_tenant_is_an_id_of_nothing(system: System, acme: Member, globex: Member):
    kind = base64.b64decode(globex.project).decode().partition(":")[0]
    nothing = base64.b64encode(f"{kind}:01k7tb9rg5fpnatm2po5todjt0".encode()).decode()
    answers = [system.call(PROJECT, acme.token, id=each) for each in (globex.project, nothing)]
    assert [answer.payload["data"] for answer in answers] == [{"project": None, "node": None}] * 2
    assert answers[0].codes == answers[1].codes


def test_a_mutation_of_another_tenants_things_finds_nothing(system: System, acme: Member, globex: Member):
    inside = system.data(CREATE_TASK, acme.token, input={"projectId": globex.project, "title": "intrusion"})
    renamed = system.data(UPDATE_PROJECT, acme.token, input={"id": globex.project, "name": "taken"})
    assert inside == renamed == {"__typename": "NotFoundError", "code": "NOT_FOUND"}
