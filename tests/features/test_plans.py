"""Plans: what the platform lets tenants use, and what happens to who uses more."""

import asyncio
import json
from typing import Any

import pytest

from graphql_api.auth.identity import Identity, Role
from graphql_api.context import RequestContext
from graphql_api.deadline import Deadline
from graphql_api.features.users import User, membership_writes
from graphql_api.metering.limits import Limits
from tests.asgi import Reply
from tests.features.builders import a_project, done, outcome, refusal, some_tasks
from tests.realtime.stage import Clock, open_stage
from tests.world import World, user_uid

PLAN = "plan { tier limits { pointsPerSecond burst maxWebhooks } features version }"
PLANS = f"{{ plans {{ {PLAN[7:-2]} }} }}"
MINE = "{ entitlements { plan limits { pointsPerSecond burst } features } }"
# Priced for a hundred tasks, and for three comments of each.
DEAR = "{ tasks(first: 100) { edges { node { id comments(first: 3) { edges { node { id } } } } } } }"


@pytest.fixture
def operator(world: World) -> World:
    return world.as_(None, Role.PLATFORM)


@pytest.fixture
def member(world: World) -> World:
    return world.as_("acme", Role.MEMBER)


async def give(world: World, plan: str, **numbers: int) -> None:
    """Put acme on a plan of these numbers, and let this process know."""
    operator = world.as_(None, Role.PLATFORM)
    if numbers:
        await done(operator, "updatePlan", PLAN, tier=plan, **numbers)
    await done(operator, "changePlan", "tenant { plan }", slug="acme", plan=plan)
    world.services.memberships.forget("acme")


async def ask(world: World, query: str = DEAR) -> tuple[Reply, dict[str, Any]]:
    body = json.dumps({"query": query}).encode()
    accept = "application/graphql-response+json"
    reply = await world.post(body, {"content-type": "application/json", "accept": accept})
    return reply, json.loads(reply.body)


async def until_refused(world: World) -> tuple[Reply, dict[str, Any]]:
    for _ in range(100):
        reply, payload = await ask(world)
        if reply.status != 200:
            return reply, payload
    raise AssertionError("nothing was refused")


async def test_plans_are_shipped_and_edited(operator: World):
    shipped = {plan["tier"]: plan for plan in (await operator.data(PLANS))["plans"]}
    assert list(shipped) == ["FREE", "PRO", "ENTERPRISE"]
    edited = await done(operator, "updatePlan", PLAN, tier="PRO", burst=70_000)
    limits = {**shipped["PRO"]["limits"], "burst": 70_000}
    assert edited == {**shipped["PRO"], "limits": limits, "version": 2}
    again = await done(operator, "updatePlan", PLAN, tier="PRO", pointsPerSecond=7, expectedVersion=2)
    assert again["limits"] == {**limits, "pointsPerSecond": 7}
    stored = {plan["tier"]: plan for plan in (await operator.data(PLANS))["plans"]}
    assert stored == {**shipped, "PRO": again}


async def test_a_plan_s_features_are_a_set(operator: World):
    edited = await done(
        operator, "updatePlan", PLAN, tier="FREE", features=["CUSTOM_FIELDS", "AUDIT", "AUDIT"]
    )
    assert edited["features"] == ["CUSTOM_FIELDS", "AUDIT"]
    edited = await done(operator, "updatePlan", PLAN, tier="FREE", features=[])
    assert (edited["features"], edited["limits"]["maxWebhooks"]) == ([], 1)


@pytest.mark.parametrize(
    "numbers",
    [
        {"burst": Limits().max_cost - 1},
        {"burst": 2_000_000_001},
        {"burst": None},
        {"pointsPerSecond": 0},
        {"pointsPerSecond": None},
        {"maxWebhooks": -1},
        {"features": None},
    ],
)
async def test_a_plan_that_could_not_be_lived_with_is_refused(operator: World, numbers: dict[str, Any]):
    refused = await outcome(operator, "updatePlan", PLAN, tier="FREE", **numbers)
    assert (refused["code"], refused["field"]) == ("BAD_USER_INPUT", next(iter(numbers)))


async def test_a_stale_edit_of_a_plan_is_a_conflict(operator: World):
    await done(operator, "updatePlan", PLAN, tier="PRO", burst=70_000)
    refused = await outcome(operator, "updatePlan", PLAN, tier="PRO", burst=80_000, expectedVersion=1)
    assert refused["code"] == "CONFLICT"


async def test_a_change_of_plan_shows_in_the_entitlements(world: World, member: World):
    assert (await member.data(MINE))["entitlements"]["plan"] == "ENTERPRISE"
    await give(world, "FREE", pointsPerSecond=3, burst=6_000)
    assert (await member.data(MINE))["entitlements"] == {
        "plan": "FREE",
        "limits": {"pointsPerSecond": 3, "burst": 6_000},
        "features": [],
    }
    globex = await world.as_("globex", Role.MEMBER).data(MINE)
    assert globex["entitlements"]["plan"] == "ENTERPRISE"


@pytest.mark.parametrize("slug", ["initech", "x", "acme#"])
async def test_an_unknown_tenant_has_no_plan(operator: World, slug: str):
    refused = await outcome(operator, "changePlan", "tenant { plan }", slug=slug, plan="PRO")
    assert refused["code"] == "NOT_FOUND"


async def test_who_has_used_up_the_budget_is_told_when_to_come_back(world: World, member: World):
    await give(world, "FREE", pointsPerSecond=100, burst=5_000)
    # The rows do not exist, so that nearly all of the price would be given back: this asks for what exists.
    admin = world.as_("acme", Role.ADMIN)
    project = await a_project(admin)
    await some_tasks(admin, [{"title": f"task {number}"} for number in range(100)], projectId=project)
    reply, payload = await until_refused(member)
    (error,) = payload["errors"]
    wait = error["extensions"]["retryAfter"]
    assert (reply.status, error["extensions"]["code"], "data" in payload) == (429, "RATE_LIMITED", False)
    assert reply.headers["retry-after"] == str(wait)
    assert 1 <= wait <= 50


async def test_another_tenant_does_not_notice_and_a_better_plan_goes_on_at_once(world: World, member: World):
    await give(world, "FREE", pointsPerSecond=1, burst=5_000)
    admin = world.as_("acme", Role.ADMIN)
    project = await a_project(admin)
    await some_tasks(admin, [{"title": f"task {number}"} for number in range(100)], projectId=project)
    await until_refused(member)
    other, payload = await ask(world.as_("globex", Role.MEMBER))
    assert (other.status, "errors" in payload) == (200, False)
    await give(world, "PRO")
    reply, payload = await ask(member)
    assert (reply.status, "errors" in payload) == (200, False)


async def test_every_answer_tells_what_is_left(world: World, member: World):
    await give(world, "PRO", pointsPerSecond=100, burst=10_000)
    reply, payload = await ask(member, "{ viewer { id } }")
    standing = payload["extensions"]["rateLimit"]
    assert standing["limit"] == 10_000
    assert 9_900 <= standing["remaining"] <= 10_000
    assert reply.headers["ratelimit"] == f'"tenant";r={standing["remaining"]};t={standing["reset"]}'
    assert reply.headers["ratelimit-policy"] == '"tenant";q=10000;qu="cost-points"'


async def test_what_is_priced_and_not_there_is_given_back(world: World, member: World):
    await give(world, "PRO", pointsPerSecond=1, burst=5_000)
    reply, _ = await ask(member)
    assert reply.status == 200
    # An empty list of a hundred tasks, each with people and comments, was priced at over a thousand points.
    for _ in range(20):
        reply, payload = await ask(member)
        assert reply.status == 200
        assert payload["extensions"]["cost"]["points"] > 400


async def test_of_what_failed_nothing_is_given_back(world: World, member: World):
    await give(world, "PRO", pointsPerSecond=1, burst=5_000)
    failing = '{ tasks(first: 100) { edges { node { id } } } task(id: "nonsense") { id } }'
    statuses = {(await ask(member, failing))[0].status for _ in range(150)}
    assert statuses == {200, 429}


async def test_who_is_nobody_and_who_runs_the_platform_are_charged_nothing(world: World, operator: World):
    for asked in (await ask(world, "{ __typename }"), await ask(operator, PLANS)):
        assert "rateLimit" not in asked[1]["extensions"]


async def test_changes_are_shown_as_far_back_as_the_plan_says(engine_endpoint: str):
    clock = Clock()
    async with open_stage(engine_endpoint, now=clock) as stage:
        admin = stage.world.as_("acme", Role.ADMIN)
        await a_project(admin, "old")
        await stage.pump()
        clock.forward(days=20)
        await a_project(admin, "new")
        await stage.pump()
        query = "{ changes(first: 5) { edges { node { action } } } }"
        shown = [len((await admin.data(query))["changes"]["edges"])]
        for days in (30, 10):
            await give(stage.world, "PRO", retentionDays=days)
            shown.append(len((await admin.data(query))["changes"]["edges"]))
        assert shown == [5, 5, 1]


async def test_a_socket_takes_as_many_subscriptions_as_the_plan_says(engine_endpoint: str):
    async with open_stage(engine_endpoint) as stage:
        await give(stage.world, "FREE", maxSubscriptions=2)
        client = await stage.client("acme")
        for number in range(3):
            await client.subscribe("subscription { taskChanged { id } }", id=str(number))
        (refused,) = client.taken()
        assert (refused["type"], refused["id"]) == ("error", "2")
        assert refused["payload"][0]["extensions"]["code"] == "RATE_LIMITED"


async def test_an_administrator_chooses_a_plan_and_goes_on(world: World):
    await give(world, "FREE", maxProjects=1)
    admin = world.as_("acme", Role.ADMIN)
    await a_project(admin)
    assert await refusal(admin, "createProject", name="two") == "QUOTA_EXCEEDED"
    chosen = await done(admin, "choosePlan", "entitlements { plan limits { maxProjects } }", plan="PRO")
    assert chosen == {"plan": "PRO", "limits": {"maxProjects": 1_000}}
    await asyncio.sleep(1.1)  # who is refused reads the plan again, once in a second
    await a_project(admin, "two")


async def test_a_plan_that_is_not_for_everybody_is_the_operators_to_give(world: World, operator: World):
    admin = world.as_("acme", Role.ADMIN)
    assert await refusal(admin, "choosePlan", plan="ENTERPRISE") == "FORBIDDEN"
    await done(operator, "updatePlan", PLAN, tier="PRO", selfService=False)
    assert await refusal(admin, "choosePlan", plan="PRO") == "FORBIDDEN"


async def test_two_tenants_people_of_one_name_choose_each_for_their_own(world: World, operator: World):
    for slug in ("acme", "globex"):
        await done(operator, "changePlan", "tenant { plan }", slug=slug, plan="FREE")
        world.services.memberships.forget(slug)
    subject, plans = user_uid("acme", Role.ADMIN), {}
    founding = RequestContext(
        world.services.sources, Identity("operator", Role.PLATFORM, None, 0), "founding", Deadline.after(10)
    ).founding("globex")
    twin = founding.new(User, uid=subject, name="Twin", email="twin@globex.example", role=Role.ADMIN)
    await founding.commit(*membership_writes(founding, twin), leaves=[])
    for slug, plan in (("acme", "PRO"), ("globex", "FREE")):
        admin = world.as_(slug, Role.ADMIN, subject)
        chosen = await done(admin, "choosePlan", "entitlements { plan }", plan=plan, idempotencyKey="once")
        plans[slug] = chosen["plan"]
    assert plans == {"acme": "PRO", "globex": "FREE"}
