"""Every list, page by page: each row once, whatever the size of a page."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from graphql_api.auth.identity import Role
from tests.features.builders import (
    COMMENTS,
    PAGE,
    TASKS,
    a_comment,
    a_project,
    complete,
    connection_of,
    member_id,
    pages,
    some_tasks,
)
from tests.world import World

MEMBER = member_id("acme", Role.MEMBER)
ARGUMENTS = "$first: Int, $after: String"
EDGES = f"{{ edges {{ cursor node {{ id }} }} {PAGE} }}"
USERS = f"query ({ARGUMENTS}) {{ list: users(first: $first, after: $after) {EDGES} }}"
PROJECTS = f"query ({ARGUMENTS}) {{ list: projects(first: $first, after: $after) {EDGES} }}"
TASKS_OF = f"""query ($id: ID!, $filter: TaskFilter, {ARGUMENTS}) {{ node(id: $id) {{
    ... on Project {{ list: tasks(filter: $filter, first: $first, after: $after) {EDGES} }}
    ... on User {{ list: tasks(filter: $filter, first: $first, after: $after) {EDGES} }} }} }}"""


@dataclass
class Shelf:
    """A tenant with rows in every list there is."""

    project: str
    task: str
    lists: Mapping[str, tuple[str, dict[str, Any]]] = field(init=False)

    def __post_init__(self) -> None:
        project = {"projectId": self.project}
        self.lists = {
            "users": (USERS, {}),
            "projects": (PROJECTS, {}),
            "comments": (COMMENTS, {"task": self.task}),
            "board": (TASKS, {"filter": project}),
            "board of the project itself": (TASKS_OF, {"id": self.project}),
            "state": (TASKS, {"filter": {**project, "status": "todo"}}),
            "agenda of the project": (TASKS, {"filter": project, "orderBy": "AGENDA"}),
            "completed of the project": (TASKS, {"filter": {**project, "completed": True}}),
            "due in the project": (TASKS, {"filter": {**project, "dueTo": "2031-12-31"}}),
            "agenda of a person": (TASKS, {"filter": {"assigneeId": MEMBER}}),
            "agenda of the person themselves": (TASKS_OF, {"id": MEMBER, "filter": {"completed": False}}),
            "completed of a person": (TASKS, {"filter": {"assigneeId": MEMBER, "completed": True}}),
            "agenda of the tenant": (TASKS, {}),
            "due in the tenant": (TASKS, {"filter": {"dueFrom": "2019-01-01", "dueTo": "2031-12-31"}}),
            "overdue": (TASKS, {"filter": {"overdue": True}}),
            "completed in the tenant": (TASKS, {"filter": {"completed": True}}),
        }


@pytest.fixture
def world(shared_world: World) -> World:
    return shared_world


@pytest.fixture(scope="module")
async def shelf(shared_world: World) -> Shelf:
    """The shelf that all tests of the module read and none changes."""
    world = shared_world
    project = await a_project(world)
    for name in ("Arm", "arm", "Öl", "Zange"):
        await a_project(world, name)
    days = ["2031-01-01", "2020-05-05", None, "2020-05-05", "2031-01-01", None, "2019-12-31", "2020-06-30"]
    rows = [{"title": str(number), "dueOn": day} for number, day in enumerate(days)]
    tasks = await some_tasks(world, rows, projectId=project, assigneeId=MEMBER)
    finished = await some_tasks(world, [{"title": t} for t in "abcd"], projectId=project, assigneeId=MEMBER)
    await asyncio.gather(*(complete(world, task) for task in finished))
    await asyncio.gather(*(a_comment(world, tasks[0], str(number)) for number in range(13)))
    return Shelf(project, tasks[0])


@pytest.mark.parametrize("size", [1, 3])
async def test_pages_of_any_size_cover_every_list_once_and_in_the_same_order(
    world: World, shelf: Shelf, size: int
) -> None:
    for name, (query, variables) in shelf.lists.items():
        (whole,) = [page async for page in pages(world, query, 100, **variables)]
        assert len(whole) >= 4, name
        assert len({node["id"] for node in whole}) == len(whole), name
        found = [page async for page in pages(world, query, size, **variables)]
        assert [node for page in found for node in page] == whole, name
        assert {len(page) for page in found[:-1]} == {size}, name
        assert found[-1], f"{name}: hasNextPage promised rows that do not exist"


async def test_page_info_tells_where_a_page_stands(world: World, shelf: Shelf) -> None:
    for name, (query, variables) in shelf.lists.items():
        first = connection_of(await world.data(query, first=1, **variables))
        info = first["pageInfo"]
        assert (info["hasNextPage"], info["hasPreviousPage"]) == (True, False), name
        assert info["startCursor"] == info["endCursor"] == first["edges"][0]["cursor"], name
        rest = connection_of(await world.data(query, first=100, after=info["endCursor"], **variables))
        info = rest["pageInfo"]
        assert (info["hasNextPage"], info["hasPreviousPage"]) == (False, True), name
        nothing = connection_of(await world.data(query, after=info["endCursor"], **variables))
        assert nothing == {
            "edges": [],
            "pageInfo": {
                "hasNextPage": False,
                "hasPreviousPage": True,
                "startCursor": None,
                "endCursor": None,
            },
        }, name


async def test_any_row_can_be_where_the_next_page_begins(world: World, shelf: Shelf) -> None:
    for name in ("agenda of the tenant", "board", "comments"):
        query, variables = shelf.lists[name]
        edges = connection_of(await world.data(query, first=100, **variables))["edges"]
        for place, edge in enumerate(edges):
            rest = connection_of(await world.data(query, first=100, after=edge["cursor"], **variables))
            assert rest["edges"] == edges[place + 1 :], name


@pytest.mark.parametrize("first", [0, -1, 101, 2**31 - 1, -(2**31)])
async def test_a_page_size_out_of_its_bounds_is_refused_in_every_list(
    world: World, shelf: Shelf, first: int
) -> None:
    for name, (query, variables) in shelf.lists.items():
        answer = await world.execute(query, first=first, **variables)
        assert set(answer.codes) <= {"BAD_USER_INPUT", "QUERY_TOO_COMPLEX"}, name
        assert len(answer.codes) == 1, name
        if abs(first) <= 101:
            assert answer.codes == ["BAD_USER_INPUT"], name
            assert "between 1 and 100" in answer.errors[0]["message"], name


@pytest.mark.parametrize("first", [2**31, "20", 1.5, [1], True])
async def test_a_page_size_of_another_type_is_refused(world: World, first: Any) -> None:
    assert (await world.execute(TASKS, first=first)).codes == ["BAD_USER_INPUT"]
