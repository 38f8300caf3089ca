"""Two tenants on one table, each with its own ids and time, and all that one could notice of the other."""

import dataclasses
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from copy import deepcopy
from typing import Any

import pytest
from aiobotocore.session import get_session
from botocore.model import OperationModel

from graphql_api.auth.identity import Role
from graphql_api.auth.membership import Memberships
from graphql_api.bootstrap import MembershipReader
from graphql_api.operations.documents import Document, Documents
from graphql_api.telemetry import JsonFormatter
from tests.asgi import Reply, call
from tests.iam.guard import PolicyGuard
from tests.isolation.documents import product
from tests.isolation.founding import Founding, Rows, found, furnish
from tests.isolation.party import Party
from tests.isolation.request import Request
from tests.isolation.sources import Sources
from tests.world import CALLER, Caller, World, open_world

# Knows the service's model, which takes longer to read than a run takes.
_SESSION = get_session()
_PREPARE, _PREPARED = Documents._prepared, dict[str, Document]()
_FOUNDINGS: dict[tuple[tuple[str, str], bool], Founding] = {}
MAX_BATCH = 25
READS = frozenset({"BatchGetItem", "Query"})

Plant = Callable[[pytest.MonkeyPatch], None]


class Log(logging.Handler):
    """Each line with the tenant during whose request it was written."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(JsonFormatter())
        self.lines: list[tuple[str | None, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append((CALLER.get(), self.format(record)))


class Stage:
    """An installation with two parties, on a table of its own; `close` it whatever happened.

    With `same_uids` both tenants' things have the same uids, as no id may be trusted to be unlike another's.
    """

    def __init__(self, endpoint: str, slugs: tuple[str, str], *, same_uids: bool) -> None:
        self.parties = (Party(slugs[0], 0), Party(slugs[1], 1))
        self.operator = Party("operator", 9, [Caller(None, Role.PLATFORM)])
        self.sources = Sources()
        self.log = Log()
        self._rows: Rows | None = None
        self._tokens: dict[Caller, dict[str, str]] = {}
        self._endpoint = endpoint
        self._same_uids = same_uids
        self._resources = AsyncExitStack()

    async def open(self, plant: Plant | None = None) -> None:
        """Both tenants as they were founded; `plant` changes the product for as long as the stage is open.

        The IAM guard, which would stop most of what is planted, is off then.
        """
        founding = await self._founding()
        await self._install(plant)
        self.parties = deepcopy(founding.parties)
        self.sources.made = Counter(founding.made)
        self.sources.salts = dict(founding.salts)
        puts: list[Any] = [{"PutRequest": {"Item": row}} for row in founding.rows.values()]
        for start in range(0, len(puts), MAX_BATCH):
            await self._client.batch_write_item(RequestItems={self.table: puts[start : start + MAX_BATCH]})
        self._rows = None

    async def close(self) -> None:
        await self._resources.aclose()

    def other(self, party: Party) -> Party:
        return self.parties[1 - party.number]

    async def send(self, caller: Caller, request: Request, request_id: str, *, seconds: int = 1) -> Reply:
        """The reply to a request that comes `seconds` of its tenant's time after the last."""
        self.sources.seconds[caller.tenant] += seconds
        return await self.post(caller, request.body, request.headers, request_id, path=request.path)

    async def post(
        self,
        caller: Caller,
        body: bytes,
        headers: Mapping[str, str],
        request_id: str,
        *,
        path: str = "/graphql",
    ) -> Reply:
        """The reply to any body."""
        mark = CALLER.set(caller.tenant)
        if caller not in self._tokens:
            self._tokens[caller] = caller.headers
        headers = {**self._tokens[caller], **headers, "x-request-id": request_id}
        try:
            return await call(self.world.app, "POST", path, headers, body)
        finally:
            CALLER.reset(mark)

    async def rows(self) -> Rows:
        """The whole table, by a client that is not the product's; read again once the product has written."""
        if self._rows is None:
            self._rows = await self._scanned()
        return self._rows

    async def _scanned(self) -> Rows:
        pages = self._client.get_paginator("scan").paginate(TableName=self.table, ConsistentRead=True)
        return {
            (item["pk"]["S"], item["sk"]["S"]): dict(item) async for page in pages for item in page["Items"]
        }

    async def _founding(self) -> Founding:
        key = (self.parties[0].slug, self.parties[1].slug), self._same_uids
        if key not in _FOUNDINGS:
            first = Stage(self._endpoint, key[0], same_uids=self._same_uids)
            try:
                _FOUNDINGS[key] = await first._found()
            finally:
                await first.close()
        return _FOUNDINGS[key]

    async def _found(self) -> Founding:
        await self._install(None)
        before = await self.rows()
        for party in self.parties:
            self.sources.salts[party.slug] = 0
            await found(self.world, self.sources, party)
        for party in self.parties:
            await furnish(self.world, self.sources, party, same_uids=self._same_uids)
        assert not self.world.guard.refused
        rows = {key: row for key, row in (await self.rows()).items() if key not in before}
        return Founding(rows, self.sources.made, self.sources.salts, self.parties)

    async def _install(self, plant: Plant | None) -> None:
        patch = self._resources.enter_context(pytest.MonkeyPatch.context())
        patch.setattr("graphql_api.bootstrap.build_schema", product)
        patch.setattr(Documents, "_prepared", _prepared_once)
        if plant is not None:
            patch.setattr(PolicyGuard, "watch", lambda *_: None)
            plant(patch)
        world = await open_world(self._endpoint, now=self.sources.now, make_uid=self.sources.uid)
        self._resources.push_async_callback(world.services.close)
        database = world.services.sources.database
        self.table = database.table_name
        memberships = Memberships(MembershipReader(database).read, clock=self.sources.passed)
        self.world = World(dataclasses.replace(world.services, memberships=memberships), world.guard)
        client = _SESSION.create_client("dynamodb", region_name="us-east-1", endpoint_url=self._endpoint)
        self._client = await self._resources.enter_async_context(client)
        database.client.meta.events.register("provide-client-params.dynamodb", self._on_call)
        self._listen()

    def _on_call(self, model: OperationModel, **_event: object) -> None:
        if model.name not in READS:
            self._rows = None

    def _listen(self) -> None:
        """To everything the product says, and to what others say from a warning up."""
        product = logging.getLogger("graphql_api")
        for logger in (product, logging.getLogger()):
            logger.addHandler(self.log)
            self._resources.callback(logger.removeHandler, self.log)
        self._resources.callback(product.setLevel, product.level)
        self._resources.callback(setattr, product, "propagate", product.propagate)
        product.setLevel(logging.DEBUG)
        product.propagate = False


def _prepared_once(documents: Documents, source: str) -> Document:
    """Validating all documents anew would take longer than the run they are for."""
    if source not in _PREPARED:
        _PREPARED[source] = _PREPARE(documents, source)
    return _PREPARED[source]
