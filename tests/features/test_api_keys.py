"""API keys, made and used through the door."""

import asyncio
import zlib
from datetime import timedelta

import pytest

from graphql_api.auth.identity import Role
from graphql_api.features.api_keys.api_key import KeySecret
from graphql_api.relay import global_id, parse_global_id
from tests.features.builders import (
    a_project,
    an_api_key,
    done,
    every,
    member_id,
    outcome,
    refusal,
    stored,
    world_at,
)
from tests.world import Caller, World

pytestmark = pytest.mark.identity(tenant="acme", role="ADMIN")

KEY = "apiKey { id name role validUntil rotatedAt version user { id } }"
SECRET = "apiKey { id version } secret isRepetition"
KEYS = """query ($first: Int, $after: String) { list: apiKeys(first: $first, after: $after) {
    edges { cursor node { id name role validUntil user { id } } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"""
VIEWER = "{ viewer { id } }"
LOG = "{ changes(first: 100) { edges { node { entityType action attributes { name before after } } } } }"


async def is_refused(world: World) -> bool:
    """Whether a caller gets the one answer for keys that are not good: 401 and nothing else."""
    answer = await world.execute(VIEWER)
    assert answer.reply.status in (200, 401)
    if answer.reply.status == 401:
        assert answer.codes == ["UNAUTHENTICATED"]
        assert [error["message"] for error in answer.errors] == ["The token is not valid."]
    return answer.reply.status == 401


def bearing(world: World, secret: str, tenant: str = "acme") -> World:
    return world.by(Caller(tenant, key=secret))


async def test_a_key_lets_its_user_in(world: World) -> None:
    _, program = await an_api_key(world, userId=member_id("acme", Role.MEMBER))

    assert (await program.data(VIEWER))["viewer"]["id"] == member_id("acme", Role.MEMBER)


async def test_a_key_may_do_no_more_than_its_role_and_no_more_than_its_user(world: World) -> None:
    _, lesser = await an_api_key(world, role="VIEWER")
    _, greater = await an_api_key(world, userId=member_id("acme", Role.MEMBER), role="ADMIN")

    assert await refusal(lesser, "createProject", name="No") == "FORBIDDEN"
    assert await refusal(greater, "createProject", name="No") == "FORBIDDEN"
    assert await a_project(world)


async def test_without_further_words_a_key_is_ones_own_and_has_ones_role(world: World) -> None:
    made = await done(world, "createApiKey", KEY, name="  Build ")

    assert made | {"id": ""} == {
        "id": "",
        "name": "Build",
        "role": "ADMIN",
        "validUntil": None,
        "rotatedAt": None,
        "version": 1,
        "user": {"id": member_id("acme", Role.ADMIN)},
    }


async def test_the_secret_is_told_once_and_a_repetition_says_so(world: World) -> None:
    key, _ = await an_api_key(world)
    for field, fields in (("createApiKey", {"name": "Build"}), ("rotateApiKey", {"id": key})):
        first, again = [
            await outcome(world, field, SECRET, **fields, idempotencyKey=f"once-{field}") for _ in range(2)
        ]
        assert first["secret"].startswith("gapi_key_acme_")
        assert (first["isRepetition"], again["isRepetition"]) == (False, True)
        assert again == first | {"secret": None, "isRepetition": True}
        assert not await is_refused(bearing(world, first["secret"]))


async def test_of_one_creation_sent_many_times_at_once_one_tells_the_secret(world: World) -> None:
    same = {"name": "Build", "idempotencyKey": "at-once"}
    answers = await asyncio.gather(*(outcome(world, "createApiKey", SECRET, **same) for _ in range(8)))

    assert len({answer["apiKey"]["id"] for answer in answers}) == 1
    assert len([answer for answer in answers if answer["secret"]]) == 1


async def test_a_key_is_good_until_it_expires(engine_endpoint: str) -> None:
    async with world_at(engine_endpoint) as (world, clock):
        made = await outcome(world, "createApiKey", f"{KEY} secret", name="Short", validDays=2)
        expected = clock.now + timedelta(days=2)

    assert made["apiKey"]["validUntil"] == expected.isoformat()
    assert await refusal_of_days(engine_endpoint) == ["BAD_USER_INPUT"] * 3


async def refusal_of_days(engine_endpoint: str) -> list[str]:
    async with world_at(engine_endpoint) as (world, _):
        return [await refusal(world, "createApiKey", name="X", validDays=days) for days in (0, -1, 367)]


async def test_a_rotated_key_has_two_secrets_for_a_while(world: World) -> None:
    key, program = await an_api_key(world)
    rotated = await outcome(world, "rotateApiKey", SECRET, id=key)

    assert not await is_refused(bearing(world, rotated["secret"]))
    assert not await is_refused(program)
    assert rotated["apiKey"]["version"] == 2
    again = await outcome(world, "rotateApiKey", SECRET, id=key)
    secret = await stored(world, KeySecret, global_id(KeySecret, uid(key)))
    assert {rotated["secret"], again["secret"]}.isdisjoint(str(secret))


async def test_without_an_overlap_the_former_secret_ends_when_it_is_next_looked_up(world: World) -> None:
    key, _ = await an_api_key(world)
    first = await outcome(world, "rotateApiKey", SECRET, id=key, overlapMinutes=0)
    second = await outcome(world, "rotateApiKey", SECRET, id=key, overlapMinutes=0)

    assert await is_refused(bearing(world, first["secret"]))
    assert not await is_refused(bearing(world, second["secret"]))
    for minutes in (-1, 1441):
        assert await refusal(world, "rotateApiKey", id=key, overlapMinutes=minutes) == "BAD_USER_INPUT"


async def test_of_two_rotations_at_once_no_secret_is_told_that_does_not_open(world: World) -> None:
    key, _ = await an_api_key(world)
    answers = await asyncio.gather(*(outcome(world, "rotateApiKey", SECRET, id=key) for _ in range(6)))

    told = [answer for answer in answers if answer["__typename"] == "RotateApiKeyPayload"]
    assert told
    assert {answer["code"] for answer in answers if "code" in answer} <= {"CONFLICT"}
    told.sort(key=lambda answer: answer["apiKey"]["version"])
    for answer in told[-2:]:
        assert not await is_refused(bearing(world, answer["secret"]))


async def test_who_expects_another_version_rotates_and_revokes_nothing(world: World) -> None:
    key, program = await an_api_key(world)
    for field in ("rotateApiKey", "revokeApiKey"):
        assert await refusal(world, field, id=key, expectedVersion=2) == "CONFLICT"

    assert not await is_refused(program)
    assert (await done(world, "rotateApiKey", "apiKey { version }", id=key, expectedVersion=1)) == {
        "version": 2
    }


async def test_an_expired_key_is_not_rotated(engine_endpoint: str) -> None:
    async with world_at(engine_endpoint) as (world, clock):
        key, _ = await an_api_key(world, validDays=1)
        clock.forward(days=1)
        assert await refusal(world, "rotateApiKey", id=key) == "CONFLICT"


async def test_a_revoked_key_is_refused_and_gone_from_the_list(world: World) -> None:
    key, program = await an_api_key(world)
    await done(world, "revokeApiKey", "apiKey { id }", id=key)

    assert await is_refused(program)
    assert [one["id"] for one in await every(world, KEYS, 2)] == []
    assert await refusal(world, "revokeApiKey", id=key) == "NOT_FOUND"
    assert await refusal(world, "rotateApiKey", id=key) == "NOT_FOUND"


async def test_a_key_of_somebody_suspended_is_refused_as_their_token_is(world: World) -> None:
    _, program = await an_api_key(world, userId=member_id("acme", Role.MEMBER))
    await done(world, "suspendUser", "user { id }", id=member_id("acme", Role.MEMBER))

    answer = await program.execute(VIEWER)
    assert (answer.reply.status, answer.codes) == (403, ["FORBIDDEN"])


async def test_everybody_manages_their_own_keys_and_administrators_all(world: World) -> None:
    member = world.as_("acme", Role.MEMBER)
    own, _ = await an_api_key(world, userId=member_id("acme", Role.MEMBER))
    others, _ = await an_api_key(world)

    assert [key["id"] for key in await every(member, KEYS, 1)] == [own]
    assert [key["id"] for key in await every(world, KEYS, 1)] == [own, others]
    for field in ("rotateApiKey", "revokeApiKey"):
        assert await refusal(member, field, id=others) == "NOT_FOUND"
        assert await done(member, field, "apiKey { id }", id=own)
    assert await refusal(member, "createApiKey", name="Mine") == "FORBIDDEN"
    assert await done(world, "revokeApiKey", "apiKey { id }", id=others)


async def test_a_lesser_key_rotates_no_greater_one(world: World) -> None:
    greater, _ = await an_api_key(world)
    lesser, program = await an_api_key(world, role="VIEWER")

    assert await refusal(program, "rotateApiKey", id=greater) == "NOT_FOUND"
    assert await done(program, "rotateApiKey", "apiKey { id }", id=lesser)


async def test_a_machine_user_is_a_member_with_an_address_that_reaches_nobody(world: World) -> None:
    machine = await done(
        world, "createMachineUser", "user { id name email role status isMachine }", name="CI", role="MANAGER"
    )
    _, program = await an_api_key(world, userId=machine["id"])

    assert machine["email"].endswith("@machines.invalid")
    assert machine["isMachine"]
    assert (await program.data(VIEWER))["viewer"]["id"] == machine["id"]
    assert await a_project(program)
    assert await refusal(program, "createApiKey", name="More") == "FORBIDDEN"
    assert await refusal(world, "createMachineUser", name="CI", role="PLATFORM") == "BAD_USER_INPUT"


async def test_a_user_has_so_many_keys_and_no_more(world: World) -> None:
    for _ in range(20):
        await an_api_key(world)

    assert await refusal(world, "createApiKey", name="One more") == "CONFLICT"
    _, other = await an_api_key(world, userId=member_id("acme", Role.MEMBER))
    assert not await is_refused(other)


async def test_a_key_of_one_tenant_opens_nothing_of_another(world: World) -> None:
    key, program = await an_api_key(world)
    secret = program.caller.key
    assert secret is not None
    relabelled = secret.replace("_acme_", "_globex_")
    theirs = world.as_("globex", Role.ADMIN)

    assert await is_refused(bearing(world, relabelled, "globex"))
    assert await is_refused(bearing(world, checked(relabelled), "globex"))
    assert (await program.execute(VIEWER_OF, id=member_id("globex", Role.ADMIN))).codes == ["NOT_FOUND"]
    for field in ("rotateApiKey", "revokeApiKey"):
        assert await refusal(theirs, field, id=key) == "NOT_FOUND"
    assert await every(theirs, KEYS, 2) == []
    assert (
        await refusal(theirs, "createApiKey", name="X", userId=member_id("acme", Role.ADMIN)) == "NOT_FOUND"
    )


VIEWER_OF = "query ($id: ID!) { node(id: $id) { id } }"


def checked(text: str) -> str:
    """A text with the checksum that it would have."""
    told = text.rpartition("_")[0]
    return f"{told}_{zlib.crc32(told.encode()):08x}"


def uid(id: str) -> str:
    parsed = parse_global_id(id)
    assert parsed is not None
    return parsed[1]
