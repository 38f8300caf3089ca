"""Who asks the same is answered by one execution, and what is one person's own by nobody else's."""

from collections.abc import Callable
from typing import Any

import pytest
from graphql import GraphQLObjectType

from graphql_api import bootstrap
from graphql_api.auth.identity import Role
from graphql_api.operations.execution import graphql_schema
from tests.features.builders import a_project
from tests.realtime.board import TITLES, a_listener, change, happen, manager, titles, told
from tests.realtime.stage import Client, Stage, signed

Resolve = Callable[[Callable[[Any, Any], Any]], None]
WHOSE = "subscription { taskChanged { id } }"
SIZED = """subscription ($project: ID, $n: Int = 1) { taskChanged(projectId: $project) {
    id task { comments(first: $n) { pageInfo { hasNextPage } } } } }"""
ROLES = (Role.VIEWER, Role.MEMBER, Role.MANAGER, Role.ADMIN)


@pytest.fixture
def as_id(monkeypatch: pytest.MonkeyPatch) -> Resolve:
    """Put a resolver behind the `id` of a task's changes."""
    kind = graphql_schema(bootstrap.build_schema()).get_type("TaskChange")
    assert isinstance(kind, GraphQLObjectType)
    return lambda resolve: monkeypatch.setattr(kind.fields["id"], "resolve", resolve)


class Runs:
    """A resolver that counts how often it ran, and for whom."""

    def __init__(self) -> None:
        self.roles: list[Role] = []

    def __call__(self, _source: Any, info: Any) -> str:
        self.roles.append(info.context.caller.role)
        return f"run {len(self.roles)}"


@pytest.fixture
def runs(as_id: Resolve) -> Runs:
    counter = Runs()
    as_id(counter)
    return counter


def ids(client: Client) -> list[str]:
    return [event["id"] for event in told(client.taken())]


async def test_all_who_ask_the_same_are_sent_the_same_bytes_of_one_execution(stage: Stage, runs: Runs):
    clients = [await a_listener(stage) for _ in range(12)]
    for client in clients[:3]:
        await client.subscribe(TITLES, id="another id")
    await happen(stage, "one")
    assert runs.roles == [Role.MEMBER]
    first = stage.sink.raw[clients[0].id]
    assert [len(stage.sink.raw[client.id]) for client in clients] == [3] * 3 + [2] * 9
    assert {stage.sink.raw[client.id][1] for client in clients} == {first[1]}
    assert first[2] == first[1].replace(b'"id":"1"', b'"id":"another id"', 1)


async def test_each_role_is_a_group_of_its_own(stage: Stage, runs: Runs):
    clients = [await a_listener(stage, role=role) for role in ROLES for _ in range(2)]
    await happen(stage, "one")
    assert sorted(runs.roles) == sorted(ROLES)
    told_to = [ids(client) for client in clients]
    assert told_to[::2] == told_to[1::2]
    assert len({told for (told,) in told_to}) == 4


async def test_other_variables_documents_and_operation_names_are_other_groups(stage: Stage, runs: Runs):
    project = await a_project(manager(stage))
    documents = "subscription A { taskChanged { id } } subscription B { taskChanged { id } }"
    client = await stage.client("acme")
    await client.subscribe(SIZED, id="1")
    await client.subscribe(SIZED, id="2", n=2)
    await client.subscribe(SIZED, id="3", project=project)
    for name in ("A", "B"):
        payload = {"query": documents, "operationName": name}
        await client.send({"id": name, "type": "subscribe", "payload": payload})
    await happen(stage, "one", project=project)
    frames = {frame["id"]: frame["payload"]["data"]["taskChanged"]["id"] for frame in client.taken()}
    assert set(frames) == {"1", "2", "3", "A", "B"}
    assert len(set(frames.values())) == len(runs.roles) == 5


async def test_who_resumes_from_different_places_is_one_group_again(stage: Stage, runs: Runs):
    clients = [await a_listener(stage) for _ in range(3)]
    project = await happen(stage, "1", "2", "3")
    cursors = [event["cursor"] for event in told(clients[0].taken())]
    for client in clients:
        await client.disconnect()
    again = [await stage.client("acme") for _ in cursors]
    for client, cursor in zip(again, cursors, strict=True):
        await client.subscribe(TITLES, after=cursor)
    assert [titles(client) for client in again] == [["2", "3"], ["3"], []]
    runs.roles.clear()
    await happen(stage, "4", project=project)
    assert [titles(client) for client in again] == [["4"]] * 3
    assert len(runs.roles) == 1


async def test_a_group_is_known_to_a_process_that_never_saw_who_began_it(stage: Stage, runs: Runs):
    client = await a_listener(stage)
    stage.world.services.groups._requests.clear()
    await happen(stage, "told")
    assert titles(client) == ["told"]


async def test_what_asks_who_is_listening_is_executed_for_each_person_and_never_shared(
    stage: Stage, as_id: Resolve
):
    asked: list[str] = []

    def whose(_source: Any, info: Any) -> str:
        asked.append(info.context.caller.subject)
        return asked[-1]

    as_id(whose)
    clients: dict[str, list[Client]] = {}
    for role in ROLES:
        clients[f"acme-{role.lower()}"] = [await a_listener(stage, WHOSE, role=role) for _ in range(2)]
    await happen(stage, "one")
    for subject, own in clients.items():
        assert [ids(client) for client in own] == [[subject], [subject]]
    assert set(asked) == set(clients)


async def test_people_of_one_role_are_not_told_what_is_another_persons_own(stage: Stage, as_id: Resolve):
    as_id(lambda _, info: info.context.caller.subject)
    others = [await a_listener(stage, WHOSE, role=Role.VIEWER) for _ in range(2)]
    narrowed = await stage.client()
    await narrowed.init(signed("acme", Role.VIEWER, subject="acme-admin"))
    await narrowed.subscribe(WHOSE)
    narrowed.taken()
    await happen(stage, "one")
    assert ids(narrowed) == ["acme-admin"]
    assert [ids(client) for client in others] == [["acme-viewer"], ["acme-viewer"]]


async def test_what_is_personal_in_one_event_is_shared_in_the_next(stage: Stage, as_id: Resolve):
    asked: list[str] = []

    def sometimes(source: Any, info: Any) -> str:
        asked.append("run")
        return info.context.caller.subject if source.event.change.version == 1 else "all"

    as_id(sometimes)
    viewer = await a_listener(stage, WHOSE, role=Role.VIEWER)
    narrowed = await stage.client()
    await narrowed.init(signed("acme", Role.VIEWER, subject="acme-member"))
    await narrowed.subscribe(WHOSE)
    narrowed.taken()
    await happen(stage, "one")
    assert [ids(viewer), ids(narrowed)] == [["acme-viewer"], ["acme-member"]]
    asked.clear()
    data = await manager(stage).data("{ tasks { edges { node { id } } } }")
    (edge,) = data["tasks"]["edges"]
    await change(stage, "updateTask", id=edge["node"]["id"], title="two")
    assert [ids(viewer), ids(narrowed)] == [["all"], ["all"]]
    assert asked == ["run"]
