"""A mutation sent again under its idempotency key: the effect happens once, whoever else writes meanwhile."""

import asyncio
import uuid
from typing import Any

import pytest

from graphql_api.auth.identity import Role
from tests.features.builders import (
    COMMENTS,
    a_comment,
    a_project,
    a_task,
    done,
    every,
    failing,
    listed,
    outcome,
    refusal,
    seen,
    world_at,
)
from tests.world import World


@pytest.fixture
def world(shared_world: World) -> World:
    return shared_world


@pytest.fixture
def key() -> str:
    return uuid.uuid4().hex


async def titles(world: World, project: str) -> list[str]:
    return await listed(world, filter={"projectId": project})


async def test_a_task_created_twice_under_one_key_is_one_task(world: World, key: str) -> None:
    project = await a_project(world)
    first = await a_task(world, project, idempotencyKey=key)
    again = await a_task(world, project, idempotencyKey=key)

    assert again == first
    assert await titles(world, project) == ["Weld"]


async def test_a_repetition_answers_with_the_task_as_it_is_now(world: World, key: str) -> None:
    project = await a_project(world)
    task = await a_task(world, project, idempotencyKey=key)
    await done(world, "updateTask", "task { id }", id=task, title="Grind")
    await done(world, "deleteTask", "task { id }", id=task)

    again = {"projectId": project, "title": "Weld", "idempotencyKey": key}
    assert await done(world, "createTask", "task { id title version }", **again) == {
        "id": task,
        "title": "Grind",
        "version": 3,
    }


async def test_absent_and_default_values_are_the_same_input_and_null_is_not(world: World, key: str) -> None:
    project = await a_project(world)
    task = await a_task(world, project, idempotencyKey=key)
    assert await a_task(world, project, idempotencyKey=key, priority="MEDIUM", description=None) == task

    update = {"id": task, "idempotencyKey": key}
    await done(world, "updateTask", "task { id }", title="Grind", **update)
    assert await refusal(world, "updateTask", title="Grind", dueOn=None, **update) == "IDEMPOTENCY_MISMATCH"


@pytest.mark.parametrize("change", [{"title": "Grind"}, {"dueOn": "2031-01-01"}, {"priority": "LOW"}])
async def test_other_input_under_the_same_key_is_refused(
    world: World, key: str, change: dict[str, Any]
) -> None:
    project = await a_project(world)
    row = {"projectId": project, "title": "Weld", "idempotencyKey": key}
    await done(world, "createTask", "task { id }", **row)
    answer = await outcome(world, "createTask", "task { id }", **{**row, **change})

    assert (answer["__typename"], answer["code"], answer["field"]) == (
        "InvalidInputError",
        "IDEMPOTENCY_MISMATCH",
        "idempotencyKey",
    )
    assert await titles(world, project) == ["Weld"]


async def test_a_key_belongs_to_one_user_one_mutation_and_one_tenant(world: World, key: str) -> None:
    project = await a_project(world)
    mine = await a_task(world, project, idempotencyKey=key)
    theirs = await a_task(world.as_("acme", Role.MEMBER), project, idempotencyKey=key)
    await done(world, "updateTask", "task { id }", id=mine, title="Grind", idempotencyKey=key)
    globex = world.as_("globex", Role.ADMIN)
    abroad = await a_project(globex)
    elsewhere = await a_task(globex, abroad, "Other", idempotencyKey=key)

    assert len({mine, theirs, elsewhere}) == 3
    assert await titles(world, project) == ["Grind", "Weld"]
    assert await titles(globex, abroad) == ["Other"]


async def test_keys_are_told_apart_to_the_letter(world: World) -> None:
    project = await a_project(world)
    keys = ("k", "K", "k ", "k#0", "#", "\x00", "é", "e\N{COMBINING ACUTE ACCENT}", "x" * 255)
    tasks = {await a_task(world, project, idempotencyKey=key) for key in keys}

    assert len(tasks) == len(keys)


async def test_a_task_created_many_times_at_once_under_one_key_is_one_task(world: World, key: str) -> None:
    project = await a_project(world)
    tasks = await asyncio.gather(*(a_task(world, project, idempotencyKey=key) for _ in range(12)))

    assert len(set(tasks)) == 1
    assert await titles(world, project) == ["Weld"]


async def test_different_inputs_at_once_under_one_key_leave_one_effect(world: World, key: str) -> None:
    project = await a_project(world)
    row = {"projectId": project, "idempotencyKey": key}
    answers = await asyncio.gather(
        *(outcome(world, "createTask", "task { title }", title=f"t{i}", **row) for i in range(8))
    )

    created = [answer["task"]["title"] for answer in answers if "task" in answer]
    assert [answer["code"] for answer in answers if "code" in answer] == ["IDEMPOTENCY_MISMATCH"] * 7
    assert await titles(world, project) == created


@pytest.mark.parametrize(
    ("mutation", "selection", "payload"),
    [
        ("updateTask", "task { version }", {"title": "Grind"}),
        ("moveTask", "task { version }", {"to": "in_progress"}),
        ("moveTask", "task { version }", {"to": "todo", "afterTaskId": None}),
        ("deleteTask", "task { version }", {}),
    ],
)
async def test_a_repeated_write_is_one_version(
    world: World, key: str, mutation: str, selection: str, payload: dict[str, Any]
) -> None:
    send = {"id": await a_task(world), "expectedVersion": 1, "idempotencyKey": key, **payload}
    answers = [await done(world, mutation, selection, **send) for _ in range(3)]

    assert answers == [{"version": 2}] * 3


async def test_a_repeated_update_does_not_undo_what_came_after_it(world: World, key: str) -> None:
    task = await a_task(world)
    update = {"id": task, "title": "Grind", "idempotencyKey": key}
    await done(world, "updateTask", "task { id }", **update)
    await done(world, "updateTask", "task { id }", id=task, title="Paint")

    assert await done(world, "updateTask", "task { title }", **update) == {"title": "Paint"}


async def test_a_repeated_update_that_changed_nothing_does_not_undo_what_came_after_it(
    world: World, key: str
) -> None:
    task = await a_task(world, title="Weld")
    update = {"id": task, "title": "Weld", "idempotencyKey": key}
    assert await done(world, "updateTask", "task { version }", **update) == {"version": 1}
    await done(world, "updateTask", "task { id }", id=task, title="Paint")

    assert await done(world, "updateTask", "task { title version }", **update) == {
        "title": "Paint",
        "version": 2,
    }
    assert await refusal(world, "updateTask", **{**update, "title": "x"}) == "IDEMPOTENCY_MISMATCH"


async def test_a_repeated_restoration_does_not_undo_a_later_deletion(world: World, key: str) -> None:
    for deleted_before in (True, False):
        task = await a_task(world)
        restore = {"id": task, "idempotencyKey": f"{key}-{deleted_before}"}
        if deleted_before:
            await done(world, "deleteTask", "task { id }", id=task)
        await done(world, "restoreTask", "task { id }", **restore)
        await done(world, "deleteTask", "task { id }", id=task)
        await done(world, "restoreTask", "task { id }", **restore)
        assert await refusal(world, "updateTask", id=task, title="x") == "NOT_FOUND"


async def test_a_comment_added_again_is_counted_once(world: World, key: str) -> None:
    task = await a_task(world)
    add = {"taskId": task, "body": "Done?", "idempotencyKey": key}
    comments = await asyncio.gather(*(done(world, "addComment", "comment { id }", **add) for _ in range(8)))

    assert len({comment["id"] for comment in comments}) == 1
    assert await seen(world, task, "commentCount") == {"commentCount": 1}
    assert len(await every(world, COMMENTS, 20, task=task)) == 1


async def test_a_comment_deleted_again_is_counted_once(world: World, key: str) -> None:
    task = await a_task(world)
    kept, gone = await a_comment(world, task, "a"), await a_comment(world, task, "b")
    for _ in range(2):
        await done(world, "deleteComment", "comment { id }", id=gone, idempotencyKey=key)

    assert await seen(world, task, "commentCount comments { edges { node { id } } }") == {
        "commentCount": 1,
        "comments": {"edges": [{"node": {"id": kept}}]},
    }


async def test_a_refused_mutation_leaves_its_key_unused(world: World, key: str) -> None:
    task = await a_task(world)
    assert await refusal(world, "moveTask", id=task, to="done", idempotencyKey=key) == "BAD_USER_INPUT"

    await done(world, "moveTask", "task { id }", id=task, to="in_progress", idempotencyKey=key)


async def test_a_mutation_that_failed_can_be_sent_again(world: World, key: str) -> None:
    project = await a_project(world)
    with failing(world, "TransactWriteItems"):
        answer = await world.execute(
            "mutation ($input: CreateTaskInput!) { createTask(input: $input) { __typename } }",
            input={"projectId": project, "title": "Weld", "idempotencyKey": key},
        )
    assert (answer.data, answer.codes) == ({"createTask": None}, ["DEADLINE_EXCEEDED"])
    assert await titles(world, project) == []

    await a_task(world, project, idempotencyKey=key)
    assert await titles(world, project) == ["Weld"]


async def test_a_key_is_forgotten_after_a_day(engine_endpoint: str, key: str) -> None:
    async with world_at(engine_endpoint) as (world, clock):
        project = await a_project(world)
        first = await a_task(world, project, idempotencyKey=key)
        clock.forward(hours=24, seconds=-1)
        assert await a_task(world, project, idempotencyKey=key) == first
        clock.forward(seconds=1)
        second = await a_task(world, project, "Grind", idempotencyKey=key)

        assert second != first
        assert await a_task(world, project, "Grind", idempotencyKey=key) == second


async def test_a_forgotten_key_is_taken_once_by_many_at_once(engine_endpoint: str, key: str) -> None:
    async with world_at(engine_endpoint) as (world, clock):
        project = await a_project(world)
        await a_task(world, project, idempotencyKey=key)
        clock.forward(hours=25)
        tasks = await asyncio.gather(*(a_task(world, project, idempotencyKey=key) for _ in range(6)))

        assert len(set(tasks)) == 1
        assert await titles(world, project) == ["Weld", "Weld"]
