from typing import Any

import pytest

from graphql_api.auth.identity import Role
from tests.features.builders import TASKS, a_project, a_task, member_id, seen
from tests.world import World

MEMBER = member_id("acme", Role.MEMBER)


@pytest.fixture
def world(shared_world: World) -> World:
    return shared_world


@pytest.mark.parametrize(
    ("arguments", "field", "hint"),
    [
        ({"filter": {"projectId": "P", "assigneeId": MEMBER}}, "filter", "not both"),
        ({"filter": {"status": "todo"}}, "filter.status", "project"),
        ({"filter": {"assigneeId": MEMBER, "status": "todo"}}, "filter.status", "project"),
        ({"filter": {"projectId": "P", "status": "todo"}, "orderBy": "AGENDA"}, "filter.status", "POSITION"),
        ({"filter": {"projectId": "P", "status": "todo", "completed": True}}, "filter.status", "POSITION"),
        ({"filter": {"projectId": "P", "completed": True}, "orderBy": "POSITION"}, "filter", "AGENDA"),
        ({"filter": {"projectId": "P", "overdue": True}, "orderBy": "POSITION"}, "filter", "AGENDA"),
        ({"filter": {"projectId": "P", "dueTo": "2031-01-01"}, "orderBy": "POSITION"}, "filter", "AGENDA"),
        ({"orderBy": "POSITION"}, "orderBy", "projectId"),
        ({"filter": {"assigneeId": MEMBER}, "orderBy": "POSITION"}, "orderBy", "projectId"),
        ({"filter": {"completed": True, "overdue": True}}, "filter.completed", "open tasks"),
        ({"filter": {"completed": True, "dueTo": "2031-01-01"}}, "filter.completed", "open tasks"),
        ({"filter": {"dueFrom": "2031-01-02", "dueTo": "2031-01-01"}}, "filter.dueFrom", "dueTo"),
        ({"filter": {"overdue": True, "dueFrom": "2099-01-01"}}, "filter.dueFrom", "overdue"),
    ],
)
async def test_what_no_list_answers_is_refused_with_the_reason(
    world: World, arguments: dict[str, Any], field: str, hint: str
) -> None:
    wanted = arguments.get("filter", {})
    if "projectId" in wanted:
        arguments = {**arguments, "filter": {**wanted, "projectId": await a_project(world)}}
    answer = await world.execute(TASKS, **arguments)

    (error,) = answer.errors
    assert (error["extensions"]["code"], error["extensions"]["field"]) == ("BAD_USER_INPUT", field)
    assert hint in error["message"]


@pytest.mark.parametrize("owner", ["projectId", "assigneeId"])
async def test_the_list_of_one_owner_cannot_be_asked_for_another(world: World, owner: str) -> None:
    tasks = "tasks(filter: $wanted) { edges { cursor } }"
    for parent in ("project(id: $id)", "viewer"):
        answer = await world.execute(
            f"query ($id: ID!, $wanted: TaskFilter) {{ node(id: $id) {{ id }} {parent} {{ {tasks} }} }}",
            id=await a_project(world),
            wanted={owner: MEMBER},
        )
        assert answer.codes == ["BAD_USER_INPUT"]


@pytest.mark.parametrize("id", ["", "nonsense", MEMBER])
async def test_the_list_of_a_project_by_an_id_that_is_none_is_not_found(world: World, id: str) -> None:
    answer = await world.execute(TASKS, filter={"projectId": id})

    assert answer.codes == ["NOT_FOUND"]


@pytest.mark.parametrize(
    "status", ["", "#", "TODO", "to do", "todo\x00", "todo#{position}", "x" * 41, "\ud800"]
)
async def test_a_state_that_cannot_be_is_refused_and_reaches_no_other_rows(world: World, status: str) -> None:
    project = await a_project(world)
    position = (await seen(world, await a_task(world, project), "position"))["position"]
    status = status.replace("{position}", position)
    answer = await world.execute(TASKS, filter={"projectId": project, "status": status})

    assert set(answer.codes) <= {"BAD_USER_INPUT", "BAD_REQUEST"}
    assert answer.errors
