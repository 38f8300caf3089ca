"""How many tasks, projects and people a plan allows, and what the change log counts of them."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from graphql_api.auth.identity import Role
from graphql_api.changes.counts import NEAR, Counts
from graphql_api.deadline import Deadline
from graphql_api.features.tasks.task import Task
from graphql_api.store.keys import tenant_family
from tests.features.builders import BATCH, a_project, a_task, done, outcome, refusal
from tests.realtime.stage import Stage, open_stage
from tests.world import World

ACME = tenant_family("acme")
LISTEN = "subscription { taskChanged { id } }"


@pytest.fixture
def admin(world: World) -> World:
    return world.as_("acme", Role.ADMIN)


@pytest.fixture
async def stage(engine_endpoint: str) -> AsyncIterator[Stage]:
    async with open_stage(engine_endpoint) as opened:
        yield opened


async def allow(world: World, **limits: int) -> None:
    """Put acme on a plan with these limits, and let this process know."""
    operator = world.as_(None, Role.PLATFORM)
    await done(operator, "updatePlan", "plan { version }", tier="FREE", **limits)
    await done(operator, "changePlan", "tenant { plan }", slug="acme", plan="FREE")
    world.services.memberships.forget("acme")


async def counted(stage: Stage, kind: str) -> int:
    """How many of a kind the log of acme counts."""
    log = stage.world.services.sources.change_log(ACME, Deadline.after(10))
    return (await log.head()).count(kind)


async def test_one_task_too_many_is_refused_and_a_deleted_one_makes_room(world: World, admin: World):
    await allow(world, maxTasks=2)
    project = await a_project(admin)
    first, _ = await a_task(admin, project), await a_task(admin, project)
    refused = await outcome(admin, "createTask", "task { id }", projectId=project, title="Third")
    assert refused["__typename"] == "QuotaExceededError"
    assert refused["code"] == "QUOTA_EXCEEDED"
    await done(admin, "deleteTask", "id: task { id }", id=first)
    await a_task(admin, project, "Third")
    assert await refusal(admin, "restoreTask", id=first) == "QUOTA_EXCEEDED"


@pytest.mark.parametrize(
    ("limit", "field", "payload"),
    [
        ("maxProjects", "createProject", {"name": "Second"}),
        ("maxUsers", "inviteUser", {"name": "Kim", "email": "kim@acme.example"}),
        ("maxWebhooks", "createWebhook", {"url": "https://hooks.example.com/", "query": LISTEN}),
    ],
)
async def test_projects_people_and_webhooks_are_bounded_too(
    world: World, admin: World, limit: str, field: str, payload: dict[str, Any]
):
    await allow(world, **{limit: 1})
    for name, code in (("one", ""), ("two", "QUOTA_EXCEEDED")):
        own = {"name": name, "email": f"{name}@acme.example"}
        mine = payload | {key: value for key, value in own.items() if key in payload}
        assert (await outcome(admin, field, "__typename", **mine)).get("code", "") == code


async def test_the_limit_is_told(world: World, admin: World):
    await allow(world, maxProjects=1)
    await a_project(admin)
    query = """mutation { createProject(input: {name: "two"}) {
        ... on QuotaExceededError { code limit message } } }"""
    told = (await admin.data(query))["createProject"]
    assert told == {"code": "QUOTA_EXCEEDED", "limit": 1, "message": "Your plan allows 1 of this: Project."}


async def test_of_a_batch_as_many_rows_are_made_as_there_is_room_for(world: World, admin: World):
    project = await a_project(admin)
    await allow(world, maxTasks=3)
    rows = [{"title": f"task {number}", "projectId": project} for number in range(5)]
    results = await done(admin, "createTasks", BATCH, tasks=rows)
    assert [result.get("code", "") for result in results] == ["", "", "", *["QUOTA_EXCEEDED"] * 2]


async def test_a_repetition_at_the_limit_answers_what_was_made(world: World, admin: World):
    await allow(world, maxProjects=1)
    first = await a_project(admin, "only", idempotencyKey="once")
    assert await a_project(admin, "only", idempotencyKey="once") == first
    assert await refusal(admin, "createProject", name="another", idempotencyKey="twice") == "QUOTA_EXCEEDED"


async def test_what_was_refused_for_another_reason_takes_no_room(world: World, admin: World):
    await allow(world, maxProjects=1)
    for _ in range(3):
        assert await refusal(admin, "createProject", name="") == "BAD_USER_INPUT"
    await a_project(admin)


async def test_another_tenant_has_its_own_room(world: World, admin: World):
    await allow(world, maxProjects=1)
    await a_project(admin)
    assert await refusal(admin, "createProject", name="two") == "QUOTA_EXCEEDED"
    operator = world.as_(None, Role.PLATFORM)
    await done(operator, "changePlan", "tenant { plan }", slug="globex", plan="FREE")
    world.services.memberships.forget("globex")
    await a_project(world.as_("globex", Role.ADMIN))


async def test_a_better_plan_is_good_at_once(world: World, admin: World):
    await allow(world, maxProjects=1)
    await a_project(admin)
    assert await refusal(admin, "createProject", name="two") == "QUOTA_EXCEEDED"
    operator = world.as_(None, Role.PLATFORM)
    await done(operator, "changePlan", "tenant { plan }", slug="acme", plan="PRO")
    # Whoever is refused reads the plan again, once in a second; nobody was told here.
    await asyncio.sleep(1.1)
    await a_project(admin, "two")


async def test_the_log_counts_what_there_is(stage: Stage):
    admin = stage.world.as_("acme", Role.ADMIN)
    await stage.pump()
    assert (await counted(stage, "PROJECT"), await counted(stage, "TASK")) == (0, 0)
    project = await a_project(admin)
    first, _ = await a_task(admin, project), await a_task(admin, project)
    await done(admin, "updateTask", "task { id }", id=first, title="Other")
    await done(admin, "deleteTask", "id: task { id }", id=first)
    await stage.pump()
    assert (await counted(stage, "PROJECT"), await counted(stage, "TASK")) == (1, 1)
    await done(admin, "restoreTask", "task { id }", id=first)
    await stage.pump()
    assert await counted(stage, "TASK") == 2


async def test_a_record_that_comes_twice_counts_once(stage: Stage):
    admin = stage.world.as_("acme", Role.ADMIN)
    await a_task(admin)
    records = await stage.records()
    for _ in range(2):
        assert await stage.stream.handle({"Records": records}) == {"batchItemFailures": []}
    assert await counted(stage, "TASK") == 1


async def test_a_process_that_made_none_knows_of_them_all(stage: Stage):
    admin = stage.world.as_("acme", Role.ADMIN)
    project = await a_project(admin)
    for number in range(3):
        await a_task(admin, project, f"task {number}")
    await stage.pump()
    sources = stage.world.services.sources
    other, log = Counts(sources.now), sources.change_log(ACME, Deadline.after(10))
    assert await other.take(log, Task.kind, 5, 4) == 1
    assert await other.take(log, Task.kind, 1, 4) == 0


async def test_far_from_the_limit_the_log_is_asked_once_in_a_while(stage: Stage):
    sources = stage.world.services.sources
    counts, log = Counts(sources.now), sources.change_log(ACME, Deadline.after(10))
    stage.world.guard.forget_calls()
    for _ in range(10):
        assert await counts.take(log, Task.kind, 1, 100) == 1
    assert len(stage.world.guard.calls) == 1
    nearly = int(100 * NEAR) - 10
    assert await counts.take(log, Task.kind, nearly, 100) == nearly
    stage.world.guard.forget_calls()
    for _ in range(3):
        await counts.take(log, Task.kind, 1, 100)
    assert len(stage.world.guard.calls) == 3
