"""The things that tests of the features start from, made through the API itself."""

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from graphql_api.auth.identity import Role
from graphql_api.deadline import Deadline
from graphql_api.features.users import User
from graphql_api.relay import global_id, parse_global_id
from graphql_api.store.codec import Item
from graphql_api.store.entity import Entity, key_of
from graphql_api.store.keys import tenant_family
from graphql_api.store.table import Table
from tests.world import Caller, World, open_world, user_uid

FAILURE = """... on Error { message code } ... on InvalidInputError { field }
    ... on ConflictError { current { id ... on Task { title version } ... on Comment { body version }
                                     ... on Project { name version } ... on Workflow { version } } }"""
PAGE = "pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"
BATCH = """results { __typename ... on CreateTaskPayload { task { id title } }
    ... on Error { message code } ... on InvalidInputError { field } }"""
TASKS = f"""query ($filter: TaskFilter, $orderBy: TaskOrder, $first: Int, $after: String) {{
    list: tasks(filter: $filter, orderBy: $orderBy, first: $first, after: $after) {{
        edges {{ cursor node {{ id title status dueOn completedAt }} }} {PAGE} }} }}"""
COMMENTS = f"""query ($task: ID!, $first: Int, $after: String) {{
    task(id: $task) {{ commentCount list: comments(first: $first, after: $after) {{
        edges {{ cursor node {{ id body }} }} {PAGE} }} }} }}"""


async def outcome(world: World, field: str, selection: str, **payload: Any) -> Any:
    """What one mutation answers, with all that a failure tells."""
    name = field[0].upper() + field[1:]
    query = f"""mutation ($input: {name}Input!) {{ result: {field}(input: $input) {{
        __typename {FAILURE} ... on {name}Payload {{ {selection} }} }} }}"""
    return (await world.data(query, input=payload))["result"]


async def done(world: World, field: str, selection: str, **payload: Any) -> Any:
    """What a mutation that must succeed leaves: the one field of its payload."""
    answer = await outcome(world, field, selection, **payload)
    kind = answer.pop("__typename")
    assert kind.endswith("Payload"), answer
    (entity,) = answer.values()
    return entity


async def refusal(world: World, field: str, **payload: Any) -> str:
    """The code of a mutation that must be refused."""
    answer = await outcome(world, field, "__typename", **payload)
    assert not answer["__typename"].endswith("Payload"), answer
    return answer["code"]


def uid_in(global_id: str) -> str:
    """The uid that a global id holds."""
    parsed = parse_global_id(global_id)
    assert parsed is not None
    return parsed[1]


async def a_member(world: World, **person: Any) -> str:
    """The id of a new member who has accepted the invitation; the caller is an administrator."""
    invited = await outcome(world, "inviteUser", "user { id } token", **person)
    await done(world.by(Caller()), "acceptInvite", "subject", token=invited["token"])
    return invited["user"]["id"]


async def an_api_key(world: World, tenant: str = "acme", **fields: Any) -> tuple[str, World]:
    """The id of a new API key, and the world seen by who has it; the caller is an administrator."""
    made = await outcome(world, "createApiKey", "apiKey { id } secret", **{"name": "Key"} | fields)
    return made["apiKey"]["id"], world.by(Caller(tenant, key=made["secret"]))


async def a_project(world: World, name: str = "Gripper", **fields: Any) -> str:
    """The id of a new project; the caller is a manager or above."""
    return (await done(world, "createProject", "project { id }", name=name, **fields))["id"]


async def a_task(world: World, project: str | None = None, title: str = "Weld", **fields: Any) -> str:
    """The id of a new task, in a project of its own unless one is given."""
    project = project or await a_project(world)
    created = await done(world, "createTask", "task { id }", projectId=project, title=title, **fields)
    return created["id"]


async def some_tasks(world: World, rows: list[dict[str, Any]], **fields: Any) -> list[str]:
    """The ids of new tasks, each row with these fields besides its own; a batch must accept them all."""
    results = await done(world, "createTasks", BATCH, tasks=[{**fields, **row} for row in rows])
    return [result["task"]["id"] for result in results]


async def a_webhook(world: World, url: str = "https://hooks.example.com/", **fields: Any) -> str:
    """The id of a new webhook that is sent every change of a task; the caller is an administrator."""
    query = "subscription { taskChanged { id task { title } } }"
    answer = await outcome(world, "createWebhook", "webhook { id }", url=url, query=query, **fields)
    return answer["webhook"]["id"]


async def a_comment(world: World, task: str, body: str = "Done?") -> str:
    """The id of a new comment by the caller."""
    return (await done(world, "addComment", "comment { id }", taskId=task, body=body))["id"]


async def move(world: World, task: str, *states: str) -> None:
    """Take a task through some states, one after the other."""
    for state in states:
        await done(world, "moveTask", "task { status }", id=task, to=state)


async def complete(world: World, task: str) -> None:
    """Take a new task along the default workflow to its end."""
    await move(world, task, "in_progress", "in_review", "done")


async def seen(world: World, task: str, selection: str) -> Any:
    """A task as a query shows it."""
    return (await world.data(f"query ($id: ID!) {{ task(id: $id) {{ {selection} }} }}", id=task))["task"]


def member_id(tenant: str, role: Role) -> str:
    """The global id of the member of that role."""
    return global_id(User, user_uid(tenant, role))


def connection_of(data: Any) -> Any:
    """The connection called `list` in the data of a query, at any depth."""
    while "list" not in data:
        (data,) = (value for value in data.values() if isinstance(value, dict))
    return data["list"]


async def listed(world: World, **arguments: Any) -> list[str]:
    """The titles of a page of `tasks`."""
    data = await world.data(TASKS, **arguments)
    return [edge["node"]["title"] for edge in connection_of(data)["edges"]]


async def pages(world: World, query: str, first: int, **variables: Any) -> AsyncIterator[list[Any]]:
    """The nodes of each page of the connection called `list`, each page read after the last one's end."""
    after, more = None, True
    while more:
        found = connection_of(await world.data(query, first=first, after=after, **variables))
        yield [edge["node"] for edge in found["edges"]]
        after, more = found["pageInfo"]["endCursor"], found["pageInfo"]["hasNextPage"]


async def every(world: World, query: str, first: int, **variables: Any) -> list[Any]:
    """All nodes of a connection, page by page."""
    return [node async for page in pages(world, query, first, **variables) for node in page]


async def stored(world: World, cls: type[Entity], id: str, tenant: str = "acme") -> Item:
    """The item of an entity as it lies in the table."""
    parsed = parse_global_id(id)
    assert parsed is not None
    family = tenant_family(tenant)
    key = key_of(family, cls, parsed[1])
    table = Table(world.services.sources.database, family, Deadline.after(5))
    return (await table.batch_get([key], consistent=True))[key]


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)


@asynccontextmanager
async def world_at(
    endpoint: str, now: datetime = datetime(2030, 5, 17, 12, tzinfo=UTC)
) -> AsyncIterator[tuple[World, Clock]]:
    """A world whose clock the test moves, seen by acme's administrator."""
    clock = Clock(now)
    world = await open_world(endpoint, now=clock)
    try:
        yield world.as_("acme", Role.ADMIN), clock
    finally:
        await world.services.close()
    assert not world.guard.refused


@contextmanager
def before_each(world: World, operation: str, act: Callable[..., Any]) -> Iterator[None]:
    """Act, or wait for what `act` returns, right before each of DynamoDB's operations of a kind."""
    events = world.services.sources.database.client.meta.events
    event = f"provide-client-params.dynamodb.{operation}"
    events.register(event, act)
    try:
        yield
    finally:
        events.unregister(event, act)


@contextmanager
def failing(world: World, operation: str, *, after: int = 0) -> Iterator[None]:
    """DynamoDB is too busy for one of its operations, once it has answered it some times more."""
    answered = itertools.count()

    def refuse(**_event: object) -> None:
        if next(answered) >= after:
            raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow down"}}, operation)

    with before_each(world, operation, refuse):
        yield


@contextmanager
def before(world: World, operation: str, nth: int, act: Callable[[], Awaitable[Any]]) -> Iterator[None]:
    """Let somebody else act right before the nth (from 0) of DynamoDB's operations of a kind."""
    begun = itertools.count()

    async def interrupt(**_event: object) -> None:
        if next(begun) == nth:
            await act()

    with before_each(world, operation, interrupt):
        yield
