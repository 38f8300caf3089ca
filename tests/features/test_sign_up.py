"""Signing up: a tenant, its first administrator and a key, by one mutation of whoever comes."""

import asyncio
import dataclasses
from typing import Any

import pytest

from graphql_api.auth.identity import Role
from graphql_api.features.sign_up import RESERVED
from tests.features.builders import a_project, done, failing, outcome, refusal
from tests.world import Caller, World

SIGNED_UP = "tenant { slug name status plan } adminSubject secret isRepetition"
INITECH = {
    "slug": "initech",
    "name": "Initech",
    "adminEmail": "Bill@Initech.example",
    "adminName": "Bill",
    "idempotencyKey": "first-call",
}


async def sign_up(world: World, **fields: Any) -> Any:
    return await outcome(world, "signUp", SIGNED_UP, **INITECH | fields)


def bearing(world: World, signed_up: Any) -> World:
    return world.by(Caller(signed_up["tenant"]["slug"], key=signed_up["secret"]))


async def test_one_mutation_makes_a_tenant_and_lets_its_administrator_in(world: World) -> None:
    signed_up = await sign_up(world)
    admin = bearing(world, signed_up)

    assert signed_up["tenant"] == {"slug": "initech", "name": "Initech", "status": "ACTIVE", "plan": "FREE"}
    assert not signed_up["isRepetition"]
    seen = await admin.data(
        "{ viewer { name email role status } tenant { slug name } entitlements { plan } }"
    )
    assert seen == {
        "viewer": {"name": "Bill", "email": "bill@initech.example", "role": "ADMIN", "status": "ACTIVE"},
        "tenant": {"slug": "initech", "name": "Initech"},
        "entitlements": {"plan": "FREE"},
    }
    assert await a_project(admin)
    by_token = world.as_("initech", Role.ADMIN, signed_up["adminSubject"])
    assert (await by_token.data("{ viewer { name } }")) == {"viewer": {"name": "Bill"}}


async def test_the_first_administrator_issues_a_key_that_stays_and_invites_a_colleague(world: World) -> None:
    admin = bearing(world, await sign_up(world))
    lasting = await outcome(admin, "createApiKey", "apiKey { validUntil } secret", name="Mine")
    keys = (await admin.data("{ apiKeys { edges { node { name validUntil } } } }"))["apiKeys"]["edges"]
    invited = await outcome(admin, "inviteUser", "token", email="peter@initech.example", name="Peter")
    joined = await outcome(world, "acceptInvite", "slug secret", token=invited["token"])

    assert lasting["apiKey"]["validUntil"] is None
    assert [key["node"]["name"] for key in keys] == ["Sign-up", "Mine"]
    assert keys[0]["node"]["validUntil"] is not None
    assert joined["slug"] == "initech"
    peter = world.by(Caller("initech", key=joined["secret"]))
    assert (await peter.data("{ viewer { name role } }")) == {"viewer": {"name": "Peter", "role": "MEMBER"}}


async def test_the_same_call_again_answers_with_the_same_tenant_and_no_secret(world: World) -> None:
    first = await sign_up(world)
    again = await sign_up(world)

    assert again == first | {"secret": None, "isRepetition": True}


async def test_a_slug_is_nobody_elses(world: World) -> None:
    await sign_up(world)

    for other in (
        {"idempotencyKey": "another-call"},
        {"idempotencyKey": None},
        {"adminEmail": "mallory@initech.example"},
        {"name": "Another"},
        {"slug": "acme"},
        {"slug": "globex", "idempotencyKey": None},
    ):
        answer = await sign_up(world, **other)
        assert (answer["__typename"], answer["code"]) == ("ConflictError", "CONFLICT")


async def test_the_same_call_sent_many_times_at_once_makes_one_tenant_and_tells_one_secret(
    world: World,
) -> None:
    answers = await asyncio.gather(*(sign_up(world) for _ in range(5)))

    assert {answer["__typename"] for answer in answers} == {"SignUpPayload"}
    assert len({answer["adminSubject"] for answer in answers}) == 1
    (told,) = [answer for answer in answers if answer["secret"]]
    assert await a_project(bearing(world, told))


async def test_of_many_who_want_one_slug_at_once_one_gets_it(world: World) -> None:
    answers = await asyncio.gather(
        *(sign_up(world, adminEmail=f"{n}@initech.example", idempotencyKey=str(n)) for n in range(8))
    )

    assert sorted(answer["__typename"] for answer in answers) == ["ConflictError"] * 7 + ["SignUpPayload"]


# Four updates come before the tenant's: two buckets are begun, each with one that finds none.
@pytest.mark.parametrize(
    ("operation", "after"),
    [("PutItem", 0), ("TransactWriteItems", 0), ("TransactWriteItems", 1), ("UpdateItem", 4)],
)
async def test_what_was_cut_off_anywhere_is_continued_by_the_same_call_and_by_no_other(
    world: World, operation: str, after: int
) -> None:
    with failing(world, operation, after=after):
        cut_off = await world.execute(
            "mutation ($input: SignUpInput!) { signUp(input: $input) { __typename } }", input=INITECH
        )
    assert cut_off.errors

    if operation != "PutItem":
        assert (await sign_up(world, idempotencyKey="another-call"))["code"] == "CONFLICT"
    signed_up = await sign_up(world)
    assert (signed_up["tenant"]["status"], signed_up["isRepetition"]) == ("ACTIVE", False)
    assert await a_project(bearing(world, signed_up))


async def test_slugs_that_would_be_taken_for_the_platform_are_nobodys(world: World) -> None:
    for slug in (*sorted(RESERVED), "A", "ab", "-ab", "ab-", "a_b", "acme#x", "a" * 41):
        answer = await sign_up(world, slug=slug)
        assert (answer["__typename"], answer["field"]) == ("InvalidInputError", "slug"), slug


async def test_what_is_no_address_or_name_is_refused_by_name_and_leaves_nothing(world: World) -> None:
    for field, value in (("adminEmail", "bill"), ("adminName", " "), ("name", "a\nb")):
        answer = await sign_up(world, **{field: value})
        assert (answer["__typename"], answer["field"]) == ("InvalidInputError", field)
    assert (await sign_up(world))["__typename"] == "SignUpPayload"


async def test_where_it_is_switched_off_nobody_signs_up(world: World) -> None:
    services = world.services
    sources = dataclasses.replace(services.sources, sign_up=False)
    closed = World(dataclasses.replace(services, sources=sources), world.guard)

    answer = await sign_up(closed)
    assert (answer["__typename"], answer["code"]) == ("ForbiddenError", "FORBIDDEN")
    operator = world.as_(None, Role.PLATFORM)
    assert "initech" not in str(await operator.data("{ tenants { edges { node { slug } } } }"))


async def test_who_is_signed_in_signs_up_for_nothing(world: World) -> None:
    for caller in (world.as_("acme", Role.ADMIN), world.as_(None, Role.PLATFORM)):
        assert await refusal(caller, "signUp", **INITECH) == "FORBIDDEN"


async def test_an_operator_suspends_what_was_signed_up_and_changes_its_plan(world: World) -> None:
    operator = world.as_(None, Role.PLATFORM)
    first = await sign_up(world)
    changed = await done(operator, "changePlan", "tenant { plan }", slug="initech", plan="PRO")
    await done(operator, "suspendTenant", "tenant { status }", slug="initech")

    assert changed == {"plan": "PRO"}
    answer = await bearing(world, first).execute("{ viewer { id } }")
    assert (answer.reply.status, answer.codes) == (403, ["FORBIDDEN"])


async def test_two_sign_ups_in_one_document_are_two_callers(world: World) -> None:
    same = 'name: "N", adminEmail: "n@n.example", adminName: "N"'
    answer = await world.data(
        f"""mutation {{
            one: signUp(input: {{slug: "one-one", {same}, idempotencyKey: "a"}}) {{ ...S }}
            two: signUp(input: {{slug: "one-one", {same}, idempotencyKey: "b"}}) {{ ...S }} }}
        fragment S on SignUpResult {{ __typename }}"""
    )

    assert answer == {"one": {"__typename": "SignUpPayload"}, "two": {"__typename": "ConflictError"}}
