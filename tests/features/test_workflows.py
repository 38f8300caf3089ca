import asyncio
from typing import Any

import pytest

from graphql_api.auth.identity import Role
from tests.features.builders import (
    a_project,
    a_task,
    before,
    complete,
    done,
    failing,
    listed,
    move,
    outcome,
    refusal,
    seen,
    some_tasks,
)
from tests.features.workflow_shapes import DEFAULT, WORKFLOW, moves, states
from tests.world import World

pytestmark = pytest.mark.identity(tenant="acme", role="ADMIN")


async def reshape(world: World, keys: str, *steps: str, **more: Any) -> Any:
    """The workflow after its replacement by another one."""
    shape = {"states": states(keys), "transitions": moves(*steps)}
    return await done(world, "updateWorkflow", WORKFLOW, **shape, **more)


def by(**replacements: str) -> list[dict[str, str]]:
    return [{"state": state, "by": other} for state, other in replacements.items()]


async def workflow(world: World) -> Any:
    return (await world.data(f"{{ {WORKFLOW} }}"))["workflow"]


async def test_a_tenant_starts_with_a_workflow(world: World) -> None:
    found = await workflow(world.as_("acme", Role.VIEWER))

    assert [f"{state['key']}:{state['category']}" for state in found["states"]] == DEFAULT.split()
    assert found["version"] == 1


async def test_a_workflow_is_replaced_whole_and_new_tasks_begin_in_its_first_state(world: World) -> None:
    changed = await reshape(world, "idea plan:IN_PROGRESS built:DONE", "idea>plan", "plan>built:MANAGER")

    assert changed == await workflow(world)
    assert changed == {
        "version": 2,
        "states": [{**state, "retired": False} for state in states("idea plan:IN_PROGRESS built:DONE")],
        "transitions": moves("idea>plan:MEMBER", "plan>built:MANAGER"),
    }
    assert (await seen(world, await a_task(world), "status"))["status"] == "idea"


async def test_a_workflow_is_its_own_tenants_alone(world: World) -> None:
    await reshape(world, "idea built:DONE", "idea>built")
    globex = world.as_("globex", Role.ADMIN)

    assert [state["key"] for state in (await workflow(globex))["states"]] == [
        "todo",
        "in_progress",
        "in_review",
        "done",
    ]


async def test_the_largest_workflow_is_stored_whole(world: World) -> None:
    keys = " ".join(f"s{number}_{'x' * 36}"[:40] for number in range(20))
    names = keys.split()
    steps = [f"{a}>{b}" for a in names for b in names if a != b][:100]
    changed = await reshape(world, keys, *steps)

    assert (len(changed["states"]), len(changed["transitions"])) == (20, 100)
    assert changed == await workflow(world)


async def test_each_transition_has_a_role_of_its_own(world: World) -> None:
    await reshape(world, "a b c:DONE", "a>b:VIEWER", "b>c:ADMIN", "c>a:MANAGER")
    task = await a_task(world)
    by_role = {role: world.as_("acme", role) for role in (Role.VIEWER, Role.MEMBER, Role.MANAGER)}

    assert await refusal(by_role[Role.VIEWER], "moveTask", id=task, to="b") == "FORBIDDEN"
    await move(by_role[Role.MEMBER], task, "b")
    assert await refusal(by_role[Role.MANAGER], "moveTask", id=task, to="c") == "FORBIDDEN"
    await move(world, task, "c")
    assert await refusal(by_role[Role.MEMBER], "moveTask", id=task, to="a") == "FORBIDDEN"
    await move(by_role[Role.MANAGER], task, "a")


async def test_moves_obey_the_workflow_as_it_is_now(world: World) -> None:
    task = await a_task(world)
    await reshape(world, DEFAULT, "todo>done")

    answer = await outcome(world, "moveTask", "task { id }", id=task, to="in_progress")
    assert answer["message"].endswith("it has: done.")
    await move(world, task, "done")
    answer = await outcome(world, "moveTask", "task { id }", id=task, to="todo")
    assert answer["message"].endswith("it has: none.")


async def test_a_state_without_tasks_can_go_and_come_back(world: World) -> None:
    task = await a_task(world)
    await reshape(world, "todo done:DONE", "todo>done")
    assert await refusal(world, "moveTask", id=task, to="in_review") == "BAD_USER_INPUT"
    await reshape(world, DEFAULT, "todo>in_review")
    await move(world, task, "in_review")


async def test_a_state_in_use_needs_a_replacement(world: World) -> None:
    task = await a_task(world)
    await move(world, task, "in_progress")
    shape = {"states": states("todo done:DONE"), "transitions": []}
    answer = await outcome(world, "updateWorkflow", WORKFLOW, **shape)

    assert (answer["__typename"], answer["code"]) == ("ConflictError", "CONFLICT")
    assert "in_progress" in answer["message"]
    assert answer["current"]["version"] == 1
    assert await refusal(world, "updateWorkflow", replacements=by(in_review="todo"), **shape) == "CONFLICT"
    assert len((await workflow(world))["states"]) == 4


@pytest.mark.parametrize("other", ["in_progress", "nowhere", ""])
async def test_a_replacement_is_a_state_of_the_new_workflow(world: World, other: str) -> None:
    await move(world, await a_task(world), "in_progress")
    shape = {"states": states("todo done:DONE"), "transitions": []}
    answer = await outcome(world, "updateWorkflow", WORKFLOW, replacements=by(in_progress=other), **shape)

    assert (answer["code"], answer["field"]) == ("BAD_USER_INPUT", "replacements.by")


async def test_the_tasks_of_a_removed_state_go_to_its_replacement(world: World) -> None:
    projects = [await a_project(world, name) for name in ("Gripper", "Arm")]
    tasks = [await a_task(world, projects[number % 2], str(number)) for number in range(6)]
    for task in tasks[:4]:
        await move(world, task, "in_progress")
    changed = await reshape(
        world,
        "todo built:DONE",
        "todo>built",
        replacements=by(in_progress="todo", done="built"),
        expectedVersion=1,
    )

    assert [(state["key"], state["retired"]) for state in changed["states"]] == [
        ("todo", False),
        ("built", False),
    ]
    for project, titles in zip(projects, (["0", "2", "4"], ["1", "3", "5"]), strict=True):
        assert await listed(world, filter={"projectId": project, "status": "todo"}) == titles
    assert await seen(world, tasks[0], "version status") == {"version": 3, "status": "todo"}
    assert await seen(world, tasks[5], "version status") == {"version": 1, "status": "todo"}


async def test_more_than_a_page_of_tasks_goes_along(world: World) -> None:
    project = await a_project(world)
    for start in (0, 60):
        await some_tasks(world, [{"title": f"{start + i:03}"} for i in range(60)], projectId=project)
    await reshape(world, "fresh built:DONE", replacements=by(todo="fresh"))

    assert len(await listed(world, first=100, filter={"projectId": project, "status": "fresh"})) == 100
    assert await listed(world, filter={"projectId": project, "status": "todo"}) == []


async def test_a_replacement_that_is_done_completes_and_one_that_is_not_reopens(world: World) -> None:
    project = await a_project(world)
    working, finished = await a_task(world, project, "working"), await a_task(world, project, "finished")
    await move(world, working, "in_progress")
    await complete(world, finished)
    await reshape(world, "todo built:DONE", replacements=by(in_progress="built", done="todo"))

    assert (await seen(world, working, "completedAt"))["completedAt"] is not None
    assert (await seen(world, finished, "completedAt"))["completedAt"] is None
    assert await listed(world, filter={"completed": True}) == ["working"]
    assert await listed(world, filter={"completed": False}) == ["finished"]


async def test_from_one_done_state_to_another_a_task_keeps_the_time_of_its_completion(world: World) -> None:
    task = await a_task(world)
    await complete(world, task)
    before_it = await seen(world, task, "completedAt")
    await reshape(world, "todo built:DONE", replacements=by(done="built"))

    assert await seen(world, task, "status completedAt") == {"status": "built", **before_it}


@pytest.mark.parametrize(("key", "category"), [("in_review", "DONE"), ("done", "TODO")])
async def test_a_state_in_use_neither_begins_nor_ceases_to_complete_tasks(
    world: World, key: str, category: str
) -> None:
    working, finished = await a_task(world), await a_task(world)
    await move(world, working, "in_progress", "in_review")
    await complete(world, finished)
    kept = [known for known in DEFAULT.split() if not known.startswith(key)]
    shape = {"states": states(" ".join([*kept, f"{key}:{category}"])), "transitions": []}

    answer = await outcome(world, "updateWorkflow", WORKFLOW, **shape)
    assert (answer["code"], answer["current"]["version"]) == ("CONFLICT", 1)
    for task in (working, finished):
        await done(world, "deleteTask", "task { id }", id=task)
    assert (await done(world, "updateWorkflow", WORKFLOW, **shape))["version"] == 2


async def test_a_state_in_use_can_be_renamed_and_change_between_open_categories(world: World) -> None:
    task = await a_task(world)
    await move(world, task, "in_progress")
    await reshape(world, "todo in_progress:TODO done:DONE", "in_progress>done")
    await move(world, task, "done")

    assert (await seen(world, task, "status"))["status"] == "done"


async def test_deleted_tasks_hold_no_state_and_can_leave_one_that_is_gone(world: World) -> None:
    task = await a_task(world)
    await move(world, task, "in_progress")
    await done(world, "deleteTask", "task { id }", id=task)
    await reshape(world, "todo done:DONE", "todo>done")
    await done(world, "restoreTask", "task { id }", id=task)

    assert (await seen(world, task, "status"))["status"] == "in_progress"
    await move(world, task, "done")
    assert (await seen(world, task, "completedAt"))["completedAt"] is not None


async def half_replaced(world: World) -> tuple[str, str, dict[str, Any]]:
    """Two tasks of a state whose removal, with another's, failed after both were retired, and the input."""
    project = await a_project(world)
    *tasks, working = await some_tasks(world, [{"title": title} for title in "abc"], projectId=project)
    await move(world, working, "in_progress")
    shape = {
        "states": states("fresh next done:DONE"),
        "transitions": moves("fresh>next"),
        "replacements": by(todo="fresh", in_progress="next"),
        "idempotencyKey": "5f1c0b6e",
    }
    query = "mutation ($input: UpdateWorkflowInput!) { updateWorkflow(input: $input) { __typename } }"
    with failing(world, "UpdateItem", after=1):
        answer = await world.execute(query, input=shape)
    assert answer.codes == ["DEADLINE_EXCEEDED"]
    return tasks[0], tasks[1], shape


async def test_a_retired_state_is_shown_and_takes_no_task(world: World) -> None:
    task, _, _ = await half_replaced(world)
    retired = [state["key"] for state in (await workflow(world))["states"] if state["retired"]]
    assert retired == ["todo", "in_progress"]

    created = await a_task(world)
    assert (await seen(world, created, "status"))["status"] == "fresh"
    assert await refusal(world, "moveTask", id=created, to="todo") == "BAD_USER_INPUT"
    assert await refusal(world, "moveTask", id=task, to="in_progress") == "BAD_USER_INPUT"
    await move(world, task, "next")
    assert (await seen(world, task, "status"))["status"] == "next"


async def test_a_replacement_that_failed_half_way_is_completed_by_sending_it_again(world: World) -> None:
    first, second, shape = await half_replaced(world)
    await move(world, first, "next")
    changed = await done(world, "updateWorkflow", WORKFLOW, **shape)

    assert [state["key"] for state in changed["states"]] == ["fresh", "next", "done"]
    assert not any(state["retired"] for state in changed["states"])
    assert await seen(world, first, "status") == {"status": "next"}
    assert await seen(world, second, "status") == {"status": "fresh"}


async def test_tasks_that_are_moved_or_deleted_during_a_replacement_are_left_alone(world: World) -> None:
    project = await a_project(world)
    gone, moved, left = await some_tasks(world, [{"title": t} for t in "abc"], projectId=project)

    async def meanwhile() -> None:
        await done(world, "deleteTask", "task { id }", id=gone)
        await move(world, moved, "next")

    # The first write retires the state, the second would move the first task.
    with before(world, "UpdateItem", 1, meanwhile):
        await reshape(world, "fresh next done:DONE", replacements=by(todo="fresh"))

    assert await seen(world, moved, "status") == {"status": "next"}
    assert await seen(world, left, "status") == {"status": "fresh"}
    assert await refusal(world, "updateTask", id=gone, title="x") == "NOT_FOUND"


async def test_an_update_that_expects_another_version_changes_nothing(world: World) -> None:
    task = await a_task(world)
    await reshape(world, DEFAULT, "todo>done")
    shape = {"states": states("fresh"), "transitions": [], "replacements": by(todo="fresh")}
    answer = await outcome(world, "updateWorkflow", WORKFLOW, expectedVersion=1, **shape)

    assert (answer["code"], answer["current"]["version"]) == ("CONFLICT", 2)
    assert (await seen(world, task, "status"))["status"] == "todo"


async def test_updates_at_once_leave_one_whole_workflow(world: World) -> None:
    shapes = [f"a{number} b{number}:DONE" for number in range(6)]
    await asyncio.gather(*(reshape(world, shape) for shape in shapes))

    found = await workflow(world)
    assert " ".join(state["key"] for state in found["states"]) in [
        shape.replace(":DONE", "") for shape in shapes
    ]
    assert found["version"] == 7
