"""Concurrent and conflicting writes: nothing is lost, and who came too late is told what stands."""

import asyncio
from typing import Any

import pytest

from graphql_api.auth.identity import Role
from tests.features.builders import a_comment, a_project, a_task, done, outcome, refusal, seen
from tests.world import World


@pytest.fixture
def world(shared_world: World) -> World:
    return shared_world


async def test_the_expected_version_lets_the_write_pass(world: World) -> None:
    task = await a_task(world)
    answer = await done(world, "updateTask", "task { version }", id=task, title="Grind", expectedVersion=1)

    assert answer == {"version": 2}


@pytest.mark.parametrize("expected", [1, 3, 0, -1])
async def test_another_version_is_a_conflict_that_shows_what_stands(world: World, expected: int) -> None:
    task = await a_task(world)
    await done(world, "updateTask", "task { id }", id=task, title="Grind")
    answer = await outcome(
        world, "updateTask", "task { id }", id=task, title="Paint", expectedVersion=expected
    )

    assert (answer["__typename"], answer["code"]) == ("ConflictError", "CONFLICT")
    assert answer["current"] == {"id": task, "title": "Grind", "version": 2}
    assert await seen(world, task, "title") == {"title": "Grind"}


@pytest.mark.parametrize(
    ("mutation", "payload"),
    [
        ("moveTask", {"to": "in_progress"}),
        ("moveTask", {"to": "todo", "afterTaskId": None}),
        ("deleteTask", {}),
        ("updateTask", {}),
    ],
)
async def test_every_write_of_a_task_minds_the_expected_version(
    world: World, mutation: str, payload: dict[str, Any]
) -> None:
    task = await a_task(world)
    answer = await outcome(world, mutation, "task { id }", id=task, expectedVersion=7, **payload)

    assert answer["current"]["version"] == 1
    assert (await seen(world, task, "version"))["version"] == 1


async def test_comments_projects_and_workflows_answer_conflicts_with_what_stands(world: World) -> None:
    project = await a_project(world)
    comment = await a_comment(world, await a_task(world, project))
    shape = {"states": [{"key": "a", "name": "A", "category": "TODO"}], "transitions": []}

    for mutation, selection, payload in (
        ("updateProject", "project { id }", {"id": project, "name": "Arm"}),
        ("deleteProject", "project { id }", {"id": await a_project(world)}),
        ("updateComment", "comment { id }", {"id": comment, "body": "No"}),
        ("deleteComment", "comment { id }", {"id": comment}),
        ("updateWorkflow", "workflow { version }", shape),
    ):
        answer = await outcome(world, mutation, selection, expectedVersion=2, **payload)
        assert (answer["code"], answer["current"]["version"]) == ("CONFLICT", 1), mutation


async def test_a_write_without_a_version_applies_to_what_stands(world: World) -> None:
    task = await a_task(world, title="Weld")
    await asyncio.gather(
        done(world, "updateTask", "task { id }", id=task, title="Grind"),
        done(world, "updateTask", "task { id }", id=task, description="Flat"),
        done(world, "updateTask", "task { id }", id=task, priority="HIGH"),
        done(world, "updateTask", "task { id }", id=task, dueOn="2031-01-01"),
        done(world, "moveTask", "task { id }", id=task, to="in_progress"),
    )

    assert await seen(world, task, "title description priority dueOn status version") == {
        "title": "Grind",
        "description": "Flat",
        "priority": "HIGH",
        "dueOn": "2031-01-01",
        "status": "in_progress",
        "version": 6,
    }


async def test_twenty_updates_at_once_take_effect_one_by_one(world: World) -> None:
    task = await a_task(world)
    answers = await asyncio.gather(
        *(done(world, "updateTask", "task { version title }", id=task, title=f"t{i}") for i in range(20))
    )

    assert sorted(answer["version"] for answer in answers) == list(range(2, 22))
    last = max(answers, key=lambda answer: answer["version"])
    assert await seen(world, task, "version title") == last


async def test_of_twenty_updates_that_expect_one_version_one_takes_effect(world: World) -> None:
    task = await a_task(world)
    answers = await asyncio.gather(
        *(
            outcome(world, "updateTask", "task { version }", id=task, title=f"t{i}", expectedVersion=1)
            for i in range(20)
        )
    )

    kinds = [answer["__typename"] for answer in answers]
    assert (kinds.count("UpdateTaskPayload"), kinds.count("ConflictError")) == (1, 19)
    assert await seen(world, task, "version") == {"version": 2}


async def test_moves_at_once_each_start_from_where_the_last_one_ended(world: World) -> None:
    task = await a_task(world)
    answers = await asyncio.gather(
        *(outcome(world, "moveTask", "task { version }", id=task, to="in_progress") for _ in range(5)),
        *(outcome(world, "moveTask", "task { version }", id=task, to="done") for _ in range(5)),
    )

    assert [answer["__typename"] for answer in answers] == ["MoveTaskPayload"] * 5 + ["InvalidInputError"] * 5
    assert await seen(world, task, "status version") == {"status": "in_progress", "version": 2}


async def test_of_deletions_at_once_one_takes_effect(world: World) -> None:
    task = await a_task(world)
    answers = await asyncio.gather(
        *(outcome(world, "deleteTask", "task { version }", id=task) for _ in range(8))
    )

    kinds = [answer["__typename"] for answer in answers]
    assert (kinds.count("DeleteTaskPayload"), kinds.count("NotFoundError")) == (1, 7)
    restored = await done(world, "restoreTask", "task { version }", id=task)
    assert restored == {"version": 3}


async def test_restorations_at_once_are_one_version(world: World) -> None:
    task = await a_task(world)
    await done(world, "deleteTask", "task { id }", id=task)
    answers = await asyncio.gather(
        *(done(world, "restoreTask", "task { version }", id=task) for _ in range(8))
    )

    assert answers == [{"version": 3}] * 8


async def test_writes_and_a_deletion_at_once_leave_a_deleted_task(world: World) -> None:
    task = await a_task(world)
    answers = await asyncio.gather(
        *(outcome(world, "updateTask", "task { version }", id=task, title=f"t{i}") for i in range(6)),
        outcome(world, "deleteTask", "task { version }", id=task),
        *(outcome(world, "updateTask", "task { version }", id=task, title=f"u{i}") for i in range(6)),
    )

    assert {answer["__typename"] for answer in answers} <= {
        "UpdateTaskPayload",
        "DeleteTaskPayload",
        "NotFoundError",
    }
    assert await refusal(world, "updateTask", id=task, title="x") == "NOT_FOUND"
    effects = [answer for answer in answers if "task" in answer]
    assert sorted(answer["task"]["version"] for answer in effects) == list(range(2, len(effects) + 2))


async def test_different_members_do_not_lose_each_others_writes(world: World) -> None:
    task = await a_task(world)
    roles = (Role.MEMBER, Role.MANAGER, Role.ADMIN)
    await asyncio.gather(
        *(
            done(world.as_("acme", role), "updateTask", "task { id }", id=task, title=f"{role}{i}")
            for role in roles
            for i in range(4)
        )
    )

    assert (await seen(world, task, "version"))["version"] == 13
