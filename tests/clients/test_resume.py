import asyncio
import json
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from graphql_api.auth.identity import Role
from graphql_api.inputs import MAX_TEXT
from tests.clients.stack import Stack
from tests.clients.wire import wired

NODE_PROJECT = Path(__file__).parent / "node"
ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 30
LIST = """query Board($project: ID!) { project(id: $project) {
  id tasks(first: 100) { eventCursor edges { node { id title version } } } } }"""
SUBSCRIPTION = """subscription Changes($project: ID!, $after: String) {
  taskChanged(projectId: $project, after: $after) {
    id cursor sequence action entityId version task { id title version } } }"""

COPIES = 8  # of the longest text, each two bytes a character: more than a frame holds

pytestmark = [pytest.mark.node, pytest.mark.slow]


class Follower:
    """A client in a process of its own, by the lines that it prints."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.changes: list[dict[str, Any]] = []
        self.stubs: list[dict[str, Any]] = []
        self.reads = 0

    @property
    def titles(self) -> list[str]:
        return [change["task"]["title"] for change in self.changes]

    async def told(self, title: str) -> None:
        """Waits until the client has been told of the task with that title."""
        while title not in self.titles:
            await self._next()

    async def has_read(self, times: int) -> None:
        """Waits until the client has read the list that many times."""
        while self.reads < times:
            await self._next()

    async def problem(self) -> str:
        """Waits for the line in which the client gives up."""
        while True:
            said = await self._line()
            if "problem" in said:
                return said["problem"]

    async def _next(self) -> None:
        match await self._line():
            case {"read": number}:
                self.reads = number
            case {"change": change}:
                self.changes.append(change)
            case {"stub": stub}:
                self.stubs.append(stub)
            case other:
                raise AssertionError(other)

    async def _line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE_SECONDS):
            line = await self._process.stdout.readline()
        assert line, await self._complaint()
        return json.loads(line)

    async def _complaint(self) -> str:
        assert self._process.stderr is not None
        return f"The client has ended: {(await self._process.stderr.read()).decode()}"


def command(client: str) -> list[str]:
    if client == "gql":
        return [sys.executable, "-m", "tests.clients.following"]
    node = shutil.which("node")
    if node is None or not (NODE_PROJECT / "node_modules").is_dir():
        pytest.skip(f"the recipe for {client} was NOT RUN: it needs node and `npm ci` in tests/clients/node")
    return [node, str(NODE_PROJECT / "following.mjs"), client]


@asynccontextmanager
async def following(client: str, stack: Stack, address: str, **settings: Any) -> AsyncIterator[Follower]:
    """The client with its socket through `address`; it has begun to read."""
    given = {
        "http": f"http://{stack.address}/graphql",
        "ws": f"ws://{address}/graphql",
        "list": LIST,
        "subscription": SUBSCRIPTION,
        "tokens": [stack.token()],
    }
    process = await asyncio.create_subprocess_exec(
        *command(client),
        json.dumps(given | settings),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        follower = Follower(process)
        await follower.has_read(1)
        yield follower
    finally:
        if process.returncode is None:
            process.kill()
        _, complaint = await process.communicate()
    assert not complaint


def resumed(stack: Stack) -> list[str]:
    """The cursors behind which clients have subscribed."""
    messages = [json.loads(message) for message in stack.door.messages]
    return [said["payload"]["variables"]["after"] for said in messages if said["type"] == "subscribe"]


async def make_project(stack: Stack) -> str:
    made = await stack.data(
        """mutation { result: createProject(input: {name: "Bridge"}) {
            ... on CreateProjectPayload { project { id } } } }""",
        Role.MANAGER,
    )
    return made["result"]["project"]["id"]


async def make_task(stack: Stack, project: str, title: str, **more: str) -> str:
    made = await stack.data(
        """mutation ($input: CreateTaskInput!) { result: createTask(input: $input) {
            ... on CreateTaskPayload { task { id } } } }""",
        input={"projectId": project, "title": title, **more},
    )
    return made["result"]["task"]["id"]


async def rename(stack: Stack, task: str, title: str) -> None:
    renamed = await stack.data(
        """mutation ($input: UpdateTaskInput!) { result: updateTask(input: $input) {
            ... on UpdateTaskPayload { task { title } } } }""",
        input={"id": task, "title": title},
    )
    assert renamed["result"]["task"]["title"] == title


CLIENTS = ["graphql-ws", "apollo", "urql", "gql"]


@pytest.mark.parametrize("client", CLIENTS)
async def test_what_happens_while_the_line_is_cut_is_told_once_and_in_order(client: str, stack: Stack):
    project = await make_project(stack)
    async with (
        wired(stack.address) as wire,
        following(client, stack, wire.address, project=project) as follower,
    ):
        task = await make_task(stack, project, "before")
        await follower.told("before")
        wire.cut()
        await make_task(stack, project, "meanwhile")
        await rename(stack, task, "renamed meanwhile")
        wire.mend()
        await make_task(stack, project, "after")
        await follower.told("after")
        assert follower.titles == ["before", "meanwhile", "renamed meanwhile", "after"]
        assert follower.reads == 1


@pytest.mark.parametrize("client", CLIENTS)
async def test_a_connection_that_the_server_closes_is_taken_up_again(client: str, stack: Stack):
    project = await make_project(stack)
    async with following(client, stack, stack.address, project=project) as follower:
        await make_task(stack, project, "before")
        await follower.told("before")
        await stack.close(stack.door.connections[-1])
        await make_task(stack, project, "at once")
        await follower.told("at once")
        await stack.close(stack.door.connections[-1])
        await make_task(stack, project, "after")
        await follower.told("after")
        assert follower.titles == ["before", "at once", "after"]
        assert follower.reads == 1
        # It resumed behind what it had been told last, both times.
        assert resumed(stack)[-2:] == [change["cursor"] for change in follower.changes[:2]]


@pytest.mark.parametrize("client", CLIENTS)
async def test_what_is_delivered_twice_is_told_once(
    client: str, stack: Stack, monkeypatch: pytest.MonkeyPatch
):
    project = await make_project(stack)
    async with following(client, stack, stack.address, project=project) as follower:
        await make_task(stack, project, "before")
        await follower.told("before")
        monkeypatch.setattr(stack.echo, "sounds", True)
        for title in ("one", "two", "three"):
            await make_task(stack, project, title)
        await follower.told("three")
        monkeypatch.setattr(stack.echo, "sounds", False)
        await make_task(stack, project, "after")
        await follower.told("after")
        assert follower.titles == ["before", "one", "two", "three", "after"]


@pytest.mark.parametrize("client", CLIENTS)
async def test_a_cursor_that_has_expired_makes_it_read_the_data_anew(client: str, stack: Stack):
    project = await make_project(stack)
    settings = {"project": project, "after": stack.foreign_cursor()}
    async with following(client, stack, stack.address, **settings) as follower:
        await follower.has_read(2)
        await make_task(stack, project, "after")
        await follower.told("after")
        assert follower.titles == ["after"]
        assert follower.reads == 2


@pytest.mark.parametrize("client", CLIENTS)
async def test_a_token_that_has_expired_is_replaced_by_a_fresh_one(client: str, stack: Stack):
    project = await make_project(stack)
    tokens = [stack.token(lifetime=1), stack.token()]
    await asyncio.sleep(1.1)
    async with following(client, stack, stack.address, project=project, tokens=tokens) as follower:
        await make_task(stack, project, "after")
        await follower.told("after")
        assert follower.titles == ["after"]


@pytest.mark.parametrize("client", CLIENTS)
async def test_an_event_older_than_what_is_held_is_not_told(client: str, stack: Stack):
    project = await make_project(stack)
    listed = await stack.data(LIST, project=project)
    task = await make_task(stack, project, "old")
    await rename(stack, task, "held")
    settings = {"project": project, "after": listed["project"]["tasks"]["eventCursor"]}
    async with following(client, stack, stack.address, **settings) as follower:
        await make_task(stack, project, "after")
        await follower.told("after")
        assert follower.titles == ["held", "after"]


@pytest.mark.parametrize("client", CLIENTS)
async def test_an_event_too_large_for_a_frame_is_told_by_its_ids_and_not_again(client: str, stack: Stack):
    project = await make_project(stack)
    copies = " ".join(f"copy{number}: description" for number in range(COPIES))
    settings = {"project": project, "subscription": SUBSCRIPTION.replace("title", f"title {copies}", 1)}
    async with following(client, stack, stack.address, **settings) as follower:
        large = [await make_task(stack, project, title, description="é" * MAX_TEXT) for title in ("a", "b")]
        await make_task(stack, project, "small")
        await follower.told("small")
        await stack.close(stack.door.connections[-1])
        await make_task(stack, project, "after")
        await follower.told("after")
        assert follower.titles == ["small", "after"]
        assert [stub["entityId"] for stub in follower.stubs] == large
        assert [(stub["version"], stub["action"]) for stub in follower.stubs] == [(1, "CREATED")] * 2


@pytest.mark.parametrize("client", CLIENTS)
async def test_a_client_that_is_told_of_its_mistake_does_not_come_back(client: str, stack: Stack):
    project = await make_project(stack)
    async with following(client, stack, stack.address, project=project) as follower:
        await make_task(stack, project, "before")
        await follower.told("before")
        connected = len(stack.door.connections)
        frame = json.dumps({"type": "connection_error", "payload": {"message": "No.", "code": 4400}})
        await stack.post(stack.door.connections[-1], frame)
        assert "connection_error" in await follower.problem()
        await asyncio.sleep(0.5)
        assert len(stack.door.connections) == connected
