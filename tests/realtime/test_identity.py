"""Who may listen, what a document may look like, and what becomes of listeners whose standing changes."""

import pytest
from graphql import GraphQLObjectType

from graphql_api import bootstrap
from graphql_api.auth.identity import Role
from graphql_api.operations.execution import graphql_schema
from tests.features.builders import a_project, a_task, done, member_id
from tests.realtime.board import TITLES, a_listener, happen, manager, refusals, titles, told
from tests.realtime.stage import Stage, signed
from tests.world import token

ROLE = "subscription { taskChanged { title: id task { title } } }"


async def test_every_member_may_listen(stage: Stage):
    clients = [await a_listener(stage, role=role) for role in Role if role is not Role.PLATFORM]
    await happen(stage, "for all")
    assert [titles(client) for client in clients] == [["for all"]] * 4


async def test_an_operator_of_the_platform_may_not_listen(stage: Stage):
    client = await stage.client()
    await client.init(token(None, Role.PLATFORM))
    await client.subscribe(TITLES)
    ack, *rest = client.taken()
    assert ack == {"type": "connection_ack"}
    assert refusals(rest) == [("1", "FORBIDDEN")]


async def test_who_sent_no_token_may_not_listen(stage: Stage):
    client = await stage.client()
    await client.init()
    await client.subscribe(TITLES)
    ack, *rest = client.taken()
    assert ack == {"type": "connection_ack"}
    assert refusals(rest) == [("1", "UNAUTHENTICATED")]


@pytest.mark.parametrize("bearer", ["nonsense", signed("acme", Role.MEMBER, seconds=-60)])
async def test_a_token_that_is_not_good_is_acknowledged_and_each_subscribe_refused(stage: Stage, bearer: str):
    client = await stage.client()
    await client.init(bearer)
    for number in ("1", "2"):
        await client.subscribe(TITLES, id=number)
    ack, *rest = client.taken()
    assert ack == {"type": "connection_ack"}
    assert refusals(rest) == [("1", "UNAUTHENTICATED"), ("2", "UNAUTHENTICATED")]


async def test_a_stranger_with_a_good_token_is_refused(stage: Stage):
    client = await stage.client()
    await client.init(signed("acme", Role.ADMIN, subject="nobody-of-acme"))
    await client.subscribe(TITLES)
    assert refusals(client.taken()[1:]) == [("1", "FORBIDDEN")]


async def test_queries_and_mutations_are_answered_and_completed(stage: Stage):
    project = await a_project(manager(stage), "Site")
    client = await stage.client("acme", Role.MEMBER)
    await client.subscribe("query ($project: ID!) { project(id: $project) { name } }", "q", project=project)
    create = (
        'mutation ($project: ID!) { createTask(input: {projectId: $project, title: "Weld"}) { __typename } }'
    )
    await client.subscribe(create, "m", project=project)
    frames = client.taken()
    expected = [("next", "q"), ("complete", "q"), ("next", "m"), ("complete", "m")]
    assert [(frame["type"], frame["id"]) for frame in frames] == expected
    assert frames[0]["payload"]["data"] == {"project": {"name": "Site"}}
    assert frames[2]["payload"]["data"] == {"createTask": {"__typename": "CreateTaskPayload"}}


async def test_variables_aliases_and_fragments_mean_what_they_mean_elsewhere(stage: Stage):
    project, other = await a_project(manager(stage), "Site"), await a_project(manager(stage))
    document = """
        query Other { __typename }
        subscription Board($project: ID!, $long: Boolean = false) {
            news: taskChanged(projectId: $project) { ...what happened: action }
        }
        fragment what on TaskChange { task { name: title ...where @include(if: $long) } }
        fragment where on Task { project { name } }"""
    client = await stage.client("acme")
    for name, more in (("short", {}), ("long", {"long": True})):
        payload = {"query": document, "operationName": "Board", "variables": {"project": project, **more}}
        await client.send({"id": name, "type": "subscribe", "payload": payload})
    await happen(stage, "not here", project=other)
    await happen(stage, "here", project=project)
    frames = {frame["id"]: frame["payload"]["data"] for frame in client.taken()}
    assert frames == {
        "short": {"news": {"task": {"name": "here"}, "happened": "CREATED"}},
        "long": {"news": {"task": {"name": "here", "project": {"name": "Site"}}, "happened": "CREATED"}},
    }


@pytest.fixture
def tells_role(monkeypatch: pytest.MonkeyPatch) -> None:
    """A change's `id` is the role that it is told to."""
    kind = graphql_schema(bootstrap.build_schema()).get_type("TaskChange")
    assert isinstance(kind, GraphQLObjectType)
    monkeypatch.setattr(kind.fields["id"], "resolve", lambda _, info: info.context.caller.role.value)


async def test_a_lowered_role_narrows_what_is_told_at_once(stage: Stage, tells_role: None):
    client = await a_listener(stage, ROLE)
    await happen(stage, "before")
    await done(
        stage.world.as_("acme", Role.ADMIN),
        "setUserRole",
        "user { id }",
        id=member_id("acme", Role.MEMBER),
        role="VIEWER",
    )
    await happen(stage, "after")
    assert [(event["title"], event["task"]["title"]) for event in told(client.taken())] == [
        ("MEMBER", "before"),
        ("VIEWER", "after"),
    ]


async def test_a_token_of_a_lower_role_narrows_what_is_told(stage: Stage, tells_role: None):
    client = await stage.client()
    await client.init(signed("acme", Role.VIEWER, subject="acme-admin"))
    await client.subscribe(ROLE)
    client.taken()
    await happen(stage, "told")
    assert [event["title"] for event in told(client.taken())] == ["VIEWER"]


async def suspend(stage: Stage, kind: str) -> None:
    if kind == "user":
        admin = stage.world.as_("acme", Role.ADMIN)
        await done(admin, "suspendUser", "user { id }", id=member_id("acme", Role.MEMBER))
    else:
        await done(stage.world.as_(None, Role.PLATFORM), "suspendTenant", "tenant { slug }", slug="acme")


@pytest.mark.parametrize("kind", ["user", "tenant"])
async def test_who_is_suspended_is_told_so_closed_and_told_nothing_more(stage: Stage, kind: str):
    sockets = [await a_listener(stage) for _ in range(2)]
    await sockets[0].subscribe("subscription { projectChanged { id } }", id="2")
    bystander = await a_listener(stage, role=Role.VIEWER)
    idle = await stage.client("acme")
    project = await a_project(manager(stage))
    await stage.pump()
    for client in (*sockets, bystander):
        client.taken()
    await a_task(manager(stage), project, "with the news")
    await suspend(stage, kind)
    await stage.pump()
    assert sorted(refusals(sockets[0].taken())) == [("1", "FORBIDDEN"), ("2", "FORBIDDEN")]
    assert refusals(sockets[1].taken()) == [("1", "FORBIDDEN")]
    assert [client.is_open for client in (*sockets, idle)] == [False] * 3
    assert bystander.is_open is (kind == "user")
    kept = await stage.kept()
    assert not [key for key in kept if any(client.id in key for client in sockets)]
    if kind == "user":
        assert titles(bystander) == ["with the news"]
        await happen(stage, "later", project=project)
        assert titles(bystander) == ["later"]
    assert [client.frames for client in (*sockets, idle)] == [[], [], []]


@pytest.mark.parametrize("kind", ["user", "tenant"])
async def test_who_is_suspended_is_told_nothing_after_four_seconds_though_the_news_is_late(
    stage: Stage, kind: str, monkeypatch: pytest.MonkeyPatch
):
    client = await a_listener(stage)
    project = await happen(stage, "before")
    assert titles(client) == ["before"]
    await a_task(manager(stage), project, "within seconds")
    await a_task(manager(stage), project, "later")
    within, later = await stage.records()
    await suspend(stage, kind)
    late_news = await stage.records()
    await stage.stream.handle({"Records": [within]})
    assert titles(client) == ["within seconds"]
    listeners = stage.world.services.listeners
    now = listeners._clock()
    monkeypatch.setattr(listeners, "_clock", lambda: now + 4.001)
    await stage.stream.handle({"Records": [later]})
    assert refusals(client.taken()) == [("1", "FORBIDDEN")]
    await stage.stream.handle({"Records": late_news})
    assert client.taken() == []
    assert not client.is_open


async def test_who_is_suspended_cannot_sign_in_again_until_let_in(stage: Stage):
    await suspend(stage, "user")
    await stage.pump()
    client = await stage.client()
    await client.init(token("acme", Role.MEMBER))
    await client.subscribe(TITLES)
    assert refusals(client.taken()[1:]) == [("1", "FORBIDDEN")]
    admin = stage.world.as_("acme", Role.ADMIN)
    await done(admin, "reactivateUser", "user { id }", id=member_id("acme", Role.MEMBER))
    await stage.pump()
    again = await a_listener(stage)
    await happen(stage, "back")
    assert titles(again) == ["back"]
