import asyncio
from itertools import pairwise

import pytest

from graphql_api.auth.identity import Role
from graphql_api.relay import parse_global_id
from tests.features.builders import a_member, done, every, member_id, outcome, refusal
from tests.features.doors import Door, is_refusal
from tests.world import Caller, World, user_uid

pytestmark = pytest.mark.identity(tenant="acme", role="ADMIN")

PERSON = "user { id name email role status version }"
STANDING = "user { role status version }"
USERS = """query ($first: Int, $after: String) { list: users(first: $first, after: $after) {
    edges { cursor node { id name email role status } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"""
BY_EMAIL = "query ($email: String!) { user(email: $email) { id name } }"
ABSENT = "VXNlcjphYnNlbnQ="  # User:absent
CHANGES = {"setUserRole": {"role": "VIEWER"}, "suspendUser": {}, "reactivateUser": {}}
NO_ADDRESSES = (
    "",
    "zoe",
    "@acme.example",
    "zoe@",
    "zoe@acme",
    "zoe@@acme.example",
    "zoe zoe@acme.example",
    "zoe#1@acme.example",
    "zoe@acme..example",
    "zoe@acme.example\x00",
    "z\u202eoe@acme.example",
    "z\u200boe@acme.example",
    "zoe@-acme.example",
    "zoe@acme-.example",
    "zoe@acme.example.",
    f"zoe@{'a' * 64}.example",
    f"{'z' * 65}@acme.example",
    f"zoe@{'a' * 250}.example",
)


async def invite(world: World, email: str = "zoe@acme.example", **fields: object) -> str:
    return (await done(world, "inviteUser", PERSON, **{"email": email, "name": "Zoe Okoye"} | fields))["id"]


def uid(id: str) -> str:
    parsed = parse_global_id(id)
    assert parsed is not None
    return parsed[1]


async def test_an_invited_person_is_a_member_who_may_come_in_once_they_have_accepted(world: World) -> None:
    zoe_okoye = {"email": "zoe@acme.example", "name": "  Zoe Okoye ", "role": "MANAGER"}
    invited = await outcome(world, "inviteUser", f"{PERSON} token", **zoe_okoye)
    person = invited["user"]

    assert person | {"id": ""} == {
        "id": "",
        "name": "Zoe Okoye",
        "email": "zoe@acme.example",
        "role": "MANAGER",
        "status": "INVITED",
        "version": 1,
    }
    zoe = world.as_("acme", Role.MANAGER, uid(person["id"]))
    assert (await zoe.execute("{ viewer { id } }")).codes == ["FORBIDDEN"]
    await done(world.by(Caller()), "acceptInvite", "subject", token=invited["token"])
    assert await zoe.data("{ viewer { id name } }") == {"viewer": {"id": person["id"], "name": "Zoe Okoye"}}


async def test_an_invited_person_is_a_member_unless_another_role_is_named(world: World) -> None:
    assert (await done(world, "inviteUser", PERSON, email="zoe@acme.example", name="Zoe"))["role"] == "MEMBER"


async def test_an_address_belongs_to_one_person_whatever_its_case(world: World) -> None:
    await invite(world, " Zoe@Acme.Example ")

    for spelling in ("zoe@acme.example", "ZOE@ACME.EXAMPLE", "zOe@aCME.example\n", "\uff5aoe@acme.example"):
        assert await refusal(world, "inviteUser", email=spelling, name="Another") == "CONFLICT"
    assert [user["email"] for user in await every(world, USERS, 100)].count("zoe@acme.example") == 1


async def test_of_twenty_invitations_to_one_address_exactly_one_succeeds(world: World) -> None:
    spellings = ["zoe@acme.example", "Zoe@Acme.Example"] * 10
    answers = await asyncio.gather(
        *(
            outcome(world, "inviteUser", PERSON, email=spelling, name=f"Zoe {n}")
            for n, spelling in enumerate(spellings)
        )
    )

    winners = [answer["user"] for answer in answers if answer["__typename"] == "InviteUserPayload"]
    assert [answer["code"] for answer in answers if "code" in answer] == ["CONFLICT"] * 19
    (winner,) = winners
    zoes = [user for user in await every(world, USERS, 100) if user["name"].startswith("Zoe")]
    assert [user["id"] for user in zoes] == [winner["id"]]
    assert (await world.data(BY_EMAIL, email="zoe@acme.example"))["user"]["id"] == winner["id"]


async def test_two_tenants_may_have_the_same_address(world: World) -> None:
    await invite(world, "zoe@shared.example", name="Zoe of Acme")
    elsewhere = world.as_("globex", Role.ADMIN)
    await invite(elsewhere, "zoe@shared.example", name="Zoe of Globex")

    for tenant, name in ((world, "Zoe of Acme"), (elsewhere, "Zoe of Globex")):
        assert (await tenant.data(BY_EMAIL, email="zoe@shared.example"))["user"]["name"] == name


async def test_an_invitation_repeated_under_its_key_invites_once(world: World) -> None:
    first, again = [await invite(world, idempotencyKey="invite-zoe") for _ in range(2)]

    assert first == again
    assert await refusal(
        world, "inviteUser", email="x@acme.example", name="X", idempotencyKey="invite-zoe"
    ) == ("IDEMPOTENCY_MISMATCH")


async def test_what_is_no_address_is_refused_by_name(world: World) -> None:
    for email in NO_ADDRESSES:
        answer = await outcome(world, "inviteUser", PERSON, email=email, name="Zoe")
        assert (answer["__typename"], answer["field"]) == ("InvalidInputError", "email"), email


async def test_unusual_addresses_are_found_again(world: World) -> None:
    for email in ("zoë@acme.example", "zoe+tasks@mail.acme.example", f"{'z' * 64}@a.example", "!@x.y"):
        zoe = await invite(world, email)
        assert (await world.data(BY_EMAIL, email=email.upper()))["user"]["id"] == zoe


async def test_nobody_is_found_by_an_address_of_another_tenant(world: World) -> None:
    theirs = await world.execute(BY_EMAIL, email="member@globex.example")
    nobodys = await world.execute(BY_EMAIL, email="nobody@globex.example")

    assert theirs.codes == nobodys.codes == ["NOT_FOUND"]
    assert theirs.data == nobodys.data == {"user": None}
    assert theirs.errors[0]["message"] == nobodys.errors[0]["message"]


async def test_members_are_listed_by_address_and_page_by_page(world: World) -> None:
    for name in ("b", "a.b", "a-b", "a", "ab"):
        await invite(world, f"{name}@acme.example")

    emails = [user["email"] for user in await every(world, USERS, 2)]
    assert emails == sorted(emails)
    assert len(emails) == 9


async def test_a_viewer_sees_who_they_are_and_who_else_is_there(world: World) -> None:
    viewer = world.as_("acme", Role.VIEWER)

    me = (await viewer.data("{ viewer { id email role status tasks { edges { node { id } } } } }"))["viewer"]
    assert me == {
        "id": member_id("acme", Role.VIEWER),
        "email": "viewer@acme.example",
        "role": "VIEWER",
        "status": "ACTIVE",
        "tasks": {"edges": []},
    }
    assert len(await every(viewer, USERS, 100)) == 4


async def test_a_token_can_narrow_what_its_bearer_may_do_but_not_widen_it(world: World) -> None:
    narrowed = world.as_("acme", Role.VIEWER, user_uid("acme", Role.ADMIN))
    widened = world.as_("acme", Role.ADMIN, user_uid("acme", Role.VIEWER))

    for caller in (narrowed, widened):
        assert await refusal(caller, "inviteUser", email="zoe@acme.example", name="Zoe") == "FORBIDDEN"


async def test_a_new_role_takes_effect_once_the_door_looks_again(world: World) -> None:
    door = Door(world)
    member = door.world.as_("acme", Role.MANAGER, user_uid("acme", Role.MEMBER))
    assert await refusal(member, "createProject", name="Gripper") == "FORBIDDEN"

    promoted = await done(
        world, "setUserRole", STANDING, id=member_id("acme", Role.MEMBER), role="MANAGER", expectedVersion=1
    )

    assert promoted == {"role": "MANAGER", "status": "ACTIVE", "version": 2}
    assert await refusal(member, "createProject", name="Gripper") == "FORBIDDEN"
    door.forget_members()
    await done(member, "createProject", "project { id }", name="Gripper")


async def test_a_suspended_member_is_refused_at_the_door_and_let_in_again(world: World) -> None:
    door = Door(world)
    member, person = door.world.as_("acme", Role.MEMBER), member_id("acme", Role.MEMBER)
    assert await door.lets_in(member)

    suspended = await done(world, "suspendUser", STANDING, id=person)
    assert suspended == {"role": "MEMBER", "status": "SUSPENDED", "version": 2}
    door.forget_members()
    assert not await door.lets_in(member)
    assert await door.lets_in(door.world.as_("acme", Role.VIEWER))

    reactivated = await done(world, "reactivateUser", STANDING, id=person, expectedVersion=2)
    assert reactivated == {"role": "MEMBER", "status": "ACTIVE", "version": 3}
    door.forget_members()
    assert await door.lets_in(member)


async def test_whoever_was_suspended_before_they_ever_came_is_refused_at_once(world: World) -> None:
    await done(world, "suspendUser", STANDING, id=member_id("acme", Role.VIEWER))

    assert is_refusal(await world.as_("acme", Role.VIEWER).execute("{ viewer { id } }"))


async def test_suspending_twice_changes_nothing_more(world: World) -> None:
    person = member_id("acme", Role.MEMBER)
    first, second = [await done(world, "suspendUser", STANDING, id=person) for _ in range(2)]

    assert first == second == {"role": "MEMBER", "status": "SUSPENDED", "version": 2}


async def test_nobody_changes_their_own_standing(world: World) -> None:
    myself = member_id("acme", Role.ADMIN)

    for field, change in CHANGES.items():
        answer = await outcome(world, field, STANDING, id=myself, **change)
        assert (answer["__typename"], answer["field"]) == ("InvalidInputError", "id")
    assert await world.data("{ viewer { role status version } }") == {
        "viewer": {"role": "ADMIN", "status": "ACTIVE", "version": 1}
    }


async def test_of_two_administrators_who_demote_each_other_at_once_one_is_left(world: World) -> None:
    ids = [
        await a_member(world, email=f"admin{n}@acme.example", name="Admin", role="ADMIN") for n in range(10)
    ]
    pairs = [pair for pair in list(pairwise(ids))[::2] for pair in (pair, pair[::-1])]

    answers = await asyncio.gather(
        *(
            outcome(
                world.as_("acme", Role.ADMIN, uid(actor)), "setUserRole", STANDING, id=other, role="MEMBER"
            )
            for actor, other in pairs
        )
    )

    for one, other in zip(answers[::2], answers[1::2], strict=True):
        assert sorted((one["__typename"], other["__typename"])) == ["ForbiddenError", "SetUserRolePayload"]
    roles = {user["id"]: user["role"] for user in await every(world, USERS, 100)}
    assert sorted(map(roles.__getitem__, ids)) == ["ADMIN"] * 5 + ["MEMBER"] * 5


async def test_an_administrator_who_was_suspended_a_moment_ago_changes_nobody(world: World) -> None:
    member = await a_member(world, email="other@acme.example", name="Other", role="ADMIN")
    other = world.as_("acme", Role.ADMIN, uid(member))
    await other.data("{ __typename }")
    await done(world, "suspendUser", STANDING, id=(await other.data("{ viewer { id } }"))["viewer"]["id"])

    assert await refusal(other, "suspendUser", id=member_id("acme", Role.VIEWER)) == "FORBIDDEN"
    accomplice = {"email": "accomplice@acme.example", "name": "Accomplice", "role": "ADMIN"}
    assert await refusal(other, "inviteUser", **accomplice) == "FORBIDDEN"


async def test_platform_is_no_role_inside_a_tenant(world: World) -> None:
    for field, fields in (
        ("inviteUser", {"email": "zoe@acme.example", "name": "Zoe"}),
        ("setUserRole", {"id": member_id("acme", Role.MEMBER)}),
    ):
        answer = await outcome(world, field, "__typename", role="PLATFORM", **fields)
        assert (answer["__typename"], answer["field"]) == ("InvalidInputError", "role")


async def test_an_outdated_version_is_a_conflict_that_shows_the_present_one(world: World) -> None:
    member = member_id("acme", Role.MEMBER)
    await done(world, "setUserRole", STANDING, id=member, role="MANAGER")

    for field, change in CHANGES.items():
        answer = await outcome(world, field, STANDING, id=member, expectedVersion=1, **change)
        assert (answer["__typename"], answer["current"]["id"]) == ("ConflictError", member)


async def test_nobody_there_to_change_is_not_found(world: World) -> None:
    for field, change in CHANGES.items():
        for absent in (ABSENT, "garbage", "", member_id("globex", Role.MEMBER)):
            assert await refusal(world, field, id=absent, **change) == "NOT_FOUND"
