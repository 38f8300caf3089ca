"""Cursors are opaque: whatever the server did not issue for this very list and tenant is refused alike."""

import base64
from typing import Any

import pytest

from graphql_api.auth.identity import Role
from tests.features.builders import (
    COMMENTS,
    TASKS,
    a_comment,
    a_project,
    a_task,
    connection_of,
    member_id,
    some_tasks,
    world_at,
)
from tests.world import World

MEMBER, MANAGER = member_id("acme", Role.MEMBER), member_id("acme", Role.MANAGER)
USERS = "query ($after: String) { list: users(after: $after) { edges { cursor } } }"
PROJECTS = "query ($after: String) { list: projects(after: $after) { edges { cursor } } }"
MESSAGE = "The cursor is not valid for this list."


@pytest.fixture
def world(shared_world: World) -> World:
    return shared_world


async def first_cursor(world: World, query: str, **variables: Any) -> str:
    return connection_of(await world.data(query, **variables))["edges"][0]["cursor"]


async def verdict(world: World, query: str, cursor: str, **variables: Any) -> str | None:
    """The code that a cursor is refused with, None for one that is not."""
    answer = await world.execute(query, after=cursor, **variables)
    if not answer.errors:
        return None
    (error,) = answer.errors
    assert error["message"] == MESSAGE
    assert answer.reply.status == 200
    return error["extensions"]["code"]


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "=",
        "AAAA",
        "é",
        "\x00",
        "\N{GRINNING FACE}",
        "null",
        "YWJj" * 12,
        "YWJj" * 768,
        base64.urlsafe_b64encode(bytes(64)).decode(),
        base64.urlsafe_b64encode(b"T#globex#AGENDA#0").decode(),
    ],
)
async def test_what_is_no_cursor_is_refused_in_every_list(world: World, cursor: str) -> None:
    task = await a_task(world)
    for query, variables in (
        (TASKS, {}),
        (TASKS, {"filter": {"assigneeId": MEMBER}}),
        (USERS, {}),
        (PROJECTS, {}),
        (COMMENTS, {"task": task}),
    ):
        assert await verdict(world, query, cursor, **variables) == "BAD_CURSOR", (query, variables)


async def test_a_lone_surrogate_is_no_cursor(world: World) -> None:
    answer = await world.execute(TASKS, after="\ud800")

    assert answer.codes in (["BAD_CURSOR"], ["BAD_REQUEST"])


async def test_a_cursor_that_was_tampered_with_anywhere_is_refused(world: World) -> None:
    project = await a_project(world)
    await some_tasks(world, [{"title": "a"}, {"title": "b"}], projectId=project)
    wanted = {"filter": {"projectId": project}}
    good = await first_cursor(world, TASKS, **wanted)
    assert await verdict(world, TASKS, good, **wanted) is None

    for place in range(len(good)):
        other = "A" if good[place] != "A" else "B"
        for bad in (good[:place] + other + good[place + 1 :], good[:place] + good[place + 1 :]):
            assert await verdict(world, TASKS, bad, **wanted) == "BAD_CURSOR", bad
    for bad in (good + "=", good + "A", good + "\n", " " + good, good.swapcase(), good * 2):
        assert await verdict(world, TASKS, bad, **wanted) == "BAD_CURSOR", bad


async def test_a_cursor_is_good_for_one_list_only(world: World) -> None:
    project, other = await a_project(world), await a_project(world, "Arm")
    task = await a_task(world, project, assigneeId=MEMBER, dueOn="2020-01-01")
    elsewhere = await a_task(world, other, assigneeId=MANAGER, dueOn="2020-01-01")
    for commented in (task, elsewhere):
        await a_comment(world, commented)
    lists: list[tuple[str, dict[str, Any]]] = [
        (USERS, {}),
        (PROJECTS, {}),
        (COMMENTS, {"task": task}),
        (COMMENTS, {"task": elsewhere}),
        (TASKS, {"filter": {"projectId": project}}),
        (TASKS, {"filter": {"projectId": other}}),
        (TASKS, {"filter": {"projectId": project, "status": "todo"}}),
        (TASKS, {"filter": {"projectId": project}, "orderBy": "AGENDA"}),
        (TASKS, {"filter": {"projectId": project, "completed": False}}),
        (TASKS, {"filter": {"projectId": project, "dueFrom": "2019-01-01"}}),
        (TASKS, {"filter": {"projectId": project, "dueFrom": "2019-01-02"}}),
        (TASKS, {"filter": {"assigneeId": MEMBER}}),
        (TASKS, {"filter": {"assigneeId": MANAGER}}),
        (TASKS, {}),
        (TASKS, {"filter": {"completed": False}}),
        (TASKS, {"filter": {"overdue": True}}),
    ]
    cursors = [await first_cursor(world, query, **variables) for query, variables in lists]

    for own, cursor in enumerate(cursors):
        for place, (query, variables) in enumerate(lists):
            expected = None if place == own else "BAD_CURSOR"
            assert await verdict(world, query, cursor, **variables) == expected, (lists[own], lists[place])


async def test_a_cursor_of_another_tenant_is_refused(world: World) -> None:
    globex = world.as_("globex", Role.ADMIN)
    for place in (world, globex):
        await a_task(place)
    for query in (TASKS, USERS, PROJECTS):
        cursor = await first_cursor(world, query)
        assert await verdict(globex, query, cursor) == "BAD_CURSOR"


async def test_a_cursor_can_be_handed_to_a_colleague(world: World) -> None:
    await a_task(world)
    cursor = await first_cursor(world, TASKS)

    assert await verdict(world.as_("acme", Role.VIEWER), TASKS, cursor) is None


async def test_a_cursor_does_not_depend_on_the_size_of_its_page(world: World) -> None:
    project = await a_project(world)
    await some_tasks(world, [{"title": title} for title in "abc"], projectId=project)
    cursors = {await first_cursor(world, TASKS, first=first) for first in (1, 2, 100)}

    assert len(cursors) == 1


async def test_a_cursor_shows_nothing_of_the_tenant(world: World) -> None:
    await a_task(world, dueOn="2031-01-01")
    cursor = await first_cursor(world, TASKS)
    sealed = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))

    assert b"acme" not in sealed
    assert b"T#" not in sealed


async def test_a_cursor_lives_for_a_day(engine_endpoint: str) -> None:
    async with world_at(engine_endpoint) as (world, clock):
        task = await a_task(world)
        await a_comment(world, task)
        lists = ((TASKS, {}), (USERS, {}), (COMMENTS, {"task": task}))
        cursors = [await first_cursor(world, query, **variables) for query, variables in lists]
        clock.forward(hours=24)
        for cursor, (query, variables) in zip(cursors, lists, strict=True):
            assert await verdict(world, query, cursor, **variables) is None
        clock.forward(hours=1)
        for cursor, (query, variables) in zip(cursors, lists, strict=True):
            assert await verdict(world, query, cursor, **variables) == "BAD_CURSOR"
