"""Webhooks as their owners make them: what is refused, what is counted, what is told once."""

import asyncio
import base64
from typing import Any

import pytest

from graphql_api.auth.identity import Role
from graphql_api.settings import Profile
from tests.features.builders import a_project, a_task, a_webhook, done, outcome, refusal
from tests.world import World

pytestmark = pytest.mark.identity(tenant="acme", role="ADMIN")

URL = "https://hooks.example.com/changes"
TITLES = "subscription { taskChanged { id task { title } } }"
ALL = "webhook { id url query operationName variables role status pausedReason description version }"
LIST = "{ webhooks { edges { node { id url } } } }"


async def made(world: World, **fields: Any) -> Any:
    return await outcome(world, "createWebhook", f"{ALL} secret", **{"url": URL, "query": TITLES, **fields})


async def test_a_webhook_is_made_as_it_was_asked_for_and_its_secret_is_told(world: World):
    project = await a_project(world)
    query = "query Q { viewer { id } } subscription S($p: ID) { taskChanged(projectId: $p) { id } }"
    answer = await made(
        world,
        query=query,
        operationName="S",
        variables=f' {{"p": "{project}"}} ',
        role="MEMBER",
        description="Board",
    )
    assert answer["webhook"] | {"id": ""} == {
        "id": "",
        "url": URL,
        "query": query,
        "operationName": "S",
        "variables": f'{{"p":"{project}"}}',
        "role": "MEMBER",
        "status": "ENABLED",
        "pausedReason": None,
        "description": "Board",
        "version": 1,
    }
    kind, _, encoded = answer["secret"].partition("_")
    assert (kind, len(base64.b64decode(encoded, validate=True))) == ("whsec", 32)


async def test_every_webhook_has_a_secret_of_its_own_that_nothing_else_tells(world: World):
    secrets = {(await made(world))["secret"] for _ in range(3)}
    assert len(secrets) == 3
    schema = (await world.execute("{ __schema { types { name fields { name } } } }")).data["__schema"]
    telling = {
        kind["name"]
        for kind in schema["types"]
        for field in kind["fields"] or ()
        if field["name"] == "secret" and "Webhook" in kind["name"]
    }
    assert telling == {"CreateWebhookPayload", "RotateWebhookSecretPayload"}


@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.1/",
        "ftp://hooks.example.com/",
        "https://user" + ":word@hooks.example.com/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::1]/",
        "https://2130706433/",
        "nonsense",
        "",
    ],
)
async def test_a_url_that_is_not_the_internet_s_is_refused(world: World, url: str):
    refused = await made(world, url=url)
    assert (refused["code"], refused["field"]) == ("BAD_USER_INPUT", "url")
    webhook = await a_webhook(world)
    assert await refusal(world, "updateWebhook", id=webhook, url=url) == "BAD_USER_INPUT"


@pytest.mark.parametrize("world", [Profile.PRODUCTION], indirect=True)
@pytest.mark.parametrize("url", ["http://hooks.example.com/", "https://hooks.example.com:9000/"])
async def test_production_takes_https_on_two_ports_alone(world: World, url: str):
    assert (await made(world, url=url))["code"] == "BAD_USER_INPUT"
    assert (await made(world))["__typename"] == "CreateWebhookPayload"


@pytest.mark.parametrize(
    "fields",
    [
        {"query": ""},
        {"query": "{ viewer { id } }"},
        {"query": "subscription {"},
        {"query": "subscription { nothingChanged { id } }"},
        {"query": "subscription A { taskChanged { id } } subscription B { taskChanged { id } }"},
        {"query": TITLES, "operationName": "Absent"},
        {"query": "subscription ($p: ID!) { taskChanged(projectId: $p) { id } }"},
        {"query": TITLES + " # " + "x" * 16_000},
    ],
)
async def test_a_subscription_that_a_socket_would_be_refused_is_refused(world: World, fields: dict[str, str]):
    refused = await made(world, **fields)
    assert refused["code"] == "BAD_USER_INPUT", refused


@pytest.mark.parametrize("variables", ["[]", "1", "{", "null", '"text"', "[" * 5000])
async def test_variables_are_a_json_object(world: World, variables: str):
    refused = await made(world, variables=variables)
    assert (refused["code"], refused["field"]) == ("BAD_USER_INPUT", "variables")


async def test_a_subscription_to_what_is_not_there_is_refused(world: World):
    theirs = await a_task(world.as_("globex", Role.ADMIN))
    query = f'subscription {{ taskChanged(taskId: "{theirs}") {{ id }} }}'
    assert (await made(world, query=query))["code"] == "NOT_FOUND"


async def test_a_role_above_all_tenants_is_refused(world: World):
    assert (await made(world, role="PLATFORM"))["code"] == "FORBIDDEN"


async def test_a_subscription_too_dear_for_an_event_is_refused(world: World):
    comments = (
        "comments(first: 100) { edges { node { author { tasks(first: 100) { edges { node { id } } } } } } }"
    )
    query = f"subscription {{ taskChanged {{ task {{ {comments} }} }} }}"
    refused = await made(world, query=query)
    assert refused["code"] == "BAD_USER_INPUT"


async def test_a_plan_s_number_of_webhooks_holds_also_where_many_are_made_at_once(world: World):
    operator = world.as_(None, Role.PLATFORM)
    await done(operator, "changePlan", "tenant { plan }", slug="acme", plan="FREE")
    await done(operator, "updatePlan", "plan { version }", tier="FREE", maxWebhooks=2)
    world.services.memberships.forget("acme")
    answers = await asyncio.gather(*(made(world) for _ in range(5)))
    assert [answer.get("code") for answer in answers].count("QUOTA_EXCEEDED") == 3
    (first, *_) = (await world.data(LIST))["webhooks"]["edges"]
    await done(world, "deleteWebhook", "webhook { id }", id=first["node"]["id"])
    assert "webhook" in await made(world)
    assert (await made(world))["code"] == "QUOTA_EXCEEDED"


async def test_a_repeated_creation_has_one_effect_and_tells_the_secret_again(world: World):
    first, again = [await made(world, idempotencyKey="key") for _ in range(2)]
    assert first == again
    assert len((await world.data(LIST))["webhooks"]["edges"]) == 1


async def test_the_list_is_in_the_order_in_which_they_were_made(world: World):
    ids = [await a_webhook(world) for _ in range(3)]
    assert [edge["node"]["id"] for edge in (await world.data(LIST))["webhooks"]["edges"]] == ids
    await done(world, "deleteWebhook", "webhook { id }", id=ids[1])
    assert [edge["node"]["id"] for edge in (await world.data(LIST))["webhooks"]["edges"]] == [ids[0], ids[2]]


async def test_an_update_changes_what_it_names_and_tries_the_subscription_out(world: World):
    webhook = await a_webhook(world)
    changed = await done(world, "updateWebhook", ALL, id=webhook, description="new", role="MANAGER")
    assert (changed["description"], changed["role"], changed["version"]) == ("new", "MANAGER", 2)
    assert await refusal(world, "updateWebhook", id=webhook, query="{ viewer { id } }") == "BAD_USER_INPUT"
    assert await refusal(world, "updateWebhook", id=webhook, operationName="Absent") == "BAD_USER_INPUT"
    stale = await refusal(world, "updateWebhook", id=webhook, description="newer", expectedVersion=1)
    assert stale == "CONFLICT"


async def test_a_member_who_knows_its_id_learns_nothing_of_it(world: World):
    webhook = await a_webhook(world)
    member = world.as_("acme", Role.MEMBER)
    for field in ("url", "query", "status", "variables", "deliveries { edges { cursor } }"):
        answer = await member.execute(
            f"query ($id: ID!) {{ node(id: $id) {{ ... on Webhook {{ {field} }} }} }}", id=webhook
        )
        assert answer.codes == ["FORBIDDEN"]


async def test_what_was_deleted_has_no_secret_any_more(world: World):
    webhook = await a_webhook(world)
    await done(world, "deleteWebhook", "webhook { id }", id=webhook)
    for field in ("rotateWebhookSecret", "pauseWebhook", "resumeWebhook", "deleteWebhook"):
        assert await refusal(world, field, id=webhook) == "NOT_FOUND"
