"""Two tenants on one table, each with its own ids and time, and all that one could notice of the other."""

import dataclasses
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from copy import deepcopy
from ipaddress import IPv4Address
from typing import Any
from zlib import crc32

import pytest
from aiobotocore.session import get_session
from botocore.model import OperationModel

from graphql_api.auth.identity import Role
from graphql_api.auth.membership import Memberships
from graphql_api.auth.tokens import Claims, TokenVerifier
from graphql_api.handlers.events import WebSocketHandler
from graphql_api.operations.documents import Document, Documents
from graphql_api.readers import MembershipReader
from graphql_api.realtime.ingest import Ingest
from graphql_api.realtime.services import MEMBERSHIP_SECONDS
from graphql_api.realtime.subscriptions import Groups
from graphql_api.telemetry import JsonFormatter
from tests.asgi import Reply, call
from tests.iam.guard import PolicyGuard
from tests.isolation.documents import product
from tests.isolation.founding import Founding, Rows, found, furnish
from tests.isolation.party import IsolationError, Party
from tests.isolation.request import Request
from tests.isolation.sockets import Gateway, Sockets
from tests.isolation.sources import EPOCH, Sources
from tests.isolation.stream import Stream, owner_of_record
from tests.realtime.stage import StreamFunction, SweepFunction
from tests.world import CALLER, Caller, World, open_world

# Knows the service's model, which takes longer to read than a run takes.
_SESSION = get_session()
_PREPARE, _PREPARED = Documents._prepared, dict[str, Document]()
_LOG_AND_PUSH = Ingest._tenant
_FOUNDINGS: dict[tuple[tuple[str, str], bool], Founding] = {}
MAX_BATCH = 25
READS = frozenset({"BatchGetItem", "Query"})
# A token lasts for as long as any run, whose time is not the issuer's.
EXPIRY = int(EPOCH.timestamp()) + 30 * 24 * 3600

Plant = Callable[[pytest.MonkeyPatch], None]


class Log(logging.Handler):
    """Each line with the tenant during whose request it was written."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(JsonFormatter())
        self.lines: list[tuple[str | None, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append((CALLER.get(), self.format(record)))


class LastingTokens(TokenVerifier):
    """Their times are the issuer's and looked at by its clock; their end is in the tenant's time."""

    def __init__(self, verifier: TokenVerifier) -> None:
        self._verifier = verifier

    async def verify(self, token: str) -> Claims:
        return dataclasses.replace(await self._verifier.verify(token), expires_at=EXPIRY)


class Stage:
    """An installation with two parties, on tables of its own; `close` it whatever happened.

    With `same_uids` both tenants' things have the same uids, as no id may be trusted to be unlike another's.
    """

    def __init__(self, endpoint: str, slugs: tuple[str, str], *, same_uids: bool) -> None:
        self.parties = (Party(slugs[0], 0), Party(slugs[1], 1))
        self.operator = Party("operator", 9, [Caller(None, Role.PLATFORM)])
        self.sources = Sources()
        self.log = Log()
        self._rows: dict[str, Rows] = {}
        self._unread = False
        self._tokens: dict[Caller, dict[str, str]] = {}
        self._endpoint = endpoint
        self.same_uids = same_uids
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
        await self._put(self.table, founding.rows)
        await self._put(self.control_table, founding.control_rows)
        self._stream.numbers = Counter(founding.recorded)
        await self._stream.open(self.table)
        self._rows, self._unread = {}, False

    async def close(self) -> None:
        await self._resources.aclose()

    def other(self, party: Party) -> Party:
        return self.parties[1 - party.number]

    async def send(self, caller: Caller, request: Request, request_id: str, *, seconds: int = 1) -> Reply:
        """The reply to a request that comes `seconds` of its tenant's time after the last."""
        self.sources.seconds[caller.tenant] += seconds
        if request.method == "SOCKET":
            return await self.sockets.ask(caller, self._headers(caller), request, request_id)
        sent = request.body, request.headers, request_id
        return await self.deliver(caller, *sent, method=request.method, path=request.path)

    async def deliver(
        self,
        caller: Caller,
        body: bytes,
        headers: Mapping[str, str],
        request_id: str,
        *,
        method: str = "POST",
        path: str = "/graphql",
    ) -> Reply:
        """The reply to any body or URL."""
        mark = CALLER.set(caller.tenant)
        headers = {**self._headers(caller), **headers, "x-request-id": request_id}
        try:
            return await call(self.world.app, method, path, headers, body, address=_address(request_id))
        finally:
            CALLER.reset(mark)

    async def pump(self) -> set[str]:
        """Hand on what the stream holds, both tenants' records in one batch; the slugs of whose they were."""
        if not self._unread:
            return set()
        self._unread = False
        records = await self._stream.records()
        answer = await self._ingest.handle({"Records": records})
        if answer["batchItemFailures"]:
            raise IsolationError(f"a batch is not done with: {answer}")
        return {owner_of_record(record) for record in records}

    async def sweep(self) -> int:
        """Have the sockets closed whose end has come by the platform's clock; how many that were."""
        return await self._sweeper.handle()

    async def rows(self) -> Rows:
        """The whole table, by a client that is not the product's; read again once the product has written."""
        return await self._read(self.table)

    async def control_rows(self) -> Rows:
        """The whole control table, in the same way."""
        return await self._read(self.control_table)

    async def _read(self, table: str) -> Rows:
        if table not in self._rows:
            self._rows[table] = await self._scanned(table)
        return self._rows[table]

    async def _scanned(self, table: str) -> Rows:
        pages = self._client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
        return {
            (item["pk"]["S"], item["sk"]["S"]): dict(item) async for page in pages for item in page["Items"]
        }

    async def _put(self, table: str, rows: Rows) -> None:
        puts: list[Any] = [{"PutRequest": {"Item": row}} for row in rows.values()]
        for start in range(0, len(puts), MAX_BATCH):
            await self._client.batch_write_item(RequestItems={table: puts[start : start + MAX_BATCH]})

    def _headers(self, caller: Caller) -> dict[str, str]:
        if caller not in self._tokens:
            self._tokens[caller] = caller.headers
        return self._tokens[caller]

    async def _founding(self) -> Founding:
        key = (self.parties[0].slug, self.parties[1].slug), self.same_uids
        if key not in _FOUNDINGS:
            first = Stage(self._endpoint, key[0], same_uids=self.same_uids)
            try:
                _FOUNDINGS[key] = await first._found()
            finally:
                await first.close()
        return _FOUNDINGS[key]

    async def _found(self) -> Founding:
        await self._install(None)
        before = await self.rows()
        await self._stream.open(self.table)
        for party in self.parties:
            self.sources.salts[party.slug] = 0
            await found(self.world, self.sources, party)
        for party in self.parties:
            await furnish(self.world, self.sources, party, same_uids=self.same_uids)
        await self.pump()
        assert not self.world.guard.refused
        rows = {key: row for key, row in (await self.rows()).items() if key not in before}
        given = self._stream.numbers, self.sources.made, self.sources.salts
        return Founding(rows, await self.control_rows(), *given, self.parties)

    async def _install(self, plant: Plant | None) -> None:
        patch = self._resources.enter_context(pytest.MonkeyPatch.context())
        patch.setattr("graphql_api.bootstrap.build_schema", product)
        patch.setattr(Documents, "_prepared", _prepared_once)
        patch.setattr(Ingest, "_tenant", _logged_in_its_time)
        patch.setattr("graphql_api.auth.secret_text.random_value", self.sources.secret)
        patch.setattr("graphql_api.features.webhooks.change.new_secret", self.sources.secret)
        if plant is not None:
            patch.setattr(PolicyGuard, "watch", lambda *_: None)
            plant(patch)
        world = await open_world(
            self._endpoint,
            now=self.sources.now,
            make_uid=self.sources.uid,
        )
        self._resources.push_async_callback(world.services.close)
        database, read = (
            world.services.sources.database,
            MembershipReader(world.services.sources.database).read,
        )
        self.table, self.control_table = database.table_name, database.control_table_name
        gateway = Gateway()
        services = dataclasses.replace(
            world.services,
            memberships=Memberships(read, clock=self.sources.passed),
            listeners=Memberships(read, MEMBERSHIP_SECONDS, clock=self.sources.passed),
            verifier=LastingTokens(world.services.verifier),
            gateway=gateway,
        )
        self.world = World(services, world.guard)
        self.sockets = Sockets(WebSocketHandler(services), gateway)
        # A process for sockets and one for the stream, as on Lambda: neither knows what the other remembers.
        listeners = Memberships(read, MEMBERSHIP_SECONDS, clock=self.sources.passed)
        elsewhere = dataclasses.replace(services, groups=Groups(), listeners=listeners)
        self._ingest, self._sweeper = StreamFunction(elsewhere), SweepFunction(elsewhere)
        self._client = await self._resources.enter_async_context(self._new_client("dynamodb"))
        streams = await self._resources.enter_async_context(self._new_client("dynamodbstreams"))
        self._stream = Stream(streams, self.sources)
        database.client.meta.events.register("provide-client-params.dynamodb", self._on_call)
        self._listen()

    def _new_client(self, service: Any) -> Any:
        return _SESSION.create_client(service, region_name="us-east-1", endpoint_url=self._endpoint)

    def _on_call(self, params: Mapping[str, Any], model: OperationModel, **_event: object) -> None:
        if model.name not in READS:
            table = written_table(params)
            self._rows.pop(table, None)
            self._unread |= table == self.table

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


def written_table(params: Mapping[str, Any]) -> str:
    """Of a write; a transaction of the product is of one table."""
    if "TransactItems" in params:
        (params,) = params["TransactItems"][0].values()
    return params["TableName"]


async def _logged_in_its_time(ingest: Ingest, tenant: str, placed: Sequence[Any]) -> int | None:
    """A batch is of many tenants, and each one's part is handled at its own time."""
    mark = CALLER.set(tenant)
    try:
        return await _LOG_AND_PUSH(ingest, tenant, placed)
    finally:
        CALLER.reset(mark)


def _prepared_once(documents: Documents, source: str) -> Document:
    """Validating all documents anew would take longer than the run they are for."""
    if source not in _PREPARED:
        _PREPARED[source] = _PREPARE(documents, source)
    return _PREPARED[source]


def _address(request_id: str) -> str:
    """One for each request, the same whatever goes on beside it."""
    return str(IPv4Address(0x0A000000 + crc32(request_id.encode()) % 2**24))
