"""One schedule: writers, consumers, clients and whoever governs access, under one plan of faults."""

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from random import Random, seed
from typing import Any

from graphql import OperationType

from graphql_api.handlers.events import MAX_SECONDS, StreamHandler, WebSocketHandler
from graphql_api.local.pump.mapping import MappingSettings
from graphql_api.operations import OperationRequest
from tests.reliability.realtime.client import Client, HungUpError, View
from tests.reliability.realtime.gateway import Connection, Frame, ManagementApi
from tests.reliability.realtime.installation import PROJECTS, Process, found_tenants, start_process
from tests.reliability.realtime.memory import MemoryDatabase
from tests.reliability.realtime.stream import Reader, Rereading, Shard, Stream
from tests.reliability.realtime.timeline import seconds
from tests.reliability.realtime.weather import (
    INVOCATION,
    FunctionError,
    Invocation,
    KilledError,
    Plan,
    Weather,
)
from tests.reliability.realtime.writing import Writing

STORM_SECONDS = 30.0
# A hold of a dead pusher runs out, the next ping finds what lies unsent, and it is sent.
CALM_SECONDS = 75.0
STREAM_SECONDS = 50.0
RETRIES = 12
_CONNECT = {"Sec-WebSocket-Protocol": "graphql-transport-ws"}


@dataclass(slots=True)
class Cast:
    """Who takes part: clients by tenant, subject and view, and writers by tenant."""

    clients: tuple[tuple[str, str, View], ...] = (
        ("acme", "ann", View()),
        ("acme", "bob", View(project=PROJECTS[0])),
        ("acme", "cleo", View(assignee="cleo")),
        ("globex", "ann", View()),
    )
    writers: tuple[str, ...] = ("acme", "acme", "globex")


class Schedule:
    """The whole of one run; everything random in it comes from its number."""

    def __init__(self, number: int, plan: Plan, cast: Cast | None = None) -> None:
        seed(number)  # The product's jitter draws from there.
        self.dice = Random(number)  # noqa: S311 - a schedule, not a secret
        self.plan = plan
        self.cast = cast or Cast()
        self.weather = Weather(plan, self.dice)
        self.stream = Stream()
        self.database = MemoryDatabase(seconds, self.dice.random)
        self.management = ManagementApi(self.weather.travel)
        self.clients = [Client(self, *who, self.dice) for who in self.cast.clients]
        self.readers: list[Reader] = []
        self.failures: list[BaseException] = []
        self._numbers = itertools.count(1)
        self.writing = Writing(self.dice, plan, self.database, self._numbers, self.process)
        self._actors: set[asyncio.Task[Any]] = set()
        self._invocations: set[asyncio.Task[Any]] = set()

    @property
    def is_calm(self) -> bool:
        return self.weather.is_calm

    async def run(self) -> None:
        """Storm, then calm; afterwards everything stands still."""
        self.open()
        try:
            writers = (self.writing.writer(tenant) for tenant in self.cast.writers)
            await asyncio.gather(*writers, self.writing.govern())
            await asyncio.sleep(max(0.0, STORM_SECONDS - seconds()))
            await self.calm()
        finally:
            await self.close()

    def open(self) -> None:
        """Start everybody but the writers."""
        found_tenants(self.database)
        self.database.listeners.append(self.stream.tell)
        self.database.gate, self.database.answer = self.weather.before, self.weather.after
        self.management.accident = self.weather.accident
        self._front = self.process()
        for shard in self.stream.shards:
            for _ in range(self.plan.readers):
                self.readers.append(self.reader(shard))
                self.act(self.readers[-1].run())
        for client in self.clients:
            self.act(self._visit(client))

    async def calm(self) -> None:
        """Let nothing go wrong any more, redrive what was set aside, and wait for a heartbeat."""
        self.weather.is_calm = True
        for reader in self.readers:
            await reader.redrive()
        await asyncio.sleep(CALM_SECONDS)

    async def close(self) -> None:
        """End everybody."""
        for task in (*self._actors, *self._invocations):
            task.cancel()
        ended = await asyncio.gather(*self._actors, *self._invocations, return_exceptions=True)
        for outcome in ended:
            if isinstance(outcome, Exception) and not isinstance(outcome, KilledError):
                raise outcome

    def act(self, work: Coroutine[Any, Any, Any]) -> None:
        """Let somebody act until the end; what an actor raises fails the run."""
        task = asyncio.get_running_loop().create_task(work)
        self._actors.add(task)

    def process(self, skew: float = 0.0) -> Process:
        """A new process with the clock wrong by `skew`."""
        return start_process(self.database, self.management, self.new_uid, skew)

    def new_uid(self) -> str:
        return f"{next(self._numbers):026d}"

    def reader(self, shard: Shard) -> Reader:
        """A consumer of a shard, in a process that is started anew once it dies."""
        skew = self.dice.uniform(-self.plan.skew, self.plan.skew)
        process = self.process(skew)

        async def invoke(event: dict[str, Any]) -> dict[str, Any]:
            nonlocal process
            invocation = self.weather.invocation(self.plan.killed)
            handler = StreamHandler(process.services)
            try:
                return await self.invoke(invocation, lambda: handler.handle(event, STREAM_SECONDS))
            except KilledError:
                process = self.process(skew)
                raise

        settings = MappingSettings(
            maximum_retry_attempts=RETRIES, maximum_record_age=1e12, backoff=(0.05, 0.5)
        )
        return Reader(shard, invoke, Rereading(self.dice, self.plan.rereading), settings)

    async def gives_up(self, event: dict[str, Any]) -> dict[str, Any]:
        """A function that takes every batch and does nothing."""
        return {"batchItemFailures": []}

    async def invoke(self, invocation: Invocation, function: Callable[[], Awaitable[Any]]) -> Any:
        """What a function answers. Raises KilledError if its process dies, FunctionError if it fails."""

        async def work() -> Any:
            INVOCATION.set(invocation)
            return await function()

        invocation.task = asyncio.get_running_loop().create_task(work())
        try:
            await asyncio.wait([invocation.task])
        finally:
            if not invocation.task.done():
                invocation.die()
        if invocation.task.cancelled():
            raise KilledError
        if (failure := invocation.task.exception()) is not None:
            self.failures.append(failure)
            raise FunctionError from failure
        return invocation.task.result()

    async def connect(self, client: Client) -> Connection:
        connection = Connection(f"socket-{next(self._numbers)}=", client.tenant, is_open=False)
        response = await self._socket(connection, "CONNECT", headers=_CONNECT)
        if response is None or response["statusCode"] != 200:
            raise HungUpError
        connection.is_open = True
        self.management.connections[connection.id] = connection
        return connection

    def say(self, connection: Connection, message: Frame) -> None:
        if connection.is_open:
            self._later(self._socket(connection, "MESSAGE", message=message))

    def hang_up(self, connection: Connection) -> None:
        connection.close()
        if not self.weather.strikes("ghost", self.plan.ghosts):
            self._later(self._disconnect(connection))

    async def read(self, client: Client, query: str, variables: dict[str, Any]) -> Any:
        request = OperationRequest(query, None, variables)
        context = self._front.context(client.tenant, client.subject, "read")
        result = await self._front.services.operations.execute(
            request, context, allowed=frozenset({OperationType.QUERY})
        )
        await context.close()
        if result.errors:
            raise HungUpError
        return result.data

    def lifetime(self) -> float:
        if self.weather.strikes("early drop", self.plan.drops):
            return self.dice.uniform(0, 0.6)
        return self.dice.expovariate(1 / self.plan.lifetime)

    async def _visit(self, client: Client) -> None:
        await asyncio.sleep(self.dice.uniform(0, 12))
        await client.run()

    async def _disconnect(self, connection: Connection) -> None:
        await asyncio.sleep(0.01 * 500 ** self.dice.random())
        await self._socket(connection, "DISCONNECT")

    def _later(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._invocations.add(task)
        task.add_done_callback(self._invocations.discard)

    async def _socket(
        self, connection: Connection, event_type: str, message: Frame | None = None, **more: Any
    ) -> dict[str, Any] | None:
        """One event of a socket in the function behind it; None if that died."""
        invocation = self.weather.invocation(self.plan.sockets_killed)
        process = self._front if invocation.steps is None else self.process()
        handler = WebSocketHandler(process.services)
        event = socket_event(connection.id, event_type, f"request-{next(self._numbers)}", message)
        try:
            return await self.invoke(invocation, lambda: handler.handle(event | more, MAX_SECONDS))
        except (KilledError, FunctionError):
            connection.deliver(b'{"message": "Internal server error"}')  # as API Gateway does
            return None


def socket_event(
    connection_id: str, event_type: str, request_id: str, message: Frame | None
) -> dict[str, Any]:
    """An event of a socket as API Gateway tells it."""
    routes = {"CONNECT": "$connect", "DISCONNECT": "$disconnect"}
    context = {
        "routeKey": routes.get(event_type, "$default"),
        "eventType": event_type,
        "connectionId": connection_id,
        "requestId": request_id,
        "stage": "test",
        "apiId": "local",
    }
    body = {} if message is None else {"body": json.dumps(message), "isBase64Encoded": False}
    return {"requestContext": context, **body}
