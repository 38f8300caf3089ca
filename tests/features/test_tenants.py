import asyncio
from typing import Any

import pytest

from graphql_api.auth.identity import Role
from graphql_api.deadline import Deadline
from graphql_api.features.tenants import TenantRegistration
from graphql_api.store.entity import key_of
from graphql_api.store.keys import PLATFORM
from graphql_api.store.table import Table
from tests.features.builders import a_project, done, every, failing, outcome, refusal
from tests.features.doors import Door, is_refusal
from tests.world import MEMBERS, World

TENANT = "tenant { id slug name version }"
REGISTRATION = "tenant { slug name status version }"
ONBOARDED = f"{REGISTRATION} adminSubject"
TENANTS = """query ($first: Int, $after: String) { list: tenants(first: $first, after: $after) {
    edges { cursor node { slug name status } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"""
INITECH = {
    "slug": "initech",
    "name": "Initech",
    "adminEmail": "Bill@Initech.example",
    "adminName": "Bill Lumbergh",
}
# What DynamoDB answers no more when the call stops: before it is registered, founded, opened.
STOPS = {"registered": "PutItem", "founded": "TransactWriteItems", "opened": "UpdateItem"}


@pytest.fixture
def operator(world: World) -> World:
    return world.as_(None, Role.PLATFORM)


@pytest.fixture
def admin(world: World) -> World:
    return world.as_("acme", Role.ADMIN)


async def registered(operator: World, first: int = 100) -> dict[str, str]:
    """The status of every tenant, in the order of the list."""
    return {node["slug"]: node["status"] for node in await every(operator, TENANTS, first)}


async def onboard(operator: World, **fields: str) -> Any:
    return await outcome(operator, "onboardTenant", ONBOARDED, **INITECH | fields)


async def stopped(operator: World, before: str) -> None:
    """An onboarding that ends before one of its steps."""
    with failing(operator, STOPS[before]):
        answer = await operator.execute(
            "mutation ($input: OnboardTenantInput!) { onboardTenant(input: $input) { __typename } }",
            input=INITECH,
        )
    assert answer.codes == ["DEADLINE_EXCEEDED"]


async def first_administrator(world: World) -> str:
    """The subject that the registry keeps for the new tenant's administrator."""
    key = key_of(PLATFORM, TenantRegistration, "initech")
    table = Table(world.services.sources.database, PLATFORM, Deadline.after(5))
    return (await table.batch_get([key], consistent=True))[key]["admin_uid"]["S"]


async def is_whole(world: World, subject: str) -> bool:
    """Whether the new tenant's administrator comes in and finds what a tenant has."""
    bill = world.as_("initech", Role.ADMIN, subject)
    found = await bill.data("{ viewer { name email role } tenant { slug name } workflow { states { key } } }")
    assert found["viewer"] == {"name": "Bill Lumbergh", "email": "bill@initech.example", "role": "ADMIN"}
    assert found["tenant"] == {"slug": "initech", "name": "Initech"}
    return len(found["workflow"]["states"]) == 4


async def test_members_see_their_own_tenant(world: World) -> None:
    for slug in ("acme", "globex"):
        seen = await world.as_(slug, Role.VIEWER).data("{ tenant { slug name version } }")
        assert seen == {"tenant": {"slug": slug, "name": slug.title(), "version": 1}}


async def test_an_administrator_renames_the_tenant(admin: World) -> None:
    renamed = await done(admin, "updateTenant", TENANT, name=" Acme & Söhne ", expectedVersion=1)
    assert (renamed["name"], renamed["version"]) == ("Acme & Söhne", 2)

    assert (await done(admin, "updateTenant", TENANT))["version"] == 2
    stale = await outcome(admin, "updateTenant", TENANT, name="Acme", expectedVersion=1)
    assert (stale["__typename"], stale["current"]["id"]) == ("ConflictError", renamed["id"])
    assert (await admin.as_("globex", Role.VIEWER).data("{ tenant { name } }"))["tenant"]["name"] == "Globex"


async def test_a_tenant_is_never_without_a_name(admin: World) -> None:
    for name in ("", " \t", "Acme\nSöhne", "n" * 201, None):
        assert (await outcome(admin, "updateTenant", TENANT, name=name))["field"] == "name"


async def test_an_onboarded_tenant_is_whole(world: World, operator: World) -> None:
    created = await onboard(operator)
    assert created["tenant"] == {"slug": "initech", "name": "Initech", "status": "ACTIVE", "version": 2}

    assert await is_whole(world, created["adminSubject"])
    bill = world.as_("initech", Role.ADMIN, created["adminSubject"])
    await done(bill, "inviteUser", "user { id }", email="peter@initech.example", name="Peter")
    await a_project(bill)


@pytest.mark.parametrize("before", STOPS)
async def test_an_onboarding_that_stopped_is_continued_by_the_next(
    world: World, operator: World, before: str
) -> None:
    await stopped(operator, before)
    assert (await registered(operator)).get("initech") == (None if before == "registered" else "PROVISIONING")

    assert await is_whole(world, (await onboard(operator))["adminSubject"])
    assert await registered(operator) == {"acme": "ACTIVE", "globex": "ACTIVE", "initech": "ACTIVE"}


async def test_a_half_onboarded_tenant_lets_nobody_in_and_cannot_be_suspended(operator: World) -> None:
    await stopped(operator, "opened")
    bill = operator.as_("initech", Role.ADMIN, await first_administrator(operator))

    assert is_refusal(await bill.execute("{ viewer { id } }"))
    for field in ("suspendTenant", "reactivateTenant"):
        assert await refusal(operator, field, slug="initech") == "CONFLICT"


async def test_only_the_same_onboarding_continues_one_that_stopped(operator: World) -> None:
    await stopped(operator, "opened")

    for other in ({"name": "Initrode"}, {"adminEmail": "peter@initech.example"}):
        assert (await onboard(operator, **other))["code"] == "CONFLICT"
    assert (await onboard(operator))["__typename"] == "OnboardTenantPayload"


async def test_a_slug_belongs_to_one_tenant(operator: World) -> None:
    first = await onboard(operator)
    assert first["__typename"] == "OnboardTenantPayload"

    for again in ({}, {"name": "Initrode"}, {"adminEmail": "other@initech.example"}, {"slug": "acme"}):
        assert (await onboard(operator, **again))["code"] == "CONFLICT"


async def test_of_many_onboardings_of_one_slug_exactly_one_succeeds(operator: World) -> None:
    answers = await asyncio.gather(
        *(onboard(operator, name=f"Initech {n}", adminEmail=f"admin{n}@initech.example") for n in range(10))
    )

    (winner,) = [answer for answer in answers if answer["__typename"] == "OnboardTenantPayload"]
    assert {answer["code"] for answer in answers if "code" in answer} == {"CONFLICT"}
    admin = operator.as_("initech", Role.ADMIN, winner["adminSubject"])
    assert (await admin.data("{ tenant { name } }"))["tenant"]["name"] == winner["tenant"]["name"]


async def test_an_onboarding_repeated_under_its_key_answers_as_the_first_time(operator: World) -> None:
    first, again = [await onboard(operator, idempotencyKey="k1") for _ in range(2)]

    assert first == again
    assert first["__typename"] == "OnboardTenantPayload"
    other = await onboard(operator, slug="initrode", idempotencyKey="k1")
    assert other["code"] == "IDEMPOTENCY_MISMATCH"


async def test_what_cannot_be_onboarded_is_refused_by_name(operator: World) -> None:
    slugs = [
        "",
        "ab",
        "-abc",
        "abc-",
        "Initech",
        "i" * 41,
        "ini_tech",
        "ini#tech",
        "ini tech",
        "initech\n",
        "inítech",
    ]
    bad = [("slug", slug) for slug in slugs]
    bad += [("name", ""), ("name", "n" * 201), ("adminEmail", "bill"), ("adminName", "\t")]

    for field, value in bad:
        answer = await onboard(operator, **{field: value})
        assert (answer["__typename"], answer["field"]) == ("InvalidInputError", field), value
    assert set(await registered(operator)) == {"acme", "globex"}


async def test_slugs_of_the_least_and_the_greatest_length_are_good(operator: World) -> None:
    for slug in ("a-1", "0" * 40):
        assert (await onboard(operator, slug=slug))["tenant"]["slug"] == slug


async def test_a_suspended_tenants_members_are_all_refused_at_the_door(world: World) -> None:
    door = Door(world)
    operator = door.world.as_(None, Role.PLATFORM)
    members = [door.world.as_("acme", role) for role in MEMBERS]
    assert all([await door.lets_in(member) for member in members])

    suspended = await done(operator, "suspendTenant", REGISTRATION, slug="acme")
    assert suspended == {"slug": "acme", "name": "Acme", "status": "SUSPENDED", "version": 2}
    door.forget_members()
    assert not any([await door.lets_in(member) for member in members])
    assert await door.lets_in(door.world.as_("globex", Role.VIEWER))
    assert await door.lets_in(operator)

    assert (await done(operator, "reactivateTenant", REGISTRATION, slug="acme"))["status"] == "ACTIVE"
    door.forget_members()
    assert all([await door.lets_in(member) for member in members])


async def test_suspending_and_reactivating_can_be_repeated(operator: World) -> None:
    for field, status in (("suspendTenant", "SUSPENDED"), ("reactivateTenant", "ACTIVE")):
        for key in ({}, {"idempotencyKey": "k"}, {"idempotencyKey": "k"}):
            assert (await done(operator, field, REGISTRATION, slug="acme", **key))["status"] == status
    assert (await registered(operator))["acme"] == "ACTIVE"


async def test_an_unknown_tenant_is_not_found(operator: World) -> None:
    for slug in ("initech", "", "Acme", "acme#", "a" * 100):
        for field in ("suspendTenant", "reactivateTenant"):
            assert await refusal(operator, field, slug=slug) == "NOT_FOUND"


async def test_operators_see_all_tenants_by_slug_and_page_by_page(operator: World) -> None:
    for slug in ("b-1", "b0b", "a0b", "zzz"):
        await onboard(operator, slug=slug)

    assert list(await registered(operator, first=2)) == ["a0b", "acme", "b-1", "b0b", "globex", "zzz"]


async def test_operators_see_no_tenants_data(world: World, operator: World) -> None:
    project = await a_project(world.as_("acme", Role.MANAGER))

    for query in (
        "tenant { name }",
        "viewer { id }",
        "users { edges { cursor } }",
        f'node(id: "{project}") {{ id }}',
    ):
        answer = await operator.execute(f"{{ {query} }}")
        assert answer.codes == ["FORBIDDEN"]
        assert "Acme" not in answer.reply.body.decode()


async def test_an_administrator_learns_nothing_of_other_tenants_from_the_platforms_fields(
    admin: World,
) -> None:
    assert (await admin.execute(TENANTS)).codes == ["FORBIDDEN"]

    for field in ("suspendTenant", "reactivateTenant"):
        answers = [
            await outcome(admin, field, "__typename", slug=slug) for slug in ("globex", "initech", "#")
        ]
        assert answers[0]["__typename"] == "ForbiddenError"
        assert answers == answers[:1] * 3
    answers = [await onboard(admin, slug=slug) for slug in ("globex", "initech", "#")]
    assert answers[0]["__typename"] == "ForbiddenError"
    assert answers == answers[:1] * 3
