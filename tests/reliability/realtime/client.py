"""A client that keeps the documented rule: identity removes repetitions, the last cursor resumes."""

import asyncio
import itertools
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple, Protocol

from graphql_api.features.projects import Project
from graphql_api.features.tasks.task import ALL_TASKS, Task, task_topic
from graphql_api.features.users import User
from graphql_api.relay import global_id
from graphql_api.store.entity import Topic
from graphql_api.task_lists import assignee_path, project_path
from tests.reliability.realtime.gateway import Connection, Frame
from tests.reliability.realtime.timeline import seconds

PING_SECONDS = 30.0
ANSWER_SECONDS = 10.0  # Who is not answered for so long hangs up.

SUBSCRIPTION = """subscription ($project: ID, $task: ID, $assignee: ID, $after: String) {
  taskChanged(projectId: $project, taskId: $task, assigneeId: $assignee, after: $after) {
    id cursor sequence action version entityId task { id title status } } }"""
SNAPSHOT = """query ($filter: TaskFilter) { tasks(filter: $filter, first: 100) {
    eventCursor edges { node { id title status version } } } }"""

# What a client holds of a task: version, title and status.
Held = tuple[int, str, str]


class HungUpError(Exception):
    """The connection has ended, from whichever side."""


@dataclass(frozen=True, slots=True)
class View:
    """What a client follows: all tasks, or those of one project or person, or one task."""

    project: str | None = None
    assignee: str | None = None
    task: str | None = None

    @property
    def topic(self) -> Topic:
        if self.project is not None:
            return project_path(self.project)
        if self.assignee is not None:
            return assignee_path(self.assignee)
        return ALL_TASKS if self.task is None else task_topic(self.task)

    @property
    def variables(self) -> dict[str, str]:
        named = ((Project, self.project), (User, self.assignee), (Task, self.task))
        given = {cls.__name__: str(global_id(cls, uid)) for cls, uid in named if uid is not None}
        names = {"Project": "project", "User": "assignee", "Task": "task"}
        return {names[name]: given_id for name, given_id in given.items()}

    @property
    def filter(self) -> dict[str, str]:
        return {f"{name}Id": given for name, given in self.variables.items() if name != "task"}

    def shows(self, id: str) -> bool:
        """Whether the view's list is of this task, if it is of one."""
        return self.task is None or id == global_id(Task, self.task)


class Told(NamedTuple):
    """An event as the application got it."""

    sequence: int
    change_id: str
    entity_id: str
    version: int


class Door(Protocol):
    """The server as a client can reach it."""

    async def connect(self, client: "Client") -> Connection: ...
    def say(self, connection: Connection, message: Frame) -> None: ...
    def hang_up(self, connection: Connection) -> None: ...
    async def read(self, client: "Client", query: str, variables: dict[str, Any]) -> Any: ...
    def lifetime(self) -> float: ...
    @property
    def is_calm(self) -> bool: ...


@dataclass(slots=True)
class Client:
    """One application. `told` and `held` begin anew with each snapshot, whose cursor is `base`."""

    door: Door
    tenant: str
    subject: str
    view: View
    dice: Random
    base: str | None = None
    cursor: str | None = None
    held: dict[str, Held] = field(default_factory=dict[str, Held])
    told: list[Told] = field(default_factory=list[Told])
    seen: set[str] = field(default_factory=set[str])
    snapshots: int = 0
    sessions: int = 0
    repetitions: int = 0
    refusals: list[str] = field(default_factory=list[str])
    connection: Connection | None = None
    _ids: Any = field(default_factory=itertools.count)
    _operation: str = ""
    _ends_at: float = 0.0
    _pong_due: float | None = None

    async def run(self) -> None:
        """Be there, and come back whenever the connection ends."""
        while True:
            try:
                await self._session()
            except (HungUpError, TimeoutError):
                pass
            finally:
                if self.connection is not None:
                    self.door.hang_up(self.connection)
            await asyncio.sleep(self.dice.uniform(0.05, 2))

    async def _session(self) -> None:
        self._ends_at, self._pong_due = seconds() + self.door.lifetime(), None
        self.connection = await self.door.connect(self)
        self.sessions += 1
        self._say({"type": "connection_init", "payload": {"authorization": f"Bearer {self._token}"}})
        frame = await self._next(seconds() + ANSWER_SECONDS)
        if frame is None or frame.get("type") != "connection_ack":
            raise HungUpError
        await self._subscribe()
        await self._listen()

    async def _listen(self) -> None:
        ping_at = seconds() + PING_SECONDS
        while True:
            frame = await self._next(ping_at if self._pong_due is None else min(ping_at, self._pong_due))
            if frame is not None:
                await self._hear(frame)
            elif self._pong_due is not None and seconds() >= self._pong_due:
                raise HungUpError
            elif seconds() >= ping_at:
                self._say({"type": "ping"})
                ping_at, self._pong_due = ping_at + PING_SECONDS, seconds() + PING_SECONDS - 1

    async def _hear(self, frame: Frame) -> None:
        match frame.get("type"):
            case None:
                raise HungUpError  # API Gateway's own word that a function failed.
            case "pong":
                self._pong_due = None
            case "next" if frame["id"] == self._operation:
                self._take(frame["payload"])
            case "error" if frame["id"] == self._operation:
                await self._refused(frame["payload"][0]["extensions"]["code"])
            case "complete" if frame["id"] == self._operation:
                await self._refused("COMPLETE")
            case "connection_error":
                raise HungUpError
            case _:
                return

    async def _refused(self, code: str) -> None:
        self.refusals.append(code)
        if code in ("CURSOR_EXPIRED", "BAD_CURSOR"):
            self.cursor = None
        elif self.dice.random() < 0.5:
            raise HungUpError
        await asyncio.sleep(self.dice.uniform(0.1, 3))
        await self._subscribe()

    def _take(self, payload: Any) -> None:
        if payload["data"] is None:
            return  # The subscription could not begin, and is completed.
        assert "errors" not in payload, payload
        event = payload["data"]["taskChanged"]
        if event["id"] in self.seen:
            self.repetitions += 1
            return
        self.seen.add(event["id"])
        self.cursor = event["cursor"]
        self.told.append(Told(event["sequence"], event["id"], event["entityId"], event["version"]))
        self._apply(event)

    def _apply(self, event: Any) -> None:
        task_id, version = event["entityId"], event["version"]
        if task_id in self.held and version < self.held[task_id][0]:
            return
        if event["action"] == "DELETED":
            self.held.pop(task_id, None)
        else:
            self.held[task_id] = (version, event["task"]["title"], event["task"]["status"])

    async def _subscribe(self) -> None:
        if self.cursor is None:
            await self._refetch()
        self._operation = f"operation-{next(self._ids)}"
        payload = {"query": SUBSCRIPTION, "variables": {**self.view.variables, "after": self.cursor}}
        self._say({"id": self._operation, "type": "subscribe", "payload": payload})

    async def _refetch(self) -> None:
        wanted = {"filter": self.view.filter or None}
        found = (await self.door.read(self, SNAPSHOT, wanted))["tasks"]
        nodes = [edge["node"] for edge in found["edges"]]
        self.held = {
            node["id"]: (node["version"], node["title"], node["status"])
            for node in nodes
            if self.view.shows(node["id"])
        }
        self.cursor = self.base = found["eventCursor"]
        self.told, self.seen = [], set()
        self.snapshots += 1

    async def _next(self, until: float) -> Frame | None:
        """The next frame, None if there is none in time. Raises HungUpError."""
        assert self.connection is not None
        end = until if self.door.is_calm else min(until, self._ends_at)
        try:
            async with asyncio.timeout_at(max(end, seconds())):
                frame = await self.connection.frames.get()
        except TimeoutError:
            if not self.door.is_calm and seconds() >= self._ends_at:
                raise HungUpError from None
            return None
        if frame is None:
            raise HungUpError
        return frame

    def _say(self, message: Frame) -> None:
        assert self.connection is not None
        self.door.say(self.connection, message)

    @property
    def _token(self) -> str:
        return f"{self.tenant}/{self.subject}"
