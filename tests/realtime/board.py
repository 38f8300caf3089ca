"""What happens on a board, and the frames that tell of it."""

from typing import Any

from graphql_api.auth.identity import Role
from tests.features.builders import a_project, a_task, done
from tests.realtime.stage import Client, Stage
from tests.world import World

TASKS = """subscription ($project: ID, $task: ID, $assignee: ID, $after: String) {
  taskChanged(projectId: $project, taskId: $task, assigneeId: $assignee, after: $after) {
    id cursor sequence action version entityId actor { email }
    task { id title status project { name } assignee { name } }
  }
}"""
TITLES = "subscription ($after: String) { taskChanged(after: $after) { id cursor sequence task { title } } }"


def manager(stage: Stage, tenant: str = "acme") -> World:
    """Who makes things happen unless a test says otherwise."""
    return stage.world.as_(tenant, Role.MANAGER)


async def a_listener(stage: Stage, query: str = TITLES, role: Role = Role.MEMBER, **variables: Any) -> Client:
    """A signed-in client of acme that has subscribed, and was told nothing yet."""
    client = await stage.client("acme", role)
    await client.subscribe(query, **variables)
    assert client.taken() == []
    return client


async def position(stage: Stage) -> str:
    """The cursor of the present end of the log, as a pong tells it."""
    client = await stage.client("acme", Role.VIEWER)
    await client.ping()
    (pong,) = client.taken()
    await client.disconnect()
    return pong["payload"]["eventCursor"]


async def happen(stage: Stage, *titles: str, project: str | None = None) -> str:
    """Tasks of these titles are created in one project, and the stream has told of them; its id."""
    project = project or await a_project(manager(stage))
    for title in titles:
        await a_task(manager(stage), project, title)
    await stage.pump()
    return project


async def change(stage: Stage, field: str, **payload: Any) -> None:
    """One mutation of a task, and the stream has told of it."""
    await done(manager(stage), field, "task { id }", **payload)
    await stage.pump()


def told(frames: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The events in frames that hold nothing else."""
    assert [frame["type"] for frame in frames] == ["next"] * len(frames), frames
    for frame in frames:
        assert "errors" not in frame["payload"], frame
    return [next(iter(frame["payload"]["data"].values())) for frame in frames]


def titles(client: Client) -> list[str]:
    """The titles that a client was told since the last look."""
    return [event["task"]["title"] for event in told(client.taken())]


def refusals(frames: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Operation id and code of each error frame; there is nothing else."""
    assert [frame["type"] for frame in frames] == ["error"] * len(frames), frames
    return [(frame["id"], frame["payload"][0]["extensions"]["code"]) for frame in frames]
