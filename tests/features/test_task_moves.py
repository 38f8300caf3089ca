import asyncio

import pytest

from graphql_api.auth.identity import Role
from tests.features.builders import (
    a_project,
    a_task,
    complete,
    done,
    every,
    listed,
    move,
    outcome,
    refusal,
    seen,
    some_tasks,
)
from tests.world import World

BOARD = """query ($id: ID!, $first: Int, $after: String) { project(id: $id) {
    list: tasks(first: $first, after: $after) {
        edges { node { id title } } pageInfo { hasNextPage endCursor } } } }"""


@pytest.fixture
def world(shared_world: World) -> World:
    return shared_world


async def board(world: World, project: str) -> str:
    """The titles of a project's tasks, from the first to the last."""
    return "".join(task["title"] for task in await every(world, BOARD, 100, id=project))


async def place(world: World, tasks: dict[str, str], title: str, behind: str | None) -> None:
    after = tasks[behind] if behind else None
    await done(world, "moveTask", "task { id }", id=tasks[title], to="todo", afterTaskId=after)


async def a_board(world: World, titles: str) -> tuple[str, dict[str, str]]:
    """A project and its tasks by title, in that order."""
    project = await a_project(world)
    ids = await some_tasks(world, [{"title": title} for title in titles], projectId=project)
    return project, dict(zip(titles, ids, strict=True))


async def test_a_task_goes_along_the_workflow_and_is_completed_at_its_end(world: World) -> None:
    task = await a_task(world)
    await move(world, task, "in_progress", "in_review")
    assert await seen(world, task, "status version completedAt") == {
        "status": "in_review",
        "version": 3,
        "completedAt": None,
    }

    await move(world, task, "done")
    finished = await seen(world, task, "status completedAt createdAt updatedAt")
    assert finished["status"] == "done"
    assert finished["createdAt"] < finished["completedAt"] <= finished["updatedAt"]


async def test_a_task_that_leaves_its_last_state_is_open_again(world: World) -> None:
    task = await a_task(world)
    await complete(world, task)
    await move(world, task, "in_progress")

    assert await seen(world, task, "status completedAt") == {"status": "in_progress", "completedAt": None}


@pytest.mark.parametrize("to", ["in_review", "done"])
async def test_a_move_the_workflow_does_not_have_is_refused_and_says_which_it_has(
    world: World, to: str
) -> None:
    task = await a_task(world)
    answer = await outcome(world, "moveTask", "task { id }", id=task, to=to)

    assert (answer["__typename"], answer["code"], answer["field"]) == (
        "InvalidInputError",
        "BAD_USER_INPUT",
        "to",
    )
    assert answer["message"].endswith("it has: in_progress.")
    assert await seen(world, task, "status version") == {"status": "todo", "version": 1}


@pytest.mark.parametrize("to", ["", "nowhere", "TODO", "todo\x00", "x" * 5000])
async def test_a_state_that_the_workflow_does_not_have_is_refused(world: World, to: str) -> None:
    answer = await outcome(world, "moveTask", "task { id }", id=await a_task(world), to=to)

    assert (answer["code"], answer["field"]) == ("BAD_USER_INPUT", "to")


@pytest.mark.parametrize(
    ("role", "to", "allowed"),
    [
        (Role.MEMBER, "in_progress", False),
        (Role.MANAGER, "in_progress", True),
        (Role.ADMIN, "in_progress", True),
    ],
)
async def test_each_transition_asks_for_its_own_role(
    world: World, role: Role, to: str, allowed: bool
) -> None:
    task = await a_task(world)
    await complete(world, task)
    answer = await outcome(world.as_("acme", role), "moveTask", "task { status }", id=task, to=to)

    if allowed:
        assert answer["task"] == {"status": to}
    else:
        assert (answer["__typename"], answer["code"]) == ("ForbiddenError", "FORBIDDEN")
        assert "MANAGER" in answer["message"]
        assert (await seen(world, task, "status"))["status"] == "done"


async def test_a_member_may_take_the_steps_of_members(world: World) -> None:
    task = await a_task(world)
    await complete(world.as_("acme", Role.MEMBER), task)

    assert (await seen(world, task, "status"))["status"] == "done"


async def test_a_move_to_where_the_task_is_changes_nothing(world: World) -> None:
    task = await a_task(world)
    await move(world, task, "todo")

    assert await seen(world, task, "status version") == {"status": "todo", "version": 1}


@pytest.mark.parametrize(
    ("title", "behind", "after"),
    [
        ("c", None, "cabd"),
        ("a", None, "abcd"),
        ("d", "a", "adbc"),
        ("a", "c", "bcad"),
        ("a", "d", "bcda"),
        ("d", "c", "abcd"),
        ("b", "b", "abcd"),
    ],
)
async def test_a_task_is_put_right_behind_another_or_first(
    world: World, title: str, behind: str | None, after: str
) -> None:
    project, tasks = await a_board(world, "abcd")
    await place(world, tasks, title, behind)

    assert await board(world, project) == after


async def test_tasks_put_behind_the_same_one_in_turn_stand_latest_first(world: World) -> None:
    project, tasks = await a_board(world, "abcde")
    for title in "cde":
        await place(world, tasks, title, "a")

    assert await board(world, project) == "aedcb"


async def test_there_is_always_room_between_two_tasks(world: World) -> None:
    project, tasks = await a_board(world, "abcd")
    for _ in range(10):
        await place(world, tasks, "c", "a")
        await place(world, tasks, "d", "a")

    assert await board(world, project) == "adcb"


async def test_there_is_always_room_at_the_top(world: World) -> None:
    project, tasks = await a_board(world, "ab")
    for _ in range(10):
        await place(world, tasks, "b", None)
        await place(world, tasks, "a", None)

    assert await board(world, project) == "ab"


async def test_a_place_without_room_is_refused_and_nothing_moves(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graphql_api.features.tasks.rules.MAX_POSITION", 26)
    project, tasks = await a_board(world, "abcd")
    order, answer = "", {}
    for title in "cd" * 100:
        order = await board(world, project)
        place = {"id": tasks[title], "to": "todo", "afterTaskId": tasks["a"]}
        answer = await outcome(world, "moveTask", "task { id }", **place)
        if "code" in answer:
            break

    assert (answer["code"], answer["field"]) == ("BAD_USER_INPUT", "afterTaskId")
    assert await board(world, project) == order


async def test_tasks_put_behind_the_same_one_at_once_stand_behind_it_and_before_the_next(
    world: World,
) -> None:
    project, tasks = await a_board(world, "abcdef")
    await asyncio.gather(*(place(world, tasks, title, "a") for title in "cdef"))

    order = await board(world, project)
    assert (order[0], order[-1]) == ("a", "b")
    assert sorted(order) == list("abcdef")
    await place(world, tasks, "b", order[2])
    assert await board(world, project) == f"{order[:3]}b{order[3:5]}"


async def test_a_move_can_go_to_another_state_and_place_at_once(world: World) -> None:
    project, tasks = await a_board(world, "abc")
    await done(world, "moveTask", "task { id }", id=tasks["c"], to="in_progress", afterTaskId=tasks["a"])

    assert await board(world, project) == "acb"
    assert await seen(world, tasks["c"], "status version") == {"status": "in_progress", "version": 2}


async def test_a_state_change_keeps_the_place_on_the_board(world: World) -> None:
    project, tasks = await a_board(world, "abc")
    await move(world, tasks["b"], "in_progress")
    await move(world, tasks["a"], "in_progress")

    assert await board(world, project) == "abc"
    assert await listed(world, filter={"projectId": project, "status": "in_progress"}) == ["a", "b"]


async def test_new_tasks_stand_at_the_end(world: World) -> None:
    project, tasks = await a_board(world, "abc")
    await place(world, tasks, "a", "c")
    await a_task(world, project, "d")

    assert await board(world, project) == "bcad"


async def test_a_task_of_another_project_is_no_neighbour(world: World) -> None:
    task, stranger = await a_task(world), await a_task(world)
    answer = await outcome(world, "moveTask", "task { id }", id=task, to="todo", afterTaskId=stranger)

    assert (answer["code"], answer["field"]) == ("BAD_USER_INPUT", "afterTaskId")
    assert (await seen(world, task, "version"))["version"] == 1


async def test_a_deleted_task_is_no_neighbour(world: World) -> None:
    _, tasks = await a_board(world, "ab")
    await done(world, "deleteTask", "task { id }", id=tasks["a"])

    code = await refusal(world, "moveTask", id=tasks["b"], to="todo", afterTaskId=tasks["a"])
    assert code == "NOT_FOUND"


async def test_a_completed_task_keeps_its_time_when_it_is_placed(world: World) -> None:
    _, tasks = await a_board(world, "ab")
    await complete(world, tasks["b"])
    before = await seen(world, tasks["b"], "completedAt")
    await done(world, "moveTask", "task { id }", id=tasks["b"], to="done", afterTaskId=None)

    assert await seen(world, tasks["b"], "completedAt") == before
