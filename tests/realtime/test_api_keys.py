"""API keys at the socket's door, and what becomes of its listeners when one ends."""

from graphql_api.auth.identity import Role
from tests.features.builders import an_api_key, done, member_id, outcome
from tests.realtime.board import TITLES, happen, refusals, titles
from tests.realtime.stage import SUBPROTOCOL, Client, Stage

ACK = {"type": "connection_ack"}


async def a_key(stage: Stage) -> tuple[str, str]:
    """The id and the text of a new key of acme's member."""
    admin = stage.world.as_("acme", Role.ADMIN)
    key, program = await an_api_key(admin, userId=member_id("acme", Role.MEMBER))
    assert program.caller.key is not None
    return key, program.caller.key


async def listening(stage: Stage, secret: str) -> Client:
    client = await stage.client()
    await client.init(secret)
    await client.subscribe(TITLES)
    assert client.taken() == [ACK]
    return client


async def revoke(stage: Stage, key: str) -> None:
    await done(stage.world.as_("acme", Role.ADMIN), "revokeApiKey", "apiKey { id }", id=key)


async def test_a_key_signs_a_socket_in(stage: Stage) -> None:
    _, secret = await a_key(stage)
    client = await listening(stage, secret)

    await happen(stage, "told")
    assert titles(client) == ["told"]


async def test_a_key_signs_in_as_a_sub_protocol_too(stage: Stage) -> None:
    _, secret = await a_key(stage)
    client = await stage.client()
    offered = f"{SUBPROTOCOL}, bearer.{secret}"
    response = await client.connect(**{"Sec-WebSocket-Protocol": offered})
    assert response["statusCode"] == 200
    await client.init()
    await client.subscribe(TITLES)
    await happen(stage, "told")

    assert client.taken()[0] == ACK
    refused = await (await stage.client()).connect(**{"Sec-WebSocket-Protocol": f"{offered}0"})
    assert refused["statusCode"] == 401


async def test_a_key_that_is_not_good_is_acknowledged_and_each_subscribe_refused(stage: Stage) -> None:
    key, revoked = await a_key(stage)
    await revoke(stage, key)
    for secret in (revoked, revoked[:-1], revoked.replace("_acme_", "_globex_")):
        client = await stage.client()
        await client.init(secret)
        await client.subscribe(TITLES)
        ack, *rest = client.taken()
        assert ack == ACK
        assert refusals(rest) == [("1", "UNAUTHENTICATED")]


async def test_a_revocation_closes_the_sockets_of_the_key_and_no_others(stage: Stage) -> None:
    key, secret = await a_key(stage)
    _, other_secret = await a_key(stage)
    ended, other = await listening(stage, secret), await listening(stage, other_secret)
    by_token = await stage.client("acme", Role.MEMBER)
    await by_token.subscribe(TITLES)

    await revoke(stage, key)
    await happen(stage, "after")
    assert refusals(ended.taken()) == [("1", "UNAUTHENTICATED")]
    assert not ended.is_open
    assert [titles(client) for client in (other, by_token)] == [["after"], ["after"]]


async def test_a_rotation_closes_no_socket(stage: Stage) -> None:
    key, secret = await a_key(stage)
    client = await listening(stage, secret)
    admin = stage.world.as_("acme", Role.ADMIN)
    renewed = (await outcome(admin, "rotateApiKey", "secret", id=key))["secret"]
    await client.ping(renewed)

    await happen(stage, "still")
    assert [frame["type"] for frame in client.taken()] == ["pong", "next"]


async def test_a_key_that_the_door_remembers_as_good_opens_no_socket_once_it_is_revoked(
    stage: Stage,
) -> None:
    """Here what was followed in the stream has come before there was a socket to close."""
    key, secret = await a_key(stage)
    await stage.world.services.verify(secret)
    await revoke(stage, key)
    await stage.pump()
    client = await stage.client()
    await client.init(secret)

    assert not client.is_open
    assert await stage.kept() == []


async def test_a_ping_with_a_revoked_key_prolongs_nothing(stage: Stage) -> None:
    key, secret = await a_key(stage)
    await stage.world.services.verify(secret)
    client = await stage.client("acme", Role.MEMBER)
    await client.subscribe(TITLES)
    await revoke(stage, key)
    await stage.pump()
    await client.ping(secret)

    assert refusals(client.taken()) == [("1", "UNAUTHENTICATED")]
    assert not client.is_open


async def test_a_suspension_closes_the_sockets_of_keys_as_well(stage: Stage) -> None:
    _, secret = await a_key(stage)
    client = await listening(stage, secret)
    member = member_id("acme", Role.MEMBER)
    await done(stage.world.as_("acme", Role.ADMIN), "suspendUser", "user { id }", id=member)
    await stage.pump()

    assert refusals(client.taken()) == [("1", "FORBIDDEN")]
    assert not client.is_open
