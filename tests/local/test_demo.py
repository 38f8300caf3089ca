import dataclasses
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from graphql_api.auth.identity import Role
from graphql_api.auth.tokens import TokenVerifier
from graphql_api.bootstrap import build_services
from graphql_api.features.tasks.task import RECENT_COMMENTS
from graphql_api.local import demo
from graphql_api.store.provision import create_tables
from graphql_api.store.schema import control_definition, table_definition
from graphql_api.store.table import StoreBusyError
from tests.features.builders import every, failing
from tests.iam.guard import PolicyGuard
from tests.world import AUDIENCE, ISSUER, PublishedKeys, World, principal, settings

PAGING = "pageInfo { hasNextPage endCursor }"
TASKS = f"""query ($first: Int, $after: String) {{ list: tasks(first: $first, after: $after) {{
    edges {{ node {{ id title status dueOn completedAt createdAt updatedAt version commentCount
        project {{ createdAt }} assignee {{ role }} createdBy {{ role }} }} }} {PAGING} }} }}"""
COMMENTED = f"""query ($first: Int, $after: String) {{ list: tasks(first: $first, after: $after) {{
    edges {{ node {{ id createdAt updatedAt commentCount
        comments(first: 10) {{ edges {{ node {{ createdAt author {{ name }} }} }} }} }} }} {PAGING} }} }}"""
COMMENTS = "query ($id: ID!) { task(id: $id) { comments(first: 100) { edges { node { createdAt } } } } }"
PROJECTS = f"""query ($first: Int, $after: String) {{ list: projects(first: $first, after: $after) {{ edges {{
    node {{ name description tasks(first: 100) {{ edges {{ node {{ id }} }} }} }} }} {PAGING} }} }}"""
USERS = "{ users(first: 100) { edges { node { name email role status } } } }"


@asynccontextmanager
async def empty_world(endpoint: str) -> AsyncIterator[World]:
    """A world with a table and nobody in it."""
    chosen = settings(endpoint)
    services = build_services(chosen)
    services = dataclasses.replace(services, verifier=TokenVerifier(PublishedKeys(), ISSUER, AUDIENCE))
    await services.open()
    guard = PolicyGuard(
        [table_definition(chosen.table_name), control_definition(chosen.control_table_name)], principal
    )
    try:
        await create_tables(services.sources.database)
        guard.watch(services.sources.database.client)
        yield World(services, guard)
    finally:
        await services.close()
    assert not guard.refused


@pytest.fixture(scope="module")
async def seeded(engine_endpoint: str) -> AsyncIterator[World]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", "test")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "test")
        async with empty_world(engine_endpoint) as world:
            assert await demo.seed(world.services.sources)
            yield world


def member(world: World, slug: str, role: Role = Role.VIEWER) -> World:
    tenant = demo.find_tenant(slug)
    assert tenant is not None
    return world.as_(slug, role, tenant.person(role).uid(slug))


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.fixture(params=[tenant.slug for tenant in demo.TENANTS])
def viewer(seeded: World, request: pytest.FixtureRequest) -> World:
    return member(seeded, request.param)


async def test_each_demo_person_comes_in_with_their_role(seeded: World) -> None:
    for tenant in demo.TENANTS:
        for person in tenant.people:
            caller = seeded.as_(tenant.slug, person.role, person.uid(tenant.slug))
            answer = await caller.data("{ viewer { name email role status } tenant { name slug } }")
            assert answer == {
                "viewer": {
                    "name": person.name,
                    "email": person.email,
                    "role": person.role,
                    "status": "ACTIVE",
                },
                "tenant": {"name": tenant.name, "slug": tenant.slug},
            }


async def test_there_are_some_ten_people_twenty_projects_and_five_hundred_tasks(seeded: World) -> None:
    people, projects, tasks = Counter[str](), 0, 0
    for tenant in demo.TENANTS:
        viewer = member(seeded, tenant.slug)
        people.update(edge["node"]["role"] for edge in (await viewer.data(USERS))["users"]["edges"])
        projects += len(await every(viewer, PROJECTS, 20))
        tasks += len(await every(viewer, TASKS, 100))

    assert people.keys() == {role.value for role in Role} - {"PLATFORM"}
    assert 10 <= people.total() <= 12
    assert (projects, tasks) == (20, 500)


async def test_every_project_has_a_description_and_tasks(viewer: World) -> None:
    for project in await every(viewer, PROJECTS, 10):
        assert project["description"]
        assert len(project["tasks"]["edges"]) == demo.TASKS_PER_PROJECT


async def test_the_work_has_a_history(viewer: World) -> None:
    tasks = await every(viewer, TASKS, 100)
    now = datetime.now(UTC)

    for task in tasks:
        times = [task["project"]["createdAt"], task["createdAt"], task["updatedAt"]]
        assert [*map(moment, times), now] == sorted([*map(moment, times), now])
        assert (task["completedAt"] is not None) == (task["status"] == "done")
        assert task["version"] >= 1
        assert task["createdBy"]["role"] != "VIEWER"
    created = [moment(task["createdAt"]) for task in tasks]
    assert max(created) - min(created) > timedelta(days=90)
    assert len({task["status"] for task in tasks}) == 4
    due = [date.fromisoformat(task["dueOn"]) for task in tasks if task["dueOn"] and not task["completedAt"]]
    assert min(due) < now.date() < max(due)
    assert (
        {bool(task["dueOn"]) for task in tasks} == {bool(task["assignee"]) for task in tasks} == {True, False}
    )


async def test_comments_are_counted_and_said_while_the_task_was_worked_on(viewer: World) -> None:
    tasks = await every(viewer, COMMENTED, 50)

    for task in tasks:
        comments: list[dict[str, Any]] = [edge["node"] for edge in task["comments"]["edges"]]
        said = [moment(comment["createdAt"]) for comment in comments]
        assert len(said) == min(task["commentCount"], RECENT_COMMENTS)
        assert said == sorted(said, reverse=True)
        assert all(moment(task["createdAt"]) <= at <= moment(task["updatedAt"]) for at in said)
        assert all(comment["author"]["name"] for comment in comments)
    most = max(tasks, key=lambda task: task["commentCount"])
    assert most["commentCount"] > RECENT_COMMENTS
    shown = (await viewer.data(COMMENTS, id=most["id"]))["task"]["comments"]["edges"]
    assert len(shown) == most["commentCount"]
    assert min(task["commentCount"] for task in tasks) == 0


async def test_operators_see_both_tenants(seeded: World) -> None:
    operator = seeded.as_(None, Role.PLATFORM, demo.OPERATOR)

    answer = await operator.data("{ tenants { edges { node { slug status } } } }")
    assert [edge["node"] for edge in answer["tenants"]["edges"]] == [
        {"slug": tenant.slug, "status": "ACTIVE"} for tenant in demo.TENANTS
    ]


async def test_seeding_again_writes_nothing(seeded: World) -> None:
    seeded.guard.forget_calls()

    assert not await demo.seed(seeded.services.sources)
    assert set(seeded.guard.operations) == {"BatchGetItem"}


async def test_a_seeding_that_was_cut_off_is_ended_by_the_next(engine_endpoint: str) -> None:
    async with empty_world(engine_endpoint) as world:
        with failing(world, "TransactWriteItems", after=3), pytest.raises(StoreBusyError):
            await demo.seed(world.services.sources)

        assert await demo.seed(world.services.sources)
        for tenant in demo.TENANTS:
            viewer = member(world, tenant.slug)
            assert len((await viewer.data(USERS))["users"]["edges"]) == len(tenant.people)
            assert await every(viewer, COMMENTED, 50)
