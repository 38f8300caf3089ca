from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any

import pytest

from graphql_api.auth.identity import Role
from tests.features.builders import (
    TASKS,
    Clock,
    a_project,
    a_task,
    complete,
    connection_of,
    done,
    every,
    listed,
    member_id,
    move,
    some_tasks,
    world_at,
)
from tests.world import World

pytestmark = pytest.mark.identity(tenant="acme", role="ADMIN")

MEMBER, MANAGER = member_id("acme", Role.MEMBER), member_id("acme", Role.MANAGER)


@pytest.fixture
async def clocked(engine_endpoint: str) -> AsyncIterator[tuple[World, Clock]]:
    """A world at noon of 17 May 2030."""
    async with world_at(engine_endpoint) as opened:
        yield opened


async def completed(world: World, clock: Clock, *rows: dict[str, Any]) -> None:
    """Tasks completed an hour apart, in this order."""
    for row in rows:
        (task,) = await some_tasks(world, [row])
        clock.forward(hours=1)
        await complete(world, task)


async def test_the_tasks_of_a_project_come_in_the_order_of_its_board(world: World) -> None:
    project, other = await a_project(world), await a_project(world, "Arm")
    rows = [{"title": title, "dueOn": due} for title, due in (("a", "2031-03-01"), ("b", None))]
    await some_tasks(world, rows, projectId=project)
    await a_task(world, other, "elsewhere")
    await a_task(world, project, "c", dueOn="2031-01-01")

    assert await listed(world, filter={"projectId": project}) == ["a", "b", "c"]
    assert await listed(world, filter={"projectId": project}, orderBy="POSITION") == ["a", "b", "c"]


async def test_the_tasks_of_a_project_in_one_state_come_in_the_order_of_its_board(world: World) -> None:
    project, other = await a_project(world), await a_project(world, "Arm")
    tasks = await some_tasks(world, [{"title": title} for title in "abcd"], projectId=project)
    moved = await a_task(world, other, "elsewhere")
    for task in (tasks[3], tasks[1], moved):
        await move(world, task, "in_progress")

    for status, titles in {"todo": ["a", "c"], "in_progress": ["b", "d"], "done": [], "unknown": []}.items():
        assert await listed(world, filter={"projectId": project, "status": status}) == titles


@pytest.mark.parametrize(
    ("owner", "others"),
    [("projectId", {"assigneeId": MANAGER}), ("assigneeId", {"assigneeId": MANAGER})],
)
async def test_an_agenda_has_open_tasks_by_due_date_then_completed_ones_latest_first(
    clocked: tuple[World, Clock], owner: str, others: dict[str, str]
) -> None:
    world, clock = clocked
    project = await a_project(world)
    mine = {"projectId": project, "assigneeId": MEMBER}
    await completed(world, clock, {"title": "first", **mine}, {"title": "last", **mine})
    await some_tasks(
        world,
        [
            {"title": "undated"},
            {"title": "late", "dueOn": "2032-01-01"},
            {"title": "soon", "dueOn": "2029-12-31"},
            {"title": "never", "dueOn": "9999-12-31"},
            {"title": "ancient", "dueOn": "0001-01-01"},
        ],
        **mine,
    )
    await some_tasks(world, [{"title": "x", "projectId": await a_project(world, "Arm"), **others}])

    agenda = ["ancient", "soon", "late", "never", "undated", "last", "first"]
    mine_only = {owner: mine[owner]}
    assert await listed(world, filter=mine_only, orderBy="AGENDA") == agenda
    assert await listed(world, filter={**mine_only, "completed": False}) == agenda[:5]
    assert await listed(world, filter={**mine_only, "completed": True}) == agenda[5:]


async def test_an_agenda_has_tasks_of_one_day_in_the_order_they_were_made(world: World) -> None:
    project = await a_project(world)
    await some_tasks(world, [{"title": t} for t in "dbca"], projectId=project, dueOn="2031-01-01")

    assert await listed(world, filter={"projectId": project}, orderBy="AGENDA") == list("dbca")


async def test_the_tasks_of_a_person_are_their_agenda(world: World) -> None:
    project = await a_project(world)
    await some_tasks(
        world,
        [{"title": "b", "dueOn": "2031-02-01"}, {"title": "a", "dueOn": "2031-01-01"}],
        projectId=project,
        assigneeId=MEMBER,
    )
    await a_task(world, project, "unassigned")

    data = await world.as_("acme", Role.MEMBER).data("{ viewer { tasks { edges { node { title } } } } }")
    assert [edge["node"]["title"] for edge in data["viewer"]["tasks"]["edges"]] == ["a", "b"]


async def test_tasks_leave_and_enter_lists_as_they_change(world: World) -> None:
    project, other = await a_project(world), await a_project(world, "Arm")
    task = await a_task(world, project, assigneeId=MEMBER, dueOn="2031-01-01")
    await done(
        world, "updateTask", "task { id }", id=task, projectId=other, assigneeId=MANAGER, dueOn="2032-01-01"
    )
    await move(world, task, "in_progress")

    left = ({"projectId": project}, {"assigneeId": MEMBER}, {"dueTo": "2031-12-31"})
    entered = (
        {"projectId": other, "status": "in_progress"},
        {"assigneeId": MANAGER},
        {"dueFrom": "2032-01-01"},
    )
    assert [await listed(world, filter=wanted) for wanted in left] == [[], [], []]
    assert [await listed(world, filter=wanted) for wanted in entered] == [["Weld"]] * 3
    await done(world, "updateTask", "task { id }", id=task, assigneeId=None)
    assert await listed(world, filter={"assigneeId": MANAGER}) == []


async def test_a_reopened_task_goes_back_among_the_open_ones(world: World) -> None:
    task = await a_task(world)
    await complete(world, task)
    assert await listed(world, filter={"completed": False}) == []
    await move(world, task, "in_progress")

    assert await listed(world, filter={"completed": False}) == ["Weld"]
    assert await listed(world, filter={"completed": True}) == []


async def test_the_tenants_agenda_is_one_list_in_order_whatever_shard_its_tasks_are_in(world: World) -> None:
    project = await a_project(world)
    start = date(2031, 1, 1)
    # 37 is prime to 60: every day once, in an order of no use to anybody.
    days = [start + timedelta(days=number * 37 % 60) for number in range(60)]
    await some_tasks(world, [{"title": str(day), "dueOn": str(day)} for day in days], projectId=project)

    agenda = sorted(str(day) for day in days)
    assert await listed(world, first=100) == agenda
    assert await listed(world, first=7) == agenda[:7]
    between = {"dueFrom": agenda[10], "dueTo": agenda[49]}
    assert await listed(world, first=100, filter=between) == agenda[10:50]


async def test_tasks_due_in_a_range_include_both_its_ends(world: World) -> None:
    project = await a_project(world)
    days = ["2031-01-30", "2031-01-31", "2031-02-01", "2031-02-02"]
    await some_tasks(world, [{"title": day, "dueOn": day} for day in days], projectId=project)
    await some_tasks(world, [{"title": "undated"}], projectId=project)

    for wanted, titles in (
        ({"dueFrom": days[1], "dueTo": days[2]}, days[1:3]),
        ({"dueFrom": days[2], "dueTo": days[2]}, days[2:3]),
        ({"dueFrom": days[3]}, days[3:]),
        ({"dueTo": days[0]}, days[:1]),
        ({"dueFrom": "2031-02-03"}, []),
        ({"dueFrom": "0001-01-01", "dueTo": "9999-12-31", "completed": False}, days),
    ):
        assert await listed(world, filter=wanted) == titles, wanted
        assert await listed(world, filter={**wanted, "projectId": project}) == titles, wanted


async def test_a_completed_task_is_not_due(world: World) -> None:
    await complete(world, await a_task(world, dueOn="2020-01-01"))

    assert await listed(world, filter={"dueTo": "2031-01-01"}) == []
    assert await listed(world, filter={"overdue": True}) == []


async def test_overdue_tasks_were_due_before_today(clocked: tuple[World, Clock]) -> None:
    world, clock = clocked
    project = await a_project(world)
    days = ["2030-05-01", "2030-05-16", "2030-05-17", "2030-05-18"]
    rows = [{"title": day, "dueOn": day, "assigneeId": MEMBER} for day in days]
    await some_tasks(world, rows, projectId=project)
    await some_tasks(world, [{"title": "undated"}], projectId=project)

    assert await listed(world, filter={"overdue": True}) == days[:2]
    assert await listed(world, filter={"overdue": True, "dueFrom": days[1]}) == days[1:2]
    assert await listed(world, filter={"overdue": True, "dueTo": days[0]}) == days[:1]
    assert await listed(world, filter={"overdue": True, "projectId": project}) == days[:2]
    assert await listed(world, filter={"overdue": True, "assigneeId": MEMBER}) == days[:2]
    clock.forward(hours=12)
    assert await listed(world, filter={"overdue": True}) == days[:3]


async def test_completed_tasks_come_latest_first_for_a_person_a_project_and_the_tenant(
    clocked: tuple[World, Clock],
) -> None:
    world, clock = clocked
    projects = [await a_project(world, name) for name in ("Gripper", "Arm")]
    owners = [(0, MEMBER), (1, MEMBER), (0, MANAGER), (1, MANAGER)]
    rows = [
        {"title": title, "projectId": projects[project], "assigneeId": person}
        for title, (project, person) in zip("abcd", owners, strict=True)
    ]
    await completed(world, clock, *rows)
    await a_task(world, projects[0], "open", assigneeId=MEMBER)

    assert await listed(world, filter={"completed": True}) == ["d", "c", "b", "a"]
    assert await listed(world, filter={"completed": True, "assigneeId": MEMBER}) == ["b", "a"]
    assert await listed(world, filter={"completed": True, "projectId": projects[0]}) == ["c", "a"]


async def test_lists_of_another_tenant_hold_nothing_of_this_one(world: World) -> None:
    project = await a_project(world)
    await a_task(world, project, assigneeId=MEMBER, dueOn="2031-01-01")
    globex = world.as_("globex", Role.ADMIN)

    for wanted in ({}, {"projectId": project}, {"assigneeId": MEMBER}, {"dueFrom": "2030-01-01"}):
        assert await listed(globex, filter=wanted) == []


async def test_every_row_of_a_list_is_the_task_itself(world: World) -> None:
    project = await a_project(world)
    ids = await some_tasks(world, [{"title": t} for t in "ab"], projectId=project)
    nodes = await every(world, TASKS, 10, filter={"projectId": project})

    assert [node["id"] for node in nodes] == ids
    page = connection_of(await world.data(TASKS, filter={"projectId": project}))
    assert page["pageInfo"]["startCursor"] == page["edges"][0]["cursor"]
    assert page["pageInfo"]["endCursor"] == page["edges"][-1]["cursor"]
