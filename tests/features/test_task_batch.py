import asyncio
import uuid
from typing import Any

import pytest

from graphql_api.auth.identity import Role
from tests.features.builders import (
    BATCH,
    TASKS,
    a_project,
    a_task,
    done,
    every,
    failing,
    member_id,
    refusal,
    some_tasks,
)
from tests.world import World


@pytest.fixture
def world(shared_world: World) -> World:
    return shared_world


@pytest.fixture
def key() -> str:
    return uuid.uuid4().hex


def rows(count: int, **fields: Any) -> list[dict[str, Any]]:
    return [{"title": f"{number:03}", **fields} for number in range(count)]


async def send(world: World, tasks: list[dict[str, Any]], key: str | None = None) -> list[dict[str, Any]]:
    """The result of each row."""
    return await done(world, "createTasks", BATCH, tasks=tasks, idempotencyKey=key)


def kinds(results: list[dict[str, Any]]) -> str:
    """A letter for each row: accepted, Invalid, Not found, Conflict, Forbidden."""
    return "".join("+" if "task" in result else result["__typename"][0] for result in results)


async def board(world: World, project: str) -> list[str]:
    nodes = await every(world, TASKS, 100, filter={"projectId": project})
    return [node["title"] for node in nodes]


async def test_a_hundred_tasks_are_created_in_one_call_and_keep_their_order(world: World) -> None:
    project = await a_project(world)
    results = await send(world, rows(100, projectId=project))

    titles = [f"{number:03}" for number in range(100)]
    assert [result["task"]["title"] for result in results] == titles
    assert await board(world, project) == titles


@pytest.mark.parametrize("count", [0, 101])
async def test_no_row_or_more_than_a_hundred_are_refused_whole(world: World, count: int) -> None:
    project = await a_project(world)

    assert await refusal(world, "createTasks", tasks=rows(count, projectId=project)) == "BAD_USER_INPUT"
    assert await board(world, project) == []


async def test_each_row_stands_or_falls_by_itself(world: World) -> None:
    project, archived = await a_project(world), await a_project(world, "Old")
    await done(world, "updateProject", "project { id }", id=archived, archived=True)
    suspended = member_id("acme", Role.VIEWER)
    await done(world, "suspendUser", "user { id }", id=suspended)
    results = await send(
        world,
        [
            {"projectId": project, "title": "first"},
            {"projectId": project, "title": ""},
            {"projectId": "nonsense", "title": "x"},
            {"projectId": archived, "title": "x"},
            {"projectId": project, "title": "x", "assigneeId": suspended},
            {"projectId": project, "title": "x", "assigneeId": member_id("globex", Role.ADMIN)},
            {"projectId": project, "title": "last", "priority": "LOW", "dueOn": "2031-01-01"},
        ],
    )

    assert kinds(results) == "+INCIN+"
    assert [result.get("field") for result in results if result["__typename"] == "InvalidInputError"] == [
        "title",
        "assigneeId",
    ]
    assert await board(world, project) == ["first", "last"]


async def test_rows_that_are_all_refused_create_nothing(world: World, key: str) -> None:
    project = await a_project(world)

    assert kinds(await send(world, rows(60, projectId="nonsense"), key)) == "N" * 60
    assert await board(world, project) == []


async def test_rows_can_go_to_different_projects(world: World) -> None:
    projects = [await a_project(world, name) for name in "ab"]
    await some_tasks(world, [{"title": str(i), "projectId": projects[i % 2]} for i in range(6)])

    assert await board(world, projects[0]) == ["0", "2", "4"]
    assert await board(world, projects[1]) == ["1", "3", "5"]


async def test_a_batch_sent_again_adds_nothing_and_answers_the_same(world: World, key: str) -> None:
    project = await a_project(world)
    batch = rows(60, projectId=project)
    batch[7]["title"] = batch[55]["title"] = ""
    first = await send(world, batch, key)
    again = await send(world, batch, key)

    assert again == first
    assert (kinds(first).index("I"), kinds(first).rindex("I"), kinds(first).count("+")) == (7, 55, 58)
    assert len(await board(world, project)) == 58


async def test_a_batch_sent_again_shows_its_tasks_as_they_are_now(world: World, key: str) -> None:
    project = await a_project(world)
    first = await send(world, rows(3, projectId=project), key)
    ids = [result["task"]["id"] for result in first]
    await done(world, "updateTask", "task { id }", id=ids[0], title="Renamed")
    await done(world, "deleteTask", "task { id }", id=ids[1])
    again = await send(world, rows(3, projectId=project), key)

    assert [result["task"]["title"] for result in again] == ["Renamed", "001", "002"]
    assert await board(world, project) == ["Renamed", "002"]


async def test_a_refused_row_stays_refused_even_if_it_would_be_accepted_by_now(
    world: World, key: str
) -> None:
    project, other = await a_project(world), await a_project(world, "Old")
    batch = [{"projectId": project, "title": "a"}, {"projectId": other, "title": "b"}]
    await done(world, "updateProject", "project { id }", id=other, archived=True)
    assert kinds(await send(world, batch, key)) == "+C"
    await done(world, "updateProject", "project { id }", id=other, archived=False)

    assert kinds(await send(world, batch, key)) == "+I"
    assert await board(world, other) == []


async def test_an_accepted_row_stays_accepted_even_if_it_would_be_refused_by_now(
    world: World, key: str
) -> None:
    project = await a_project(world)
    first = await send(world, rows(2, projectId=project), key)
    await done(world, "updateProject", "project { id }", id=project, archived=True)

    assert await send(world, rows(2, projectId=project), key) == first


@pytest.mark.parametrize(("count", "other"), [(3, 3), (40, 60), (60, 40), (100, 100)])
async def test_another_batch_under_the_same_key_is_refused_and_adds_nothing(
    world: World, key: str, count: int, other: int
) -> None:
    project = await a_project(world)
    await send(world, rows(count, projectId=project), key)
    changed = rows(other, projectId=project, priority="LOW")

    code = await refusal(world, "createTasks", tasks=changed, idempotencyKey=key)
    assert code == "IDEMPOTENCY_MISMATCH"
    assert len(await board(world, project)) == count


async def test_another_batch_is_refused_whichever_rows_the_first_one_had_refused(
    world: World, key: str
) -> None:
    project = await a_project(world)
    await send(world, rows(50, projectId="nonsense") + rows(10, projectId=project), key)
    changed = rows(60, projectId=project)

    code = await refusal(world, "createTasks", tasks=changed, idempotencyKey=key)
    assert code == "IDEMPOTENCY_MISMATCH"
    assert len(await board(world, project)) == 10


async def test_a_batch_sent_many_times_at_once_has_one_effect(world: World, key: str) -> None:
    project = await a_project(world)
    answers = await asyncio.gather(*(send(world, rows(60, projectId=project), key) for _ in range(5)))

    assert all(answer == answers[0] for answer in answers)
    assert len(await board(world, project)) == 60


async def test_different_batches_at_once_under_one_key_leave_one_of_them(world: World, key: str) -> None:
    project = await a_project(world)
    answers = await asyncio.gather(
        *(
            world.mutate(
                "createTasks",
                "results { __typename }",
                tasks=rows(60, projectId=project, description=f"batch {number}"),
                idempotencyKey=key,
            )
            for number in range(4)
        )
    )

    assert [answer.get("code") for answer in answers].count("IDEMPOTENCY_MISMATCH") == 3
    assert len(await board(world, project)) == 60


async def test_a_batch_that_failed_half_way_is_completed_by_sending_it_again(world: World, key: str) -> None:
    project = await a_project(world)
    batch = rows(100, projectId=project)
    with failing(world, "TransactWriteItems", after=1):
        answer = await world.execute(
            "mutation ($input: CreateTasksInput!) { createTasks(input: $input) { __typename } }",
            input={"tasks": batch, "idempotencyKey": key},
        )
    assert (answer.data, answer.codes) == ({"createTasks": None}, ["DEADLINE_EXCEEDED"])
    assert len(await board(world, project)) == 50

    assert kinds(await send(world, batch, key)) == "+" * 100
    assert sorted(await board(world, project)) == [row["title"] for row in batch]


async def test_batches_without_a_key_are_each_carried_out(world: World) -> None:
    project = await a_project(world)
    for _ in range(2):
        await send(world, rows(2, projectId=project))

    assert await board(world, project) == ["000", "001"] * 2


async def test_rows_for_another_tenants_project_are_not_found(world: World) -> None:
    project = await a_project(world)
    globex = world.as_("globex", Role.ADMIN)

    assert kinds(await send(globex, rows(2, projectId=project))) == "NN"
    assert await board(world, project) == []


async def test_the_largest_batch_fits(world: World, key: str) -> None:
    project = await a_project(world)
    # As JSON that is just below the bound of a body.
    results = await send(world, rows(4, projectId=project, description="\N{EURO SIGN}" * 10_000), key)

    assert kinds(results) == "+" * 4


async def test_a_batch_counts_as_its_rows(world: World) -> None:
    project = await a_project(world)
    answer = await world.execute(
        "mutation ($input: CreateTasksInput!) { createTasks(input: $input) { __typename } }",
        input={"tasks": rows(100, projectId=project)},
    )

    assert answer.extensions["cost"]["points"] >= 1000
    assert len(await board(world, project)) == 100


async def test_a_batch_stands_beside_single_tasks(world: World) -> None:
    project = await a_project(world)
    await a_task(world, project, "before")
    await some_tasks(world, [{"title": "batch", "projectId": project}])
    await a_task(world, project, "after")

    assert await board(world, project) == ["before", "batch", "after"]
