import base64
import json
from typing import Any

import pytest

from graphql_api.auth.identity import Role
from graphql_api.custom_fields.definition import CustomFields
from graphql_api.features.comments import Comment
from graphql_api.features.projects import Project
from graphql_api.features.tasks.task import Task
from graphql_api.features.tenants import Tenant
from graphql_api.features.users import User
from graphql_api.features.webhooks.webhook import Webhook
from graphql_api.features.workflows.workflow import Workflow
from graphql_api.relay import MAX_ID_LENGTH, MAX_PAGE, global_id
from graphql_api.schema import build_schema
from graphql_api.store.entity import Entity
from graphql_api.store.uid import new_uid
from tests.features.builders import a_comment, a_project, a_task, a_webhook, done, member_id
from tests.world import World

pytestmark = pytest.mark.identity(tenant="acme", role="ADMIN")

NODE = "query ($id: ID!) { node(id: $id) { __typename id } }"
A_FIELD = {"key": "site", "name": "Site", "type": "TEXT"}
NODES = "query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }"


async def one_of_each(world: World, tenant: str) -> dict[type[Entity], str]:
    """The id of an entity of every type, made by the tenant's administrator."""
    admin = world.as_(tenant, Role.ADMIN)
    project = await a_project(admin)
    task = await a_task(admin, project)
    return {
        Tenant: global_id(Tenant, tenant),
        User: member_id(tenant, Role.MEMBER),
        Workflow: (await admin.data("{ workflow { id } }"))["workflow"]["id"],
        Project: project,
        Task: task,
        Comment: await a_comment(admin, task),
        Webhook: await a_webhook(admin),
        CustomFields: (await done(admin, "createCustomField", "customFields { id }", **A_FIELD))["id"],
    }


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


async def raw(world: World, query: str, **variables: Any) -> tuple[int, bytes]:
    """Status and body, the same for the same answer: the request id is given."""
    body = json.dumps({"query": query, "variables": variables}).encode()
    reply = await world.post(body, {"content-type": "application/json", "x-request-id": "the-same-for-all"})
    return reply.status, reply.body


async def test_everything_is_found_by_its_id(world: World) -> None:
    known = await one_of_each(world, "acme")
    reader = world.as_("acme", Role.VIEWER)

    for cls, known_id in known.items():
        found = await reader.data(NODE, id=known_id)
        assert found == {"node": {"__typename": cls.__name__, "id": known_id}}
    expected = [{"__typename": cls.__name__, "id": known_id} for cls, known_id in known.items()]
    assert await reader.data(NODES, ids=list(known.values())) == {"nodes": expected}


def test_every_type_that_is_a_node_is_tried_here() -> None:
    implementing = [
        line.split()[1] for line in build_schema().as_str().splitlines() if " implements Node" in line
    ]
    assert sorted(implementing) == sorted(
        cls.__name__ for cls in (Tenant, User, Workflow, Project, Task, Comment, CustomFields, Webhook)
    )


async def test_what_is_not_there_is_the_same_answer_whatever_the_reason(world: World) -> None:
    """Another tenant's, never made, deleted, of no such type, or no id at all: byte for byte."""
    theirs = await one_of_each(world, "globex")
    del theirs[Workflow], theirs[CustomFields]  # every tenant's has the same id
    deleted = await a_project(world)
    await done(world, "deleteProject", "project { id }", id=deleted)
    absent = [
        *theirs.values(),
        *(global_id(cls, new_uid()) for cls in theirs),
        deleted,
        encoded(f"Email:{new_uid()}"),
        encoded("TenantRegistration:acme"),
        encoded("EmailAddress:member@acme.example"),
        encoded("Task"),
        encoded(":"),
        "no id",
        "",
    ]

    answers = {await raw(world, NODE, id=text) for text in absent}
    assert len(answers) == 1
    (status, body), *_ = answers
    assert (status, json.loads(body)["data"]) == (200, {"node": None})
    assert json.loads(body)["errors"][0]["extensions"]["code"] == "NOT_FOUND"
    assert len({await raw(world, NODES, ids=[text]) for text in absent}) == 1


@pytest.mark.parametrize(("field", "cls"), [("task", Task), ("project", Project)])
async def test_a_field_of_one_type_answers_alike_for_all_that_it_does_not_have(
    world: World, field: str, cls: type[Entity]
) -> None:
    query = f"query ($id: ID!) {{ {field}(id: $id) {{ id }} }}"
    own, theirs = await one_of_each(world, "acme"), await one_of_each(world, "globex")
    others = [own[other] for other in own if other is not cls]

    absent = [theirs[cls], global_id(cls, new_uid()), *others, "no id", ""]
    answers = {await raw(world, query, id=text) for text in absent}
    assert len(answers) == 1
    assert await world.data(query, id=own[cls]) == {field: {"id": own[cls]}}


async def test_the_workflow_has_one_id_and_each_tenant_its_own(world: World) -> None:
    name = "query ($id: ID!) { node(id: $id) { ... on Workflow { id states { name } } } }"
    states = [
        {"key": "open", "name": "Open at Globex", "category": "TODO"},
        {"key": "done", "name": "Done", "category": "DONE"},
    ]
    theirs = await done(
        world.as_("globex", Role.ADMIN), "updateWorkflow", "workflow { id }", states=states, transitions=[]
    )

    mine = (await world.data(name, id=theirs["id"]))["node"]
    assert mine["id"] == theirs["id"]
    assert mine["states"][0] == {"name": "To do"}


def misspelt(id: str) -> list[str]:
    """Other texts of which a lenient decoder would make the same id."""
    bare = id.rstrip("=")
    return [
        bare,
        bare + "=" * (len(id) - len(bare) - 1),
        id + "=",
        id + "\n",
        " " + id,
        id[:4] + "\n" + id[4:],
        id.replace("=", "%3D"),
        base64.b64encode(base64.urlsafe_b64decode(id) + b"\n").decode(),
        bare[:-1] + chr(ord(bare[-1]) + 1) + "=" * (len(id) - len(bare)),
        base64.urlsafe_b64decode(id).decode(),
        id.swapcase(),
    ]


async def test_only_the_one_spelling_that_was_issued_is_an_id(world: World) -> None:
    project = await a_project(world)
    assert project.endswith("=")

    for text in misspelt(project):
        assert text != project
        assert (await world.execute(NODE, id=text)).codes == ["NOT_FOUND"], text


async def test_an_id_cannot_reach_into_a_key(world: World) -> None:
    project = await a_project(world)
    uid = base64.urlsafe_b64decode(project).decode().partition(":")[2]
    reaching = [
        f"Project:{uid}#PROJECT",
        f"Project:../{uid}",
        "Project:#",
        f"Project:{uid}\x00",
        f"Project:{uid}\x1f",
        "Tenant:globex",
        "Tenant:acme#TENANT",
        "Project:" + "x" * 320,
        "Project:" + "\U0001d11e" * 80,
        f"PROJECT:{uid}",
        f"project:{uid}",
        f" Project:{uid}",
        f"Project: {uid}",
        f"__class__:{uid}",
    ]
    for text in reaching:
        assert (await world.execute(NODE, id=encoded(text))).codes == ["NOT_FOUND"], text
    for text in ("\xff\xfe".encode("latin-1"), b"Project:\xed\xa0\x80"):
        answer = await world.execute(NODE, id=base64.urlsafe_b64encode(text).decode())
        assert answer.codes == ["NOT_FOUND"]


async def test_a_text_too_long_for_an_id_is_not_found_either(world: World) -> None:
    for length in (MAX_ID_LENGTH, MAX_ID_LENGTH + 4, 10_000):
        assert (await world.execute(NODE, id="A" * length)).codes == ["NOT_FOUND"]


async def test_nodes_come_in_the_order_asked_for_and_as_often(world: World) -> None:
    one, two = await a_project(world, "One"), await a_project(world, "Two")
    asked = [two, one, two]

    assert [node["id"] for node in (await world.data(NODES, ids=asked))["nodes"]] == asked
    assert await world.data(NODES, ids=[]) == {"nodes": []}


async def test_what_is_missing_among_nodes_is_null_with_an_error_of_its_own(world: World) -> None:
    project = await a_project(world)
    theirs = await a_project(world.as_("globex", Role.ADMIN))

    answer = await world.execute(NODES, ids=[theirs, project, "no id", global_id(Project, new_uid())])
    assert answer.data == {"nodes": [None, {"__typename": "Project", "id": project}, None, None]}
    assert answer.codes == ["NOT_FOUND"] * 3
    assert [error["path"] for error in answer.errors] == [["nodes", 0], ["nodes", 2], ["nodes", 3]]
    assert len({error["message"] for error in answer.errors}) == 1


async def test_at_most_a_hundred_nodes_are_asked_for_at_once(world: World) -> None:
    project = await a_project(world)

    assert len((await world.data(NODES, ids=[project] * MAX_PAGE))["nodes"]) == MAX_PAGE
    over = await world.execute(NODES, ids=[project] * (MAX_PAGE + 1))
    assert over.data is None
    assert over.codes in (["BAD_USER_INPUT"], ["QUERY_TOO_COMPLEX"])


async def test_nodes_of_any_types_are_read_in_one_batch(world: World) -> None:
    known = await one_of_each(world, "acme")

    assert await world.calls(NODES, ids=list(known.values())) == ["BatchGetItem"]
