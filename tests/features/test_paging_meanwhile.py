"""Pages of lists that change while they are read, that have no rows, or more than a page can have."""

import pytest

from tests.features.builders import (
    COMMENTS,
    TASKS,
    a_project,
    a_task,
    connection_of,
    done,
    every,
    move,
    pages,
    some_tasks,
)
from tests.world import World

pytestmark = pytest.mark.identity(tenant="acme", role="ADMIN")


@pytest.mark.parametrize("size", [1, 3, 100])
async def test_rows_that_stand_still_are_each_seen_once_while_others_come_and_go(
    world: World, size: int
) -> None:
    project = await a_project(world)
    still = [f"still {number}" for number in range(9)]
    rows = [{"title": title, "dueOn": f"2031-01-{2 * day + 1:02}"} for day, title in enumerate(still)]
    await some_tasks(world, rows, projectId=project)
    for wanted in ({"projectId": project}, {}, {"dueFrom": "2020-01-01"}):
        seen, others = list[str](), list[str]()
        async for page in pages(world, TASKS, size, filter=wanted):
            seen += [node["title"] for node in page]
            if len(others) < 9:
                others += await rustle(world, project, others)
        assert [title for title in seen if title in still] == still, wanted


async def rustle(world: World, project: str, others: list[str]) -> list[str]:
    """Other rows appear before, between and behind, and earlier ones move or vanish."""
    if others:
        await done(world, "deleteTask", "task { id }", id=others[-1])
        await done(world, "moveTask", "task { id }", id=others[-2], to="todo", afterTaskId=None)
    days = ("2031-01-02", "2031-01-10", "2031-01-30")
    return await some_tasks(world, [{"title": "other", "dueOn": day} for day in days], projectId=project)


async def test_a_page_goes_on_from_a_row_that_was_deleted_or_moved_away(world: World) -> None:
    project = await a_project(world)
    tasks = await some_tasks(world, [{"title": title} for title in "abcde"], projectId=project)
    for wanted in ({"projectId": project}, {"projectId": project, "status": "todo"}):
        page = connection_of(await world.data(TASKS, first=2, filter=wanted))
        await done(world, "deleteTask", "task { id }", id=tasks[1])
        rest = await every_after(world, page["pageInfo"]["endCursor"], wanted)
        assert rest == ["c", "d", "e"]
        await done(world, "restoreTask", "task { id }", id=tasks[1])
        await move(world, tasks[1], "in_progress")
        assert await every_after(world, page["pageInfo"]["endCursor"], wanted) == ["c", "d", "e"]
        await done(world, "moveTask", "task { id }", id=tasks[1], to="todo")


async def every_after(world: World, cursor: str, wanted: dict[str, str]) -> list[str]:
    page = connection_of(await world.data(TASKS, after=cursor, filter=wanted))
    return [edge["node"]["title"] for edge in page["edges"]]


async def test_a_list_longer_than_a_page_of_a_hundred_is_read_whole(world: World) -> None:
    project = await a_project(world)
    titles = [f"{number:03}" for number in range(130)]
    for start in (0, 65):
        rows = [{"title": title} for title in titles[start : start + 65]]
        await some_tasks(world, rows, projectId=project)

    for wanted in ({"projectId": project}, {"completed": False}):
        assert [node["title"] for node in await every(world, TASKS, 100, filter=wanted)] == titles


async def test_a_list_without_rows_is_an_empty_page(world: World) -> None:
    task = await a_task(world)
    for query, variables in ((COMMENTS, {"task": task}), (TASKS, {"filter": {"completed": True}})):
        assert connection_of(await world.data(query, **variables)) == {
            "edges": [],
            "pageInfo": {
                "hasNextPage": False,
                "hasPreviousPage": False,
                "startCursor": None,
                "endCursor": None,
            },
        }


async def test_a_page_has_twenty_rows_unless_it_says_otherwise(world: World) -> None:
    project = await a_project(world)
    await some_tasks(world, [{"title": str(number)} for number in range(21)], projectId=project)

    for variables in ({}, {"first": None}):
        page = connection_of(await world.data(TASKS, filter={"projectId": project}, **variables))
        assert len(page["edges"]) == 20
        assert page["pageInfo"]["hasNextPage"]
    bare = await world.data("{ tasks { edges { cursor } } }")
    assert len(bare["tasks"]["edges"]) == 20
