"""What each operation costs in DynamoDB calls, exactly: a change here is a change of the bill."""

from typing import Any

import pytest

from graphql_api.auth.identity import Role
from graphql_api.features.projects import Project
from graphql_api.features.tasks.task import Task
from graphql_api.features.workflows.workflow import WORKFLOW_UID, Workflow
from graphql_api.relay import global_id
from tests.features.builders import (
    COMMENTS,
    TASKS,
    a_comment,
    a_member,
    a_project,
    a_task,
    connection_of,
    done,
    member_id,
    some_tasks,
)
from tests.world import MEMBERS, World

READ, QUERY, TRANSACT = "BatchGetItem", "Query", "TransactWriteItems"
PUT, UPDATE = "PutItem", "UpdateItem"
MEMBER = member_id("acme", Role.MEMBER)
CARDS = """{ edges { node { title status project { name } assignee { name }
    comments(first: 3) { edges { node { body author { name } } } } } } }"""


@pytest.fixture
def world(shared_world: World) -> World:
    return shared_world


@pytest.fixture(scope="module")
async def full_board(shared_world: World) -> str:
    """A project of twenty tasks, each with four comments by others than the tasks are assigned to."""
    project = await a_project(shared_world)
    people = [member_id("acme", role) for role in (Role.VIEWER, Role.ADMIN)]
    rows = [{"title": str(number), "assigneeId": people[number % 2]} for number in range(20)]
    tasks = await some_tasks(shared_world, rows, projectId=project)
    for role in (Role.MEMBER, Role.MANAGER) * 2:
        for task in tasks:
            await a_comment(shared_world.as_("acme", role), task)
    return project


async def calls_of(world: World, mutation: str, selection: str, **payload: Any) -> list[str]:
    """The DynamoDB calls of a mutation that must succeed."""
    name = mutation[0].upper() + mutation[1:]
    query = f"""mutation ($input: {name}Input!) {{ result: {mutation}(input: $input) {{
        __typename ... on {name}Payload {{ {selection} }} }} }}"""
    await world.data("{ __typename }")
    world.guard.forget_calls()
    result = (await world.data(query, input=payload))["result"]
    assert result["__typename"] == f"{name}Payload"
    return [call.operation for call in world.guard.calls]


async def test_a_caller_who_is_known_costs_nothing(world: World) -> None:
    await world.data("{ viewer { name } }")
    world.guard.forget_calls()
    await world.data("{ __typename }")

    assert world.guard.calls == []


async def test_a_caller_who_is_not_known_costs_two_reads_side_by_side(world: World) -> None:
    world.guard.forget_calls()
    await world.as_("globex", Role.VIEWER).data("{ __typename }")

    assert [call.operation for call in world.guard.calls] == [READ, READ]


async def test_the_viewer_the_tenant_and_the_workflow_are_one_read_together(world: World) -> None:
    assert await world.calls("{ viewer { name } }") == [READ]
    assert await world.calls("{ viewer { name } tenant { name } workflow { version } }") == [READ]


async def test_a_task_is_one_read(world: World) -> None:
    task = await a_task(world)

    assert await world.calls("query ($id: ID!) { task(id: $id) { title } }", id=task) == [READ]
    assert await world.calls(
        "query ($id: ID!) { a: task(id: $id) { id } b: node(id: $id) { id } }", id=task
    ) == [READ]


async def test_a_task_with_all_around_it_is_one_read_for_each_level(world: World) -> None:
    task = await a_task(world, assigneeId=MEMBER)
    await a_comment(world, task)
    around = "project { name } assignee { name } createdBy { name }"
    one = "query ($id: ID!) { task(id: $id) { title %s } }"

    assert await world.calls(one % around, id=task) == [READ, READ]
    comments = "comments(first: 1) { edges { node { body } } }"
    assert await world.calls(one % f"{around} {comments}", id=task) == [READ, READ]
    # The task knows who wrote its latest comments.
    comments = "comments(first: 1) { edges { node { author { name } task { title } } } }"
    assert await world.calls(one % f"{around} {comments}", id=task) == [READ, READ]
    assert await world.calls(one % comments, id=task) == [READ, READ]


async def test_a_board_is_one_query_and_one_read(world: World, full_board: str) -> None:
    board = f"query ($id: ID!) {{ tasks(filter: {{projectId: $id}}, first: 20) {CARDS} }}"

    assert await world.calls(board, id=full_board) == [QUERY, READ]
    data = await world.data(board, id=full_board)
    shown = [edge["node"] for edge in data["tasks"]["edges"]]
    assert len(shown) == 20
    assert {len(task["comments"]["edges"]) for task in shown} == {3}


async def test_a_board_below_its_project_is_one_read_more(world: World, full_board: str) -> None:
    board = f"query ($id: ID!) {{ project(id: $id) {{ name tasks(first: 20) {CARDS} }} }}"

    # The project has to be there before its tasks are; it is not read again for each of them.
    assert await world.calls(board, id=full_board) == [READ, QUERY, READ]


async def test_the_pages_of_a_list_are_one_query_each(world: World) -> None:
    project = await a_project(world)
    await some_tasks(world, [{"title": str(n)} for n in range(5)], projectId=project, assigneeId=MEMBER)
    for wanted in (
        {"projectId": project},
        {"projectId": project, "status": "todo"},
        {"projectId": project, "completed": False},
        {"projectId": project, "dueFrom": "2020-01-01"},
        {"assigneeId": MEMBER},
        {"assigneeId": MEMBER, "completed": True},
    ):
        assert await world.calls(TASKS, filter=wanted, first=2) == [QUERY], wanted
    end = connection_of(await world.data(TASKS, filter={"projectId": project}, first=2))["pageInfo"][
        "endCursor"
    ]
    assert await world.calls(TASKS, filter={"projectId": project}, first=2, after=end) == [QUERY]


@pytest.mark.parametrize("wanted", [{}, {"overdue": True}, {"dueFrom": "2020-01-01"}, {"completed": True}])
async def test_a_page_of_the_tenants_agenda_is_one_query_for_each_shard(
    world: World, wanted: dict[str, Any]
) -> None:
    await a_task(world, dueOn="2020-02-02")

    assert await world.calls(TASKS, filter=wanted) == [QUERY] * 4


async def test_users_and_projects_are_one_query_for_a_page(world: World) -> None:
    assert await world.calls("{ users { edges { node { name } } } }") == [QUERY]
    assert await world.calls("{ projects { edges { node { name } } } }") == [QUERY]


async def test_what_a_list_brought_is_not_read_again(world: World, full_board: str) -> None:
    back = "edges { node { comments(first: 1) { edges { node { task { title } } } } } }"
    tasks = f"query ($id: ID!) {{ tasks(filter: {{projectId: $id}}) {{ {back} }} }}"

    assert await world.calls(tasks, id=full_board) == [QUERY, READ]


async def test_a_user_by_address_is_two_reads(world: World) -> None:
    assert await world.calls('{ user(email: "member@acme.example") { name } }') == [READ, READ]


async def test_the_latest_comments_of_a_task_are_read_and_more_of_them_are_queried(world: World) -> None:
    task = await a_task(world)
    for number in range(12):
        await a_comment(world, task, str(number))

    assert await world.calls(COMMENTS, task=task, first=10) == [READ, READ]
    assert await world.calls(COMMENTS, task=task, first=11) == [READ, QUERY]
    end = connection_of(await world.data(COMMENTS, task=task, first=10))["pageInfo"]["endCursor"]
    assert await world.calls(COMMENTS, task=task, first=10, after=end) == [READ, QUERY]


async def test_a_task_without_comments_costs_nothing_to_say_so(world: World) -> None:
    assert await world.calls(COMMENTS, task=await a_task(world)) == [READ]


async def test_a_hundred_things_of_all_kinds_are_one_read(world: World) -> None:
    projects = [await a_project(world, str(number)) for number in range(5)]
    tasks = await some_tasks(world, [{"title": str(number)} for number in range(88)], projectId=projects[0])
    ids = [
        *projects,
        *tasks,
        await a_comment(world, tasks[0]),
        await a_comment(world, tasks[1]),
        *(member_id("acme", role) for role in MEMBERS),
        global_id(Workflow, WORKFLOW_UID),
    ]
    query = "query ($ids: [ID!]!) { nodes(ids: $ids) { id __typename } }"

    assert len(set(ids)) == 100
    assert await world.calls(query, ids=ids) == [READ]
    nodes = (await world.data(query, ids=ids))["nodes"]
    assert [node["id"] for node in nodes] == ids
    assert await world.calls(query, ids=[tasks[0]] * 100) == [READ]


async def test_more_than_a_hundred_nodes_are_refused_unread(world: World) -> None:
    await world.data("{ __typename }")
    world.guard.forget_calls()
    ids = [global_id(Task, f"{number:026}") for number in range(101)]
    answer = await world.execute("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=ids)

    assert answer.codes == ["BAD_USER_INPUT"]
    assert world.guard.calls == []


async def test_ids_that_were_never_issued_are_not_looked_up(world: World) -> None:
    await world.data("{ __typename }")
    world.guard.forget_calls()
    ids = ["", "nonsense", global_id(Project, "#"), "VGVuYW50UmVnaXN0cmF0aW9uOmFjbWU="]
    answer = await world.execute("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=ids)

    assert answer.codes == ["NOT_FOUND"] * 4
    assert world.guard.calls == []


async def test_a_hundred_and_fifty_children_of_one_level_are_two_reads(world: World) -> None:
    projects = await created(world, "createProject", "project", [{"name": str(n)} for n in range(100)])
    invited = [{"name": str(n), "email": f"{n}@acme.example"} for n in range(50)]
    people = [await a_member(world, **person) for person in invited]
    rows = [
        {"title": str(n), "projectId": project, "assigneeId": people[n % 50]}
        for n, project in enumerate(projects)
    ]
    await some_tasks(world, rows, dueOn="0001-01-01")
    query = "{ tasks(first: 100) { edges { node { project { name } assignee { name } } } } }"

    assert await world.calls(query) == [QUERY] * 4 + [READ] * 2


async def created(world: World, mutation: str, noun: str, rows: list[dict[str, str]]) -> list[str]:
    """The ids of new things, made ten to a request."""
    name, ids = mutation[0].upper() + mutation[1:], list[str]()
    for start in range(0, len(rows), 10):
        some = rows[start : start + 10]
        variables = ", ".join(f"$i{n}: {name}Input!" for n in range(len(some)))
        fields = " ".join(
            f"i{n}: {mutation}(input: $i{n}) {{ ... on {name}Payload {{ {noun} {{ id }} }} }}"
            for n in range(len(some))
        )
        inputs = {f"i{n}": row for n, row in enumerate(some)}
        data = await world.data(f"mutation ({variables}) {{ {fields} }}", **inputs)
        ids += [result[noun]["id"] for result in data.values()]
    return ids


async def test_creating_is_one_read_of_all_it_names_and_one_write(world: World) -> None:
    project = await a_project(world)
    row = {"projectId": project, "title": "Weld", "assigneeId": MEMBER}

    assert await calls_of(world, "createTask", "task { title }", **row) == [READ, PUT]
    assert await calls_of(world, "createProject", "project { name }", name="Arm") == [PUT]
    batch = {"tasks": [row] * 50}
    assert await calls_of(world, "createTasks", "results { __typename }", **batch) == [READ, TRANSACT]
    batch = {"tasks": [row] * 100}
    assert await calls_of(world, "createTasks", "results { __typename }", **batch) == [READ, TRANSACT]


async def test_what_a_mutation_has_read_or_written_is_not_read_again_for_its_answer(world: World) -> None:
    row = {"projectId": await a_project(world), "title": "Weld", "assigneeId": MEMBER}
    around = "task { project { name } assignee { name } }"

    assert await calls_of(world, "createTask", around, **row) == [READ, PUT]
    task = await a_task(world)
    said = "comment { body task { title commentCount } }"
    assert await calls_of(world, "addComment", said, taskId=task, body="x") == [READ, TRANSACT]


async def test_changing_is_one_read_and_one_write(world: World) -> None:
    project = await a_project(world)
    task = await a_task(world, project)
    first = await a_task(world, project, "first")

    assert await calls_of(world, "updateTask", "task { version }", id=task, title="x") == [READ, UPDATE]
    moved = {"title": "y", "projectId": project, "assigneeId": MEMBER}
    assert await calls_of(world, "updateTask", "task { version }", id=task, **moved) == [READ, UPDATE]
    assert await calls_of(world, "updateTask", "task { version }", id=task, **moved) == [READ]
    assert await calls_of(world, "moveTask", "task { status }", id=task, to="in_progress") == [READ, UPDATE]
    # A place on the board needs to know who stands behind it.
    placed = {"id": task, "to": "in_progress", "afterTaskId": first}
    assert await calls_of(world, "moveTask", "task { status }", **placed) == [READ, QUERY, UPDATE]
    assert await calls_of(world, "deleteTask", "task { version }", id=task) == [READ, UPDATE]
    assert await calls_of(world, "restoreTask", "task { version }", id=task) == [READ, UPDATE]


async def test_a_comment_and_its_task_change_in_one_transaction(world: World) -> None:
    task = await a_task(world)
    comment = await a_comment(world, task)

    add = {"taskId": task, "body": "x"}
    assert await calls_of(world, "addComment", "comment { body }", **add) == [READ, TRANSACT]
    change = {"id": comment, "body": "y"}
    assert await calls_of(world, "updateComment", "comment { body }", **change) == [READ, READ, UPDATE]
    assert await calls_of(world, "deleteComment", "comment { body }", id=comment) == [READ, READ, TRANSACT]


async def test_an_idempotency_key_costs_one_read_and_makes_the_write_a_transaction(world: World) -> None:
    row = {"projectId": await a_project(world), "title": "Weld", "idempotencyKey": "5f1c0b6e"}
    task = await a_task(world)

    assert await calls_of(world, "createTask", "task { title }", **row) == [READ, READ, TRANSACT]
    assert await calls_of(world, "createTask", "task { title }", **row) == [READ, READ]
    batch = {"tasks": [{"projectId": row["projectId"], "title": "Weld"}] * 100, "idempotencyKey": "5f1c0b6e"}
    assert await calls_of(world, "createTasks", "results { __typename }", **batch) == [
        READ,
        *(READ, TRANSACT),
        *(READ, TRANSACT),
    ]
    update = {"id": task, "title": "x", "idempotencyKey": "5f1c0b6e"}
    assert await calls_of(world, "updateTask", "task { title }", **update) == [READ, READ, TRANSACT]


async def test_people_are_invited_in_one_transaction_and_changed_under_guard(shared_world: World) -> None:
    world = shared_world.as_("globex", Role.ADMIN)
    await done(world, "inviteUser", "user { id }", email="first@acme.example", name="First")
    invitation = {"email": "new@acme.example", "name": "New"}
    # The update counts against the rate at which one person may send invitations; what an administrator
    # does is in the audit log before it is done, and how it ended after it.
    assert await calls_of(world, "inviteUser", "user { name }", **invitation) == [UPDATE, PUT, TRANSACT, PUT]
    promotion = {"id": (await done(world, "inviteUser", "user { id }", email="x@y.example", name="X"))["id"]}
    assert await calls_of(world, "setUserRole", "user { role }", role="MANAGER", **promotion) == [
        *(PUT, READ),
        *(TRANSACT, PUT),
    ]


async def test_a_refused_mutation_writes_nothing(world: World) -> None:
    task = await a_task(world)
    await done(world, "moveTask", "task { id }", id=task, to="in_progress")
    world.guard.forget_calls()
    for mutation, payload in (
        ("updateTask", {"id": task, "title": ""}),
        ("updateTask", {"id": task, "title": "x", "expectedVersion": 1}),
        ("moveTask", {"id": task, "to": "nowhere"}),
        ("addComment", {"taskId": task, "body": ""}),
        ("createTasks", {"tasks": []}),
    ):
        answer = await world.mutate(mutation, "__typename", **payload)
        assert answer["__typename"] in ("InvalidInputError", "ConflictError"), mutation

    assert set(world.guard.operations) <= {READ}
