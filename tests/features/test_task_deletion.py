from datetime import timedelta

import pytest

from graphql_api.auth.identity import Role
from graphql_api.features.tasks.task import Task
from graphql_api.relay import global_id
from tests.features.builders import (
    COMMENTS,
    TASKS,
    a_comment,
    a_project,
    a_task,
    connection_of,
    done,
    every,
    listed,
    member_id,
    move,
    outcome,
    refusal,
    seen,
    stored,
    world_at,
)
from tests.world import World

LISTS = (
    {},
    {"filter": {"completed": False}},
    {"filter": {"dueTo": "2031-12-31"}},
    {"filter": {"assigneeId": member_id("acme", Role.MEMBER)}},
)
EVERYTHING = """title description status priority dueOn position completedAt commentCount createdAt
    project { id } assignee { id } createdBy { id } comments { edges { node { body } } }"""


@pytest.fixture
def world(shared_world: World) -> World:
    return shared_world


async def in_lists(world: World, project: str, task: str) -> set[bool]:
    """Whether the lists that a task of `project` stands in show it; one answer if they agree."""
    boards = (
        {"filter": {"projectId": project}},
        {"filter": {"projectId": project, "status": "todo"}},
        {"filter": {"projectId": project}, "orderBy": "AGENDA"},
    )
    shown = [await every(world, TASKS, 100, **arguments) for arguments in (*LISTS, *boards)]
    return {task in [node["id"] for node in nodes] for nodes in shown}


async def a_listed_task(world: World) -> tuple[str, str]:
    """A project and its one task, which stands in every list of open tasks."""
    project = await a_project(world)
    member = member_id("acme", Role.MEMBER)
    return project, await a_task(
        world, project, dueOn="2031-02-28", assigneeId=member, description="Both seams", priority="HIGH"
    )


async def test_a_deleted_task_is_nowhere(world: World) -> None:
    project, task = await a_listed_task(world)
    assert await in_lists(world, project, task) == {True}
    deleted = await done(world, "deleteTask", "task { id title version }", id=task)

    assert deleted == {"id": task, "title": "Weld", "version": 2}
    assert await in_lists(world, project, task) == {False}
    for query in ("task(id: $id) { title }", "node(id: $id) { id }", "nodes(ids: [$id]) { id }"):
        assert (await world.execute(f"query ($id: ID!) {{ {query} }}", id=task)).codes == ["NOT_FOUND"]


async def test_a_deleted_task_takes_no_writes(world: World) -> None:
    task = await a_task(world)
    await done(world, "deleteTask", "task { id }", id=task)

    assert await refusal(world, "updateTask", id=task, title="x") == "NOT_FOUND"
    assert await refusal(world, "moveTask", id=task, to="in_progress") == "NOT_FOUND"
    assert await refusal(world, "addComment", taskId=task, body="x") == "NOT_FOUND"
    assert await refusal(world, "deleteTask", id=task) == "NOT_FOUND"


async def test_a_restored_task_is_as_it_was_and_in_every_list_again(world: World) -> None:
    project, task = await a_listed_task(world)
    await a_comment(world, task)
    before = await seen(world, task, EVERYTHING)
    await done(world, "deleteTask", "task { id }", id=task)
    restored = await done(world, "restoreTask", f"task {{ version {EVERYTHING} }}", id=task)

    assert restored == {**before, "version": 3}
    assert await seen(world, task, EVERYTHING) == before
    assert await in_lists(world, project, task) == {True}


async def test_a_task_restored_into_the_middle_of_a_board_stands_where_it_stood(world: World) -> None:
    project = await a_project(world)
    tasks = [await a_task(world, project, title) for title in "abc"]
    await done(world, "deleteTask", "task { id }", id=tasks[1])
    assert await listed(world, filter={"projectId": project}) == ["a", "c"]
    await done(world, "restoreTask", "task { id }", id=tasks[1])

    assert await listed(world, filter={"projectId": project}) == ["a", "b", "c"]


async def test_restoring_what_is_not_deleted_changes_nothing(world: World) -> None:
    assert await done(world, "restoreTask", "task { version }", id=await a_task(world)) == {"version": 1}


async def test_what_never_was_cannot_be_restored(world: World) -> None:
    assert await refusal(world, "restoreTask", id=global_id(Task, "0" * 26)) == "NOT_FOUND"


@pytest.mark.parametrize("end", ["archived", "deleted"])
async def test_a_task_comes_back_whatever_became_of_its_project(world: World, end: str) -> None:
    project, task = await a_listed_task(world)
    await done(world, "deleteTask", "task { id }", id=task)
    if end == "archived":
        await done(world, "updateProject", "project { id }", id=project, archived=True)
    else:
        await done(world, "deleteProject", "project { id }", id=project)

    restored = await done(world, "restoreTask", "task { project { id } }", id=task)
    assert restored == {"project": {"id": project}}
    elsewhere = await a_project(world, "elsewhere")
    await done(world, "updateTask", "task { id }", id=task, projectId=elsewhere)
    assert len(await listed(world, filter={"projectId": elsewhere})) == 1


@pytest.mark.parametrize(
    ("creator", "role", "allowed"),
    [
        (Role.MEMBER, Role.MEMBER, True),
        (Role.ADMIN, Role.MEMBER, False),
        (Role.MEMBER, Role.MANAGER, True),
        (Role.MEMBER, Role.ADMIN, True),
        (Role.ADMIN, Role.VIEWER, False),
    ],
)
async def test_a_task_is_deleted_by_its_creator_or_a_manager(
    world: World, creator: Role, role: Role, allowed: bool
) -> None:
    task = await a_task(world.as_("acme", creator), await a_project(world))
    answer = await outcome(world.as_("acme", role), "deleteTask", "task { id }", id=task)

    assert answer["__typename"] == ("DeleteTaskPayload" if allowed else "ForbiddenError")
    found = await world.execute("query ($id: ID!) { task(id: $id) { id } }", id=task)
    assert found.codes == (["NOT_FOUND"] if allowed else [])


async def test_a_task_of_another_tenant_is_neither_deleted_nor_restored(world: World) -> None:
    task, stranger = await a_task(world), world.as_("globex", Role.ADMIN)
    assert await refusal(stranger, "deleteTask", id=task) == "NOT_FOUND"
    await done(world, "deleteTask", "task { id }", id=task)

    assert await refusal(stranger, "restoreTask", id=task) == "NOT_FOUND"


async def test_a_deleted_task_expires_in_thirty_days(engine_endpoint: str) -> None:
    async with world_at(engine_endpoint) as (world, clock):
        task = await a_task(world)
        assert "expires_at" not in await stored(world, Task, task)
        await done(world, "deleteTask", "task { id }", id=task)
        expiry = int((clock.now + timedelta(days=30)).timestamp())
        item = await stored(world, Task, task)
        assert item["expires_at"] == {"N": str(expiry)}
        assert not {"project_pk", "assignee_pk", "listing_pk"} & item.keys()

        await done(world, "restoreTask", "task { id }", id=task)
        assert "expires_at" not in await stored(world, Task, task)


async def test_a_task_can_be_restored_for_thirty_days(engine_endpoint: str) -> None:
    async with world_at(engine_endpoint) as (world, clock):
        kept, lost = await a_task(world), await a_task(world)
        for task in (kept, lost):
            await done(world, "deleteTask", "task { id }", id=task)
        clock.forward(days=30, seconds=-1)
        await done(world, "restoreTask", "task { id }", id=kept)
        clock.forward(seconds=1)

        assert await refusal(world, "restoreTask", id=lost) == "NOT_FOUND"


async def test_a_restored_task_takes_writes_again(world: World) -> None:
    task = await a_task(world)
    await done(world, "deleteTask", "task { id }", id=task)
    await done(world, "restoreTask", "task { id }", id=task)
    await move(world, task, "in_progress")
    await a_comment(world, task, "Back")

    page = connection_of(await world.data(COMMENTS, task=task))
    assert [edge["node"]["body"] for edge in page["edges"]] == ["Back"]
