"""Invitations: made by an administrator, accepted once by whoever holds the token."""

import asyncio
import zlib
from typing import Any

import pytest

from graphql_api.auth.identity import Role
from graphql_api.features.users import User
from graphql_api.relay import global_id
from tests.features.builders import a_member, a_task, done, outcome, refusal, stored, world_at
from tests.world import Caller, World, user_uid

pytestmark = pytest.mark.identity(tenant="acme", role="ADMIN")

ZOE = {"email": "zoe@acme.example", "name": "Zoe Okoye", "role": "MANAGER"}
INVITED = "user { id name role status invitedUntil version } subject token isRepetition"
ACCEPTED = "user { id name role status invitedUntil version } slug subject secret isRepetition"


async def invite(world: World, **fields: Any) -> Any:
    return await outcome(world, "inviteUser", INVITED, **ZOE | fields)


async def accept(world: World, token: str, **fields: Any) -> Any:
    """By somebody whom nobody knows."""
    return await outcome(world.by(Caller()), "acceptInvite", ACCEPTED, token=token, **fields)


async def is_invalid(world: World, token: str, **fields: Any) -> bool:
    answer = await accept(world, token, **fields)
    if answer["__typename"] == "AcceptInvitePayload":
        return False
    assert answer == {
        "__typename": "InvalidInputError",
        "message": "This invitation is not valid.",
        "code": "BAD_USER_INPUT",
        "field": "token",
    }
    return True


async def test_who_is_invited_comes_in_as_soon_as_they_have_accepted_and_not_before(world: World) -> None:
    invited = await invite(world)
    zoe = world.as_("acme", Role.MANAGER, invited["subject"])
    assert (invited["user"]["status"], (await zoe.execute("{ viewer { id } }")).codes) == (
        "INVITED",
        ["FORBIDDEN"],
    )

    accepted = await accept(world, invited["token"], name="Zoe")
    assert accepted["user"] | {"id": ""} == {
        "id": "",
        "name": "Zoe",
        "role": "MANAGER",
        "status": "ACTIVE",
        "invitedUntil": None,
        "version": 2,
    }
    assert (accepted["slug"], accepted["subject"]) == ("acme", invited["subject"])
    by_key = world.by(Caller("acme", key=accepted["secret"]))
    for caller in (zoe, by_key):
        assert (await caller.data("{ viewer { name } }")) == {"viewer": {"name": "Zoe"}}


async def test_an_invitation_is_accepted_once_by_however_many_at_once(world: World) -> None:
    invited = await invite(world)
    answers = await asyncio.gather(*(accept(world, invited["token"]) for _ in range(8)))

    assert (
        sorted(answer["__typename"] for answer in answers)
        == ["AcceptInvitePayload"] + ["InvalidInputError"] * 7
    )
    assert await is_invalid(world, invited["token"])


async def test_an_acceptance_repeated_under_its_key_is_told_nothing_new(world: World) -> None:
    invited = await invite(world)
    first, again = [await accept(world, invited["token"], idempotencyKey="accept") for _ in range(2)]

    assert again == first | {"secret": None, "isRepetition": True}
    assert await is_invalid(world, invited["token"], idempotencyKey="another")
    assert await is_invalid(world, forged(invited["token"]), idempotencyKey="accept")


async def test_the_token_is_told_once_and_a_repetition_says_so(world: World) -> None:
    first, again = [await invite(world, idempotencyKey="invite") for _ in range(2)]

    assert first["token"].startswith("gapi_invite_acme_")
    assert again == first | {"token": None, "isRepetition": True}


async def test_a_renewed_invitation_replaces_the_former(world: World) -> None:
    invited = await invite(world)
    renewed = await outcome(world, "renewInvitation", "token isRepetition", userId=invited["user"]["id"])

    assert await is_invalid(world, invited["token"])
    assert not await is_invalid(world, renewed["token"])
    assert await refusal(world, "renewInvitation", userId=invited["user"]["id"]) == "CONFLICT"


async def test_a_withdrawn_invitation_is_good_no_longer_until_it_is_renewed(world: World) -> None:
    invited = await invite(world)
    user = await done(world, "revokeInvitation", "user { status invitedUntil }", userId=invited["user"]["id"])

    assert user == {"status": "INVITED", "invitedUntil": None}
    assert await is_invalid(world, invited["token"])
    renewed = await outcome(world, "renewInvitation", "token", userId=invited["user"]["id"])
    assert not await is_invalid(world, renewed["token"])
    assert await refusal(world, "revokeInvitation", userId=invited["user"]["id"]) == "CONFLICT"


async def test_a_suspension_ends_an_invitation_and_lifting_it_lets_nobody_in_who_never_accepted(
    world: World,
) -> None:
    invited = await invite(world)
    person = invited["user"]["id"]
    await done(world, "suspendUser", "user { status }", id=person)
    assert await is_invalid(world, invited["token"])
    assert await refusal(world, "renewInvitation", userId=person) == "CONFLICT"

    assert await done(world, "reactivateUser", "user { status }", id=person) == {"status": "INVITED"}
    assert await is_invalid(world, invited["token"])
    renewed = await outcome(world, "renewInvitation", "token", userId=person)
    assert (await accept(world, renewed["token"]))["user"]["status"] == "ACTIVE"
    await done(world, "suspendUser", "user { status }", id=person)
    assert await done(world, "reactivateUser", "user { status }", id=person) == {"status": "ACTIVE"}


async def test_while_a_tenant_is_suspended_nobody_joins_it(world: World) -> None:
    operator, token = world.as_(None, Role.PLATFORM), (await invite(world))["token"]
    await done(operator, "suspendTenant", "tenant { status }", slug="acme")
    assert await is_invalid(world, token)

    await done(operator, "reactivateTenant", "tenant { status }", slug="acme")
    assert not await is_invalid(world, token)


async def test_an_invitation_ends_after_seven_days(engine_endpoint: str) -> None:
    async with world_at(engine_endpoint) as (world, clock):
        late, early = await invite(world), await invite(world, email="early@acme.example")
        clock.forward(days=6, hours=23)
        assert not await is_invalid(world, early["token"])
        clock.forward(hours=1)
        assert await is_invalid(world, late["token"])


async def test_whatever_is_wrong_with_a_token_the_answer_is_the_same(world: World) -> None:
    token = (await invite(world))["token"]
    key = await outcome(world, "createApiKey", "secret", name="K")
    for wrong in (
        "",
        "token",
        token[:-1],
        token + "0",
        token.upper(),
        f" {token}",
        forged(token),
        checked(token.replace("_acme_", "_globex_")),
        checked(token.replace("_acme_", "_nobody_")),
        key["secret"],
        key["secret"].replace("gapi_key", "gapi_invite"),
    ):
        assert await is_invalid(world, wrong), wrong
    assert not await is_invalid(world, token)


async def test_who_is_signed_in_accepts_nothing(world: World) -> None:
    token = (await invite(world))["token"]

    for caller in (world, world.as_("globex", Role.ADMIN), world.as_(None, Role.PLATFORM)):
        assert await refusal(caller, "acceptInvite", token=token) == "FORBIDDEN"


async def test_a_name_that_cannot_be_leaves_the_invitation_as_it_is(world: World) -> None:
    token = (await invite(world))["token"]
    answer = await accept(world, token, name="a\nb")

    assert (answer["__typename"], answer["field"]) == ("InvalidInputError", "name")
    assert not await is_invalid(world, token)


async def test_nobody_gives_work_to_somebody_who_has_not_accepted(world: World) -> None:
    invited = await invite(world)
    task = await a_task(world)

    assert await refusal(world, "updateTask", id=task, assigneeId=invited["user"]["id"]) == "BAD_USER_INPUT"
    await accept(world, invited["token"])
    assert await done(world, "updateTask", "task { id }", id=task, assigneeId=invited["user"]["id"])


async def test_whoever_accepts_is_the_actor_of_it(world: World) -> None:
    member = await a_member(world, email="zoe@acme.example", name="Zoe")
    item = await stored(world, User, member)

    assert global_id(User, item["updated_by_uid"]["S"]) == member
    assert item["created_by_uid"]["S"] == user_uid("acme", Role.ADMIN)


def forged(token: str) -> str:
    """The same token but for its secret."""
    head, _, _ = token.rsplit("_", 2)
    return checked(f"{head}_{'0' * 64}_")


def checked(text: str) -> str:
    """A text with the checksum that it would have."""
    told = text.rpartition("_")[0]
    return f"{told}_{zlib.crc32(told.encode()):08x}"
