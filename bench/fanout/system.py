"""The API as it is invoked with the stream, over an engine and a sink, its subscribers signed in."""

import dataclasses
import time
from contextlib import AsyncExitStack
from typing import Any, Self, cast

from bench.fanout.gateways import Unsent
from bench.fanout.questions import Payload
from bench.fanout.reading import Observed
from bench.fanout.stream import Stream, open_stream
from bench.fanout.subscribers import Subscribers
from bench.fanout.traffic import counted
from bench.installation import BenchInstallation
from bench.tenant import BenchError, Sample, Session, found, invite, member
from graphql_api.auth.membership import Memberships
from graphql_api.bootstrap import Services, utc_now
from graphql_api.handlers import loop
from graphql_api.handlers.events import StreamHandler
from graphql_api.local.pump.record import Record
from graphql_api.operations import OperationResult, Operations
from graphql_api.readers import MembershipReader
from graphql_api.realtime.gateway import ApiGateway, Gateway
from graphql_api.realtime.subscriptions import Groups
from graphql_api.store.client import Database
from graphql_api.store.provision import create_tables

PEOPLE = 40  # Nobody may have more than a hundred sockets.
TASK = "id title status priority dueOn position version"


class System:
    """A context manager, on the handlers' loop; `sent` posts to the sink, `unsent` nowhere."""

    def __init__(self, installation: BenchInstallation, connections: str) -> None:
        self._installation = installation
        self._database = Database(installation.settings)
        self._posts = ApiGateway(dataclasses.replace(installation.settings, connections_endpoint=connections))
        self._resources = AsyncExitStack()
        self._changes = 0
        self.nowhere = Unsent()
        self.sent = StreamHandler(self.services(self._posts))
        self.unsent = StreamHandler(self.services(self.nowhere))

    def services(self, gateway: Gateway) -> Services:
        """As one process has them, who listens being read once for all: that is counted, not timed."""
        plain = self._installation.services(self._database)
        return dataclasses.replace(
            plain,
            sources=dataclasses.replace(plain.sources, now=utc_now),
            listeners=Memberships(MembershipReader(self._database).read, clock=lambda: 0.0),
            gateway=gateway,
            groups=Groups(),
        )

    def __enter__(self) -> Self:
        loop.run(self._open())
        return self

    def __exit__(self, *_: object) -> None:
        loop.run(self._resources.aclose())

    async def _open(self) -> None:
        services = self.services(self._posts)
        await services.open()
        self._resources.push_async_callback(services.close)
        await create_tables(self._database)
        self.sample: Sample = await found(services)
        self.session = Session(services, self.sample.admin)
        people = [member(await invite(self.session, f"Person{number} Crew")) for number in range(PEOPLE)]
        tokens = [self._installation.token(person) for person in people]
        self._subscribers = Subscribers(self.services(self.nowhere), self.nowhere, tokens)
        self._stream: Stream = await self._resources.enter_async_context(
            open_stream(self._installation.settings)
        )

    @property
    def admin_token(self) -> str:
        """A token of who may see and change everything."""
        return self._installation.token(self.sample.admin)

    async def new_project(self) -> tuple[str, Payload]:
        """The id of a new project, and a task of it."""
        created = await self.session.mutate("createProject", "project { id }", name="Fan-out")
        project_id = created["project"]["id"]
        made = await self.session.mutate(
            "createTask",
            f"task {{ {TASK} }}",
            projectId=project_id,
            title="Watch",
            dueOn="2030-01-31",
            assigneeId=self.sample.user_ids[0],
        )
        return project_id, made["task"]

    def subscribe(self, first: int, payloads: list[Payload], operation_id: str) -> None:
        """A subscription for each payload, each on a socket of its own, from that socket on."""
        # What has led up to here is pushed first: the tenant's founding would close its sockets.
        loop.run(self.catch_up())
        loop.run(self._subscribers.subscribe(first, payloads, operation_id))

    async def catch_up(self) -> int:
        """Push all there is; the number of records in the stream."""
        records = await self._stream.records()
        for start in range(0, len(records), 100):
            await _push(self.unsent, records[start : start + 100])
        return self._stream.read

    def change(self, task_id: str) -> Record:
        """Change the task; the stream's record of it."""
        return loop.run(self._change(task_id))

    async def _change(self, task_id: str) -> Record:
        self._changes += 1
        title = f"Watch, reading {self._changes}"
        await self.session.mutate("updateTask", "task { id }", id=task_id, title=title)
        return await self._stream.only_change()

    def push(self, handler: StreamHandler, record: Record) -> float:
        """The CPU seconds of a batch with this record alone."""
        started = time.process_time()
        loop.run(_push(handler, [record]))
        return time.process_time() - started

    def observe(self, records: tuple[Record, Record]) -> tuple[Observed, Observed]:
        """What a new process does for its first event, and for the next."""
        services = self.services(self.nowhere)
        operations = _CountedOperations(services.operations)
        handler = StreamHandler(dataclasses.replace(services, operations=cast("Operations", operations)))
        seen: list[Observed] = []
        for record in records:
            operations.executions = 0
            with counted(self._database.client) as traffic:
                loop.run(_push(handler, [record]))
            seen.append(Observed(operations.executions, traffic.calls, traffic.bytes))
        return seen[0], seen[1]


class _CountedOperations:
    """The pipeline, and how often it executed."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations
        self.executions = 0

    async def execute(self, *arguments: Any, **named: Any) -> OperationResult:
        self.executions += 1
        return await self._operations.execute(*arguments, **named)


async def _push(handler: StreamHandler, records: list[Record]) -> None:
    response = await handler.handle({"Records": records})
    if response != {"batchItemFailures": []}:
        raise BenchError(response)
