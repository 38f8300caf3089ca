"""A world whose sockets end in lists and whose stream is read by hand: real time without servers."""

import asyncio
import dataclasses
import itertools
import json
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import aiobotocore.session

from graphql_api.auth.identity import Role
from graphql_api.deadline import Deadline
from graphql_api.handlers.events import (
    MAX_SECONDS,
    Event,
    JobsHandler,
    Response,
    StreamHandler,
    SweepHandler,
    WebSocketHandler,
)
from graphql_api.realtime.gateway import GoneError, UndeliverableError
from graphql_api.settings import Profile
from tests.iam.guard import REGISTRY_READER_ROLE, ROUNDS_ROLE, Principal
from tests.world import AUDIENCE, ISSUER, KEYS, REGISTRY, TENANT_POLICY, World, open_world, token, user_uid

SUBPROTOCOL = "graphql-transport-ws"
# What stays whoever has gone: both logs, the budget, what groups ask, and how far the sweep has come.
_STAYS = ("#AUDIT", "#BUDGET", "#LOG", "#HISTORY#", "#GROUP#")


class Clock:
    """The time of day, put forward by a test."""

    def __init__(self) -> None:
        self._ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def forward(self, **by: float) -> None:
        self._ahead += timedelta(**by)


@dataclass
class Sink:
    """A gateway that keeps what each connection was sent.

    `fails` says with which error a connection's posts fail, `cannot_close` whose disconnecting does; without
    time both fail as well. `on_post` happens before each post, and `yields` lets others run there, as a
    network does.
    """

    open_ids: set[str] = field(default_factory=set[str])
    frames: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    fails: dict[str, Exception] = field(default_factory=dict[str, Exception])
    cannot_close: dict[str, Exception] = field(default_factory=dict[str, Exception])
    on_post: Callable[[str], Awaitable[None]] | None = None
    yields: bool = False
    raw: dict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))

    async def open(self) -> None:
        return

    async def close(self) -> None:
        return

    async def post(self, connection_id: str, data: bytes, deadline: Deadline) -> None:
        _require_time(deadline)
        if self.yields:
            await asyncio.sleep(0)
        if self.on_post is not None:
            await self.on_post(connection_id)
        if connection_id in self.fails:
            raise self.fails[connection_id]
        if connection_id not in self.open_ids:
            raise GoneError
        self.frames[connection_id].append(json.loads(data))
        self.raw[connection_id].append(data)

    async def disconnect(self, connection_id: str, deadline: Deadline) -> None:
        _require_time(deadline)
        if connection_id in self.cannot_close:
            raise self.cannot_close[connection_id]
        self.open_ids.discard(connection_id)


def _require_time(deadline: Deadline) -> None:
    if deadline.remaining() <= 0:
        raise UndeliverableError


class Client:
    """One client's socket, as API Gateway would report it."""

    def __init__(self, stage: "Stage", connection_id: str) -> None:
        self._stage = stage
        self.id = connection_id

    @property
    def frames(self) -> list[dict[str, Any]]:
        return self._stage.sink.frames[self.id]

    @property
    def is_open(self) -> bool:
        return self.id in self._stage.sink.open_ids

    def taken(self) -> list[dict[str, Any]]:
        """The frames that came since the last look."""
        frames, self._stage.sink.frames[self.id] = self.frames, []
        return frames

    async def connect(self, **headers: str) -> dict[str, Any]:
        response = await self._event("CONNECT", headers={"Sec-WebSocket-Protocol": SUBPROTOCOL, **headers})
        if response["statusCode"] == 200:
            self._stage.sink.open_ids.add(self.id)
        return response

    async def send(self, message: Any) -> None:
        await self.send_text(json.dumps(message))

    async def send_text(self, text: str) -> None:
        response = await self._event("MESSAGE", body=text, isBase64Encoded=False)
        assert response["statusCode"] == 200

    async def init(self, bearer: str | None = None) -> None:
        """`connection_init`, with that token."""
        payload = {} if bearer is None else {"authorization": f"Bearer {bearer}"}
        await self.send({"type": "connection_init", "payload": payload})

    async def sign_in(self, tenant: str, role: Role) -> None:
        await self.init(token(tenant, role))
        assert self.taken() == [{"type": "connection_ack"}]

    async def ping(self, bearer: str | None = None) -> None:
        """A ping, with that token to go on with."""
        payload = {} if bearer is None else {"payload": {"authorization": f"Bearer {bearer}"}}
        await self.send({"type": "ping", **payload})

    async def complete(self, id: str = "1") -> None:
        await self.send({"id": id, "type": "complete"})

    async def subscribe(self, query: str, id: str = "1", **variables: Any) -> None:
        await self.send({"id": id, "type": "subscribe", "payload": {"query": query, "variables": variables}})

    async def disconnect(self) -> None:
        self._stage.sink.open_ids.discard(self.id)
        await self.say_gone()

    async def say_gone(self) -> None:
        """What API Gateway says of a connection that has ended, at least once as a rule."""
        await self._event("DISCONNECT")

    async def _event(self, event_type: str, **more: Any) -> dict[str, Any]:
        context = {
            "routeKey": {"CONNECT": "$connect", "DISCONNECT": "$disconnect"}.get(event_type, "$default"),
            "eventType": event_type,
            "connectionId": self.id,
            "requestId": f"request-{next(self._stage.numbers)}",
            "stage": "test",
            "apiId": "local",
        }
        return await self._stage.door.handle({"requestContext": context, **more})


class StreamFunction(StreamHandler):
    """The stream function, with the rights of its own role."""

    async def handle(self, event: Event, seconds: float = MAX_SECONDS) -> Response:
        with _registry(REGISTRY_READER_ROLE):
            return await super().handle(event, seconds)


class SweepFunction(SweepHandler):
    """The sweep's function, with the rights of its own role."""

    async def handle(self, seconds: float = MAX_SECONDS) -> int:
        with _registry(ROUNDS_ROLE):
            return await super().handle(seconds)


class JobsFunction(JobsHandler):
    """The jobs' function, with the rights of its own roles."""

    async def handle(self, seconds: float = MAX_SECONDS) -> int:
        mark = TENANT_POLICY.set("lifecycle")
        try:
            return await super().handle(seconds)
        finally:
            TENANT_POLICY.reset(mark)


@contextmanager
def _registry(principal: Principal) -> Iterator[None]:
    mark = REGISTRY.set(principal)
    try:
        yield
    finally:
        REGISTRY.reset(mark)


class Stage:
    """The world, its WebSocket door, and its stream in the hand of the test."""

    def __init__(self, world: World, sink: Sink, streams: Any, iterator: str, arn: str) -> None:
        self.world = world
        self.sink = sink
        self.numbers = itertools.count(1)
        self.door = WebSocketHandler(world.services)
        self.stream = StreamFunction(world.services)
        self.sweep = SweepFunction(world.services)
        self.jobs = JobsFunction(world.services)
        self._streams = streams
        self._iterator = iterator
        self._arn = arn

    async def client(self, tenant: str | None = None, role: Role = Role.MEMBER) -> Client:
        """A connected client, signed in if a tenant is given."""
        client = Client(self, f"socket-{next(self.numbers)}=")
        await client.connect()
        if tenant is not None:
            await client.sign_in(tenant, role)
        return client

    async def records(self) -> list[dict[str, Any]]:
        """What the stream holds since the last look, in Lambda's shape."""
        records: list[dict[str, Any]] = []
        while True:
            answer = await self._streams.get_records(ShardIterator=self._iterator)
            self._iterator = answer["NextShardIterator"]
            records += [self._record(record) for record in answer["Records"]]
            if not answer["Records"]:
                return records

    async def pump(self) -> None:
        """Hand the stream on, all of it."""
        if records := await self.records():
            response = await self.stream.handle({"Records": records})
            assert response == {"batchItemFailures": []}

    async def items(self) -> list[dict[str, Any]]:
        """All that the control table holds, asked past the product."""
        async with self._past_the_product() as (client, table):
            pages = client.get_paginator("scan").paginate(TableName=table)
            return [item async for page in pages for item in page["Items"]]

    async def put(self, *items: dict[str, Any]) -> None:
        """Have items in the control table, put there past the product."""
        async with self._past_the_product() as (client, table):
            for item in items:
                await client.put_item(TableName=table, Item=item)

    async def take_away(self, *items: dict[str, Any]) -> None:
        """Have items no longer in the control table, as TTL takes them."""
        async with self._past_the_product() as (client, table):
            for item in items:
                await client.delete_item(TableName=table, Key={"pk": item["pk"], "sk": item["sk"]})

    @asynccontextmanager
    async def _past_the_product(self) -> AsyncIterator[tuple[Any, str]]:
        settings = self.world.services.settings
        session = aiobotocore.session.get_session()
        async with session.create_client(
            "dynamodb", region_name="us-east-1", endpoint_url=settings.dynamodb_endpoint
        ) as client:
            yield client, settings.control_table_name

    async def kept(self, *, with_notes: bool = False) -> list[str]:
        """What the control table holds of sockets and subscriptions; the notes for the sweep if asked."""
        items = [item for item in await self.items() if with_notes or not item["pk"]["S"].startswith("C#@")]
        return sorted(f"{item['pk']['S']} / {item['sk']['S']}" for item in items if _is_of_sockets(item))

    def _record(self, record: dict[str, Any]) -> dict[str, Any]:
        written = dict(record["dynamodb"])
        written["ApproximateCreationDateTime"] = written["ApproximateCreationDateTime"].timestamp()
        return {**record, "dynamodb": written, "eventSourceARN": self._arn}


def _is_of_sockets(item: dict[str, Any]) -> bool:
    if item["sk"]["S"] == "SWEPT" or any(part in item["pk"]["S"] for part in _STAYS):
        return False
    return item.get("sockets") != {"L": []} and item.get("n") != {"N": "0"}


def signed(tenant: str | None, role: Role, *, seconds: int = 600, subject: str | None = None) -> str:
    """A token that is good for so many seconds from now on."""
    now = int(time.time())
    claims: dict[str, Any] = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": subject or (user_uid(tenant, role) if tenant else "operator"),
        "iat": now,
        "exp": now + seconds,
        "roles": [role.value],
    }
    return KEYS.sign(claims | ({"tenant": tenant} if tenant else {}))


@asynccontextmanager
async def open_stage(endpoint: str, **sources: Any) -> AsyncIterator[Stage]:
    """A stage over an engine, the founding of its tenants already logged."""
    world = await open_world(endpoint, profile=Profile.DEVELOPMENT, **sources)
    sink = Sink()
    world.services = dataclasses.replace(world.services, gateway=sink)
    session = aiobotocore.session.get_session()
    async with session.create_client(
        "dynamodbstreams", region_name="us-east-1", endpoint_url=endpoint
    ) as streams:
        table = world.services.sources.database.table_name
        arn = (await streams.list_streams(TableName=table))["Streams"][0]["StreamArn"]
        shards = (await streams.describe_stream(StreamArn=arn))["StreamDescription"]["Shards"]
        (shard,) = shards
        iterator = await streams.get_shard_iterator(
            StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )
        stage = Stage(world, sink, streams, iterator["ShardIterator"], arn)
        await stage.pump()
        try:
            yield stage
        finally:
            await world.services.close()
    assert not world.guard.refused
    assert "Scan" not in world.guard.operations
