from datetime import datetime
from typing import Any

import pytest

from graphql_api.auth.identity import Role
from tests.features.builders import a_member, a_project, a_task, done, member_id, outcome, refusal, seen
from tests.world import World

EVERYTHING = """id title description status priority dueOn position completedAt commentCount version
    createdAt updatedAt project { id } assignee { id } createdBy { id }"""


@pytest.fixture
def world(shared_world: World) -> World:
    return shared_world


async def test_a_created_task_is_found_again(world: World) -> None:
    project = await a_project(world)
    created = await done(
        world,
        "createTask",
        EVERYTHING.join(["task {", "}"]),
        projectId=project,
        title="Weld",
        description="Both *seams*",
        dueOn="2031-02-28",
        priority="URGENT",
        assigneeId=member_id("acme", Role.MEMBER),
    )

    assert await seen(world, created["id"], EVERYTHING) == created
    assert created["project"] == {"id": project}
    assert created["assignee"] == {"id": member_id("acme", Role.MEMBER)}
    assert created["createdBy"] == {"id": member_id("acme", Role.ADMIN)}
    assert (created["description"], created["dueOn"], created["priority"]) == (
        "Both *seams*",
        "2031-02-28",
        "URGENT",
    )


async def test_a_new_task_starts_in_the_first_state_with_the_documented_defaults(world: World) -> None:
    task = await seen(world, await a_task(world), EVERYTHING)

    assert (task["status"], task["priority"], task["version"]) == ("todo", "MEDIUM", 1)
    assert task["description"] is task["dueOn"] is task["assignee"] is task["completedAt"] is None
    assert task["commentCount"] == 0
    assert task["createdAt"] == task["updatedAt"]
    assert datetime.fromisoformat(task["createdAt"]).tzinfo is not None


async def test_text_is_trimmed_and_composed(world: World) -> None:
    task = await a_task(world, title="  Cafe\N{COMBINING ACUTE ACCENT} ", description=" \n ")

    assert await seen(world, task, "title description") == {"title": "Café", "description": None}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", ""),
        ("title", "   "),
        ("title", "two\nlines"),
        ("title", "x" * 201),
        ("title", "nul\x00"),
        ("title", "turned \u202e around"),
        ("description", "x" * 10_001),
        ("description", "bell\x07"),
        ("idempotencyKey", ""),
        ("idempotencyKey", "k" * 256),
    ],
)
async def test_a_value_out_of_its_bounds_is_refused_by_name(world: World, field: str, value: str) -> None:
    row = {"projectId": await a_project(world), "title": "Weld", field: value}
    answer = await outcome(world, "createTask", "task { id }", **row)

    assert (answer["__typename"], answer["code"]) == ("InvalidInputError", "BAD_USER_INPUT")
    assert answer["field"] == field


@pytest.mark.parametrize(("field", "value"), [("title", "x" * 200), ("description", "é" * 10_000)])
async def test_the_longest_text_is_kept_whole(world: World, field: str, value: str) -> None:
    row = {"projectId": await a_project(world), "title": "Weld", field: value}
    created = await done(world, "createTask", "task { title description }", **row)

    assert created[field] == value


@pytest.mark.parametrize("due", ["2031-02-29", "tomorrow", "", 20310228])
async def test_a_date_that_is_none_is_refused(world: World, due: Any) -> None:
    answer = await world.execute(
        "mutation ($input: CreateTaskInput!) { createTask(input: $input) { __typename } }",
        input={"projectId": await a_project(world), "title": "Weld", "dueOn": due},
    )

    assert answer.codes == ["BAD_USER_INPUT"]


async def test_a_task_needs_a_project_that_exists_and_takes_tasks(world: World) -> None:
    project, task = await a_project(world), await a_task(world)
    await done(world, "updateProject", "project { id }", id=project, archived=True)

    assert await refusal(world, "createTask", title="Weld", projectId="nonsense") == "NOT_FOUND"
    assert await refusal(world, "createTask", title="Weld", projectId=task) == "NOT_FOUND"
    answer = await outcome(world, "createTask", "task { id }", title="Weld", projectId=project)
    assert (answer["code"], answer["current"]["id"]) == ("CONFLICT", project)


async def test_an_assignee_is_an_active_member(world: World) -> None:
    invitation = {"email": "leaver@acme.example", "name": "Leaver"}
    leaver = await a_member(world, **invitation)
    task = await a_task(world)
    await done(world, "suspendUser", "user { id }", id=leaver)

    answer = await outcome(world, "updateTask", "task { id }", id=task, assigneeId=leaver)
    assert (answer["code"], answer["field"]) == ("BAD_USER_INPUT", "assigneeId")
    assert (
        await refusal(world, "updateTask", id=task, assigneeId=member_id("globex", Role.ADMIN)) == "NOT_FOUND"
    )


@pytest.mark.parametrize(
    ("field", "value", "shown"),
    [
        ("title", "Grind", {"title": "Grind"}),
        ("description", "Flat", {"description": "Flat"}),
        ("dueOn", "2032-01-01", {"dueOn": "2032-01-01"}),
        ("priority", "LOW", {"priority": "LOW"}),
        ("assigneeId", member_id("acme", Role.VIEWER), {"assignee": {"name": "Acme Viewer"}}),
        ("description", None, {"description": None}),
        ("dueOn", None, {"dueOn": None}),
        ("assigneeId", None, {"assignee": None}),
    ],
)
async def test_an_update_changes_what_it_names_and_nothing_else(
    world: World, field: str, value: Any, shown: dict[str, Any]
) -> None:
    task = await a_task(
        world,
        description="Both seams",
        dueOn="2031-02-28",
        priority="HIGH",
        assigneeId=member_id("acme", Role.MEMBER),
    )
    selection = "title description dueOn priority status position assignee { name } project { id }"
    before = await seen(world, task, selection)
    await done(world, "updateTask", "task { id }", id=task, **{field: value})

    assert await seen(world, task, selection) == {**before, **shown}


@pytest.mark.parametrize("field", ["title", "priority", "projectId"])
async def test_null_for_what_a_task_must_have_is_refused(world: World, field: str) -> None:
    task = await a_task(world)
    answer = await outcome(world, "updateTask", "__typename", id=task, **{field: None})

    assert (answer["__typename"], answer["field"]) == ("InvalidInputError", field)
    assert await seen(world, task, "version") == {"version": 1}


async def test_an_update_tells_who_changed_what_and_when_by_version_and_time(world: World) -> None:
    task = await a_task(world)
    before = await seen(world, task, "version createdAt updatedAt createdBy { name }")
    member = world.as_("acme", Role.MEMBER)
    after = await done(
        member, "updateTask", "task { version createdAt updatedAt createdBy { name } }", id=task, title="x"
    )

    assert after["version"] == before["version"] + 1
    assert after["createdAt"] == before["createdAt"]
    assert after["updatedAt"] > before["updatedAt"]
    assert after["createdBy"] == before["createdBy"]


async def test_an_update_that_changes_nothing_is_no_new_version(world: World) -> None:
    task = await a_task(world, title="Weld")

    assert await done(world, "updateTask", "task { version }", id=task, title=" Weld ") == {"version": 1}
    assert await done(world, "updateTask", "task { version }", id=task) == {"version": 1}


async def test_a_task_can_go_to_another_project(world: World) -> None:
    task, other = await a_task(world), await a_project(world, "Arm")
    await done(world, "updateTask", "task { id }", id=task, projectId=other)

    assert await seen(world, task, "project { name }") == {"project": {"name": "Arm"}}
    data = await world.data(
        "query ($id: ID!) { project(id: $id) { tasks { edges { node { id } } } } }", id=other
    )
    assert data["project"]["tasks"]["edges"] == [{"node": {"id": task}}]


async def test_a_task_cannot_go_to_an_archived_project(world: World) -> None:
    task, other = await a_task(world), await a_project(world, "Arm")
    await done(world, "updateProject", "project { id }", id=other, archived=True)

    assert await refusal(world, "updateTask", id=task, projectId=other) == "CONFLICT"


async def test_a_task_of_another_tenant_is_not_there(world: World) -> None:
    task = await a_task(world)
    stranger = world.as_("globex", Role.ADMIN)

    assert await refusal(stranger, "updateTask", id=task, title="Mine") == "NOT_FOUND"
    answer = await stranger.execute("query ($id: ID!) { task(id: $id) { title } }", id=task)
    assert (answer.data, answer.codes) == ({"task": None}, ["NOT_FOUND"])


async def test_an_empty_id_is_an_id_that_was_never_issued(world: World) -> None:
    project, task = await a_project(world), await a_task(world)

    for mutation, payload in (
        ("createTask", {"projectId": "", "title": "x"}),
        ("createTask", {"projectId": project, "title": "x", "assigneeId": ""}),
        ("updateTask", {"id": task, "assigneeId": ""}),
        ("updateTask", {"id": task, "projectId": ""}),
        ("moveTask", {"id": task, "to": "todo", "afterTaskId": ""}),
    ):
        assert await refusal(world, mutation, **payload) == "NOT_FOUND", payload


@pytest.mark.parametrize("id", ["", "x", "VGFzazo=", "VGFzazpub25l", "VGFzazpub25l\n", "é" * 600])
async def test_an_id_that_was_never_issued_is_not_found(world: World, id: str) -> None:
    assert await refusal(world, "updateTask", id=id, title="x") == "NOT_FOUND"
    answer = await world.execute("query ($id: ID!) { task(id: $id) { title } }", id=id)
    assert answer.codes == ["NOT_FOUND"]


async def test_a_viewer_reads_and_does_not_write(world: World) -> None:
    task, viewer = await a_task(world), world.as_("acme", Role.VIEWER)

    assert await seen(viewer, task, "title") == {"title": "Weld"}
    assert await refusal(viewer, "updateTask", id=task, title="x") == "FORBIDDEN"
    assert await refusal(viewer, "moveTask", id=task, to="in_progress") == "FORBIDDEN"
    assert await refusal(viewer, "deleteTask", id=task) == "FORBIDDEN"
