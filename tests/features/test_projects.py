import asyncio
from datetime import UTC, datetime
from itertools import chain

import pytest

from graphql_api.auth.identity import Role
from graphql_api.features.projects import Project
from graphql_api.relay import global_id
from tests.features.builders import a_project, a_task, done, every, member_id, outcome, pages, refusal
from tests.world import World

pytestmark = pytest.mark.identity(tenant="acme", role="MANAGER")

ALL = "project { id name description archived version createdBy { id } }"
PROJECT = "query ($id: ID!) { project(id: $id) { id name description archived version } }"
PROJECTS = """query ($first: Int, $after: String) { list: projects(first: $first, after: $after) {
    edges { cursor node { id name } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"""


async def shown(world: World, project: str) -> dict[str, object]:
    return (await world.data(PROJECT, id=project))["project"]


async def names(world: World, first: int = 100) -> list[str]:
    return [node["name"] for node in await every(world, PROJECTS, first)]


async def test_a_created_project_is_found_by_its_id(world: World) -> None:
    created = await done(
        world, "createProject", ALL, name="Gripper", description="Two fingers\n\tand a thumb"
    )

    assert created | {"id": ""} == {
        "id": "",
        "name": "Gripper",
        "description": "Two fingers\n\tand a thumb",
        "archived": False,
        "version": 1,
        "createdBy": {"id": member_id("acme", Role.MANAGER)},
    }
    del created["createdBy"]
    assert await shown(world.as_("acme", Role.VIEWER), created["id"]) == created


async def test_an_update_changes_what_it_names_and_nothing_else(world: World) -> None:
    project = await a_project(world, description="Two fingers")

    renamed = await done(world, "updateProject", ALL, id=project, name="Hand")
    assert (renamed["name"], renamed["description"], renamed["archived"], renamed["version"]) == (
        "Hand",
        "Two fingers",
        False,
        2,
    )
    emptied = await done(world, "updateProject", ALL, id=project, description=None)
    assert (emptied["name"], emptied["description"], emptied["version"]) == ("Hand", None, 3)
    archived = await done(world, "updateProject", ALL, id=project, archived=True)
    assert (archived["archived"], archived["version"]) == (True, 4)
    assert await shown(world, project) == {key: archived[key] for key in archived if key != "createdBy"}


async def test_an_update_that_changes_nothing_leaves_the_version(world: World) -> None:
    project = await a_project(world)

    for same in ({}, {"name": "Gripper"}, {"name": " Gripper "}, {"archived": False}, {"description": None}):
        assert (await done(world, "updateProject", ALL, id=project, **same))["version"] == 1


async def test_an_empty_description_is_none(world: World) -> None:
    assert (await done(world, "createProject", ALL, name="Gripper", description=" \n"))["description"] is None


async def test_what_may_not_be_empty_refuses_null(world: World) -> None:
    """Absent leaves it alone; null would empty it, and there is nothing to fall back to."""
    project = await a_project(world)

    for field in ("name", "archived"):
        answer = await outcome(world, "updateProject", "__typename", id=project, **{field: None})
        assert (answer["__typename"], answer["field"]) == ("InvalidInputError", field)
    assert (await shown(world, project))["version"] == 1


@pytest.mark.parametrize(("field", "change"), [("updateProject", {"name": "Hand"}), ("deleteProject", {})])
async def test_an_outdated_version_is_a_conflict_that_shows_the_present_one(
    world: World, field: str, change: dict[str, str]
) -> None:
    project = await a_project(world)
    await done(world, "updateProject", ALL, id=project, name="Arm", expectedVersion=1)

    answer = await outcome(world, field, ALL, id=project, expectedVersion=1, **change)
    assert answer["__typename"] == "ConflictError"
    assert answer["current"] == {"id": project, "name": "Arm", "version": 2}
    assert (await shown(world, project))["name"] == "Arm"


async def test_of_many_updates_of_one_version_exactly_one_succeeds(world: World) -> None:
    project = await a_project(world)

    answers = await asyncio.gather(
        *(
            outcome(world, "updateProject", ALL, id=project, name=f"Arm {n}", expectedVersion=1)
            for n in range(10)
        )
    )

    (winner,) = [answer["project"] for answer in answers if answer["__typename"] == "UpdateProjectPayload"]
    assert [answer["code"] for answer in answers if "code" in answer] == ["CONFLICT"] * 9
    assert (await shown(world, project))["name"] == winner["name"]


async def test_updates_without_a_version_all_take_effect(world: World) -> None:
    project = await a_project(world)

    await asyncio.gather(
        done(world, "updateProject", ALL, id=project, name="Arm"),
        done(world, "updateProject", ALL, id=project, description="Long"),
        done(world, "updateProject", ALL, id=project, archived=True),
    )

    assert await shown(world, project) == {
        "id": project,
        "name": "Arm",
        "description": "Long",
        "archived": True,
        "version": 4,
    }


async def test_an_archived_project_takes_no_tasks_until_it_is_open_again(world: World) -> None:
    project, other = await a_project(world), await a_project(world)
    task = await a_task(world, other)
    await done(world, "updateProject", ALL, id=project, archived=True)

    created = await outcome(world, "createTask", "task { id }", projectId=project, title="Weld")
    assert (created["__typename"], created["current"]["id"]) == ("ConflictError", project)
    assert await refusal(world, "updateTask", id=task, projectId=project) == "CONFLICT"

    await done(world, "updateProject", ALL, id=project, archived=False)
    await a_task(world, project)


async def test_an_archived_projects_own_tasks_go_on(world: World) -> None:
    project = await a_project(world)
    task = await a_task(world, project)
    await done(world, "updateProject", ALL, id=project, archived=True)

    moved = await done(world, "moveTask", "task { status project { id } }", id=task, to="in_progress")
    assert moved == {"status": "in_progress", "project": {"id": project}}


async def test_a_project_can_be_deleted_only_when_it_is_empty(world: World) -> None:
    project = await a_project(world)
    task = await a_task(world, project)

    refused = await outcome(world, "deleteProject", ALL, id=project)
    assert (refused["__typename"], refused["current"]["id"]) == ("ConflictError", project)

    await done(world, "deleteTask", "task { id }", id=task)
    assert (await done(world, "deleteProject", ALL, id=project))["version"] == 2
    assert (await world.execute(PROJECT, id=project)).codes == ["NOT_FOUND"]
    assert await names(world) == []


async def test_a_deleted_project_takes_nothing_any_more(world: World) -> None:
    project = await a_project(world)
    await done(world, "deleteProject", ALL, id=project)

    assert await refusal(world, "createTask", projectId=project, title="Weld") == "NOT_FOUND"
    assert await refusal(world, "updateProject", id=project, name="Arm") == "NOT_FOUND"
    assert await refusal(world, "deleteProject", id=project) == "NOT_FOUND"


async def test_a_creation_repeated_under_its_key_makes_one_project(world: World) -> None:
    payload = {"name": "Gripper", "idempotencyKey": "k1"}
    answers = await asyncio.gather(*(outcome(world, "createProject", ALL, **payload) for _ in range(5)))

    assert len({answer["project"]["id"] for answer in answers}) == 1
    assert await names(world) == ["Gripper"]
    assert await refusal(world, "createProject", name="Arm", idempotencyKey="k1") == "IDEMPOTENCY_MISMATCH"


async def test_a_key_is_its_users_own_and_for_one_mutation(world: World) -> None:
    mine = await a_project(world, idempotencyKey="k1")
    theirs = await a_project(world.as_("acme", Role.ADMIN), idempotencyKey="k1")
    elsewhere = await a_project(world.as_("globex", Role.MANAGER), idempotencyKey="k1")
    renamed = await done(world, "updateProject", ALL, id=mine, name="Arm", idempotencyKey="k1")

    assert len({mine, theirs, elsewhere}) == 3
    assert (renamed["id"], renamed["name"]) == (mine, "Arm")


async def test_a_deletion_repeated_under_its_key_answers_as_the_first_time(world: World) -> None:
    project = await a_project(world)
    payload = {"id": project, "idempotencyKey": "k1"}

    first, again = [await done(world, "deleteProject", ALL, **payload) for _ in range(2)]
    assert first == again


async def test_projects_are_listed_by_name_whatever_its_case_or_accent(world: World) -> None:
    ordered = [
        "Alpha",
        "Alpha 2",
        "alpha!",
        "ALPHA#1",
        "alpha-1",
        "Äpfel",
        "Echo",
        "éclair",
        "Zebra",
        "Ωmega",
        "日本",
        "🦾",
    ]
    for name in ordered[1::2] + ordered[::2]:
        await a_project(world, name)

    assert await names(world, first=5) == ordered


async def test_a_renamed_project_moves_in_the_list(world: World) -> None:
    for name in ("B", "C"):
        await a_project(world, name)
    last = await a_project(world, "D")

    await done(world, "updateProject", ALL, id=last, name="A")
    assert await names(world) == ["A", "B", "C"]


@pytest.mark.parametrize("letter", ["n", "ß", "ΐ", "\U0001f9be"])
async def test_the_longest_names_are_kept_whole_and_paged_in_order(world: World, letter: str) -> None:
    """Alike in all but the end, and three times as long in lower case or in bytes."""
    longest = [letter * 199 + end for end in "dbac"] + [letter * 200] * 3
    for name in longest:
        await a_project(world, name)

    listed = [[node["name"] for node in page] async for page in pages(world, PROJECTS, 3)]
    assert list(map(len, listed)) == [3, 3, 1]
    assert sorted(chain.from_iterable(listed)) == sorted(longest)


def test_a_name_of_any_length_has_a_key_that_dynamodb_takes() -> None:
    epoch = datetime.fromtimestamp(0, UTC)
    for letter in ("ΐ", "\U0001d160", "\ufdfa"):
        project = Project(
            uid="0" * 26,
            name=letter * 200,
            created_by_uid="u",
            updated_by_uid="u",
            request_id="r",
            created_at=epoch,
            updated_at=epoch,
        )
        position = project.placement().agenda_sk
        assert position is not None
        assert len(position.encode()) <= 1024


@pytest.mark.parametrize("field", ["project", "node"])
async def test_another_tenants_project_is_as_absent_as_one_that_never_was(world: World, field: str) -> None:
    theirs = await a_project(world.as_("globex", Role.MANAGER))
    never = global_id(Project, "0" * 26)

    for absent in (theirs, never):
        answer = await world.execute(f"query ($id: ID!) {{ {field}(id: $id) {{ id }} }}", id=absent)
        assert (answer.codes, answer.data) == (["NOT_FOUND"], {field: None})
    for mutation, change in (("updateProject", {"name": "Mine"}), ("deleteProject", {})):
        answers = [await outcome(world, mutation, ALL, id=absent, **change) for absent in (theirs, never)]
        assert answers[0] == answers[1]
        assert answers[0]["code"] == "NOT_FOUND"
    assert await names(world) == []
