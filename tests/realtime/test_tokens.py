"""Where tokens come from, how long they are good for, and how a socket goes on with a newer one."""

import pytest

from graphql_api.auth.identity import Role
from graphql_api.realtime.gateway import UndeliverableError
from tests.features.builders import a_project, before
from tests.realtime.board import TITLES, happen, manager, refusals, titles
from tests.realtime.stage import SUBPROTOCOL, Client, Clock, Stage, signed
from tests.world import token


async def expiring(stage: Stage, seconds: int) -> Client:
    """A listener whose token is good for so long; the minute has been swept before it came."""
    await stage.sweep.handle()
    client = await stage.client()
    await client.init(signed("acme", Role.MEMBER, seconds=seconds))
    await client.subscribe(TITLES)
    assert client.taken() == [{"type": "connection_ack"}]
    return client


async def test_no_event_is_sent_after_the_token_has_expired(clocked: Stage, clock: Clock):
    client = await expiring(clocked, 120)
    project = await happen(clocked, "in time")
    assert titles(client) == ["in time"]
    clock.forward(seconds=121)
    await happen(clocked, "late", "later", project=project)
    assert refusals(client.taken()) == [("1", "UNAUTHENTICATED")]
    await happen(clocked, "latest", project=project)
    assert client.taken() == []


async def test_an_expired_token_subscribes_to_nothing(clocked: Stage, clock: Clock):
    client = await expiring(clocked, 120)
    clock.forward(seconds=121)
    await client.subscribe(TITLES, id="2")
    assert refusals(client.taken()) == [("2", "UNAUTHENTICATED")]


async def test_the_sweep_closes_a_socket_whose_token_has_expired_and_says_why(clocked: Stage, clock: Clock):
    client = await expiring(clocked, 120)
    clock.forward(seconds=60)
    assert await clocked.sweep.handle() == 0
    clock.forward(seconds=120)
    assert await clocked.sweep.handle() == 1
    assert refusals(client.taken()) == [("1", "UNAUTHENTICATED")]
    assert not client.is_open
    clock.forward(minutes=10)
    assert await clocked.sweep.handle() == 0
    assert await clocked.kept(with_notes=True) == []


async def test_a_ping_with_a_newer_token_lets_socket_and_subscriptions_go_on(clocked: Stage, clock: Clock):
    client = await expiring(clocked, 120)
    project = await a_project(manager(clocked))
    await client.ping(signed("acme", Role.MEMBER, seconds=1200))
    (pong,) = client.taken()
    assert (pong["type"], set(pong["payload"])) == ("pong", {"eventCursor", "sequence"})
    clock.forward(minutes=4)
    assert await clocked.sweep.handle() == 0
    await happen(clocked, "still", project=project)
    assert titles(client) == ["still"]
    await client.subscribe(TITLES, id="2")
    assert client.taken() == []
    clock.forward(minutes=17)
    assert await clocked.sweep.handle() == 1
    assert refusals(client.taken()) == [("1", "UNAUTHENTICATED"), ("2", "UNAUTHENTICATED")]


@pytest.mark.parametrize(
    "bearer",
    [
        token("acme", Role.ADMIN),
        token("globex", Role.MEMBER, "acme-member"),
        token(None, Role.PLATFORM),
        "nonsense",
    ],
)
async def test_a_ping_with_another_persons_token_renews_nothing(clocked: Stage, clock: Clock, bearer: str):
    client = await expiring(clocked, 120)
    await client.ping(bearer)
    (pong,) = client.taken()
    assert pong["payload"]["refused"]["extensions"]["code"] == "UNAUTHENTICATED"
    clock.forward(seconds=121)
    await happen(clocked, "late")
    assert refusals(client.taken()) == [("1", "UNAUTHENTICATED")]


async def test_a_ping_of_an_expired_socket_ends_it(clocked: Stage, clock: Clock):
    client = await expiring(clocked, 120)
    clock.forward(seconds=121)
    await client.ping()
    assert refusals(client.taken()) == [("1", "UNAUTHENTICATED")]
    assert not client.is_open


async def test_a_pong_brings_back_what_the_ping_said_but_never_its_token(stage: Stage):
    client = await stage.client("acme")
    bearer = token("acme", Role.MEMBER)
    payload = {"Authorization": f"Bearer {bearer}", "n": [1]}
    await client.send({"type": "ping", "payload": payload})
    (pong,) = client.taken()
    assert pong["payload"]["n"] == [1]
    assert bearer not in str(pong)
    silent = await stage.client()
    await silent.send({"type": "ping"})
    await silent.send({"type": "ping", "payload": {"a": 1}})
    assert silent.taken() == [{"type": "pong"}, {"type": "pong", "payload": {"a": 1}}]


async def test_the_name_of_the_token_may_be_in_any_case(stage: Stage):
    for name in ("authorization", "Authorization", "AUTHORIZATION"):
        client = await stage.client()
        payload = {name: f"bearer {token('acme', Role.MEMBER)}"}
        await client.send({"type": "connection_init", "payload": payload})
        await client.subscribe(TITLES)
        assert client.taken() == [{"type": "connection_ack"}]


async def test_what_is_no_bearer_token_signs_nobody_in(stage: Stage):
    for given in ("Basic abc", 7, ["Bearer x"], "Bearer", "Bearer a b"):
        client = await stage.client()
        await client.send({"type": "connection_init", "payload": {"authorization": given}})
        await client.subscribe(TITLES)
        ack, *rest = client.taken()
        assert ack == {"type": "connection_ack"}
        assert refusals(rest) == [("1", "UNAUTHENTICATED")], given


async def test_a_token_may_come_as_a_sub_protocol(stage: Stage):
    client = Client(stage, "with-token=")
    offered = f"{SUBPROTOCOL}, bearer.{token('acme', Role.MEMBER)}"
    response = await client.connect(**{"Sec-WebSocket-Protocol": offered})
    assert response == {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": SUBPROTOCOL}}
    await client.init()
    await client.subscribe(TITLES)
    assert client.taken() == [{"type": "connection_ack"}]
    await happen(stage, "told")
    assert titles(client) == ["told"]


HANDSHAKES: list[tuple[dict[str, str], int]] = [
    ({"Sec-WebSocket-Protocol": f"{SUBPROTOCOL}, bearer.nonsense"}, 401),
    ({"Sec-WebSocket-Protocol": "graphql-ws"}, 400),
    ({"Sec-WebSocket-Protocol": ""}, 400),
    ({"Origin": "https://elsewhere.example"}, 403),
    ({"Origin": "null"}, 403),
    ({"origin": "https://app.example.evil"}, 403),
    ({"ORIGIN": "https://app.example"}, 200),
]


async def test_the_handshake_lets_in_who_may_come(stage: Stage):
    object.__setattr__(stage.world.services.settings, "allowed_origins", ("https://app.example",))
    for number, (headers, status) in enumerate(HANDSHAKES):
        response = await Client(stage, f"handshake-{number}=").connect(**headers)
        assert response["statusCode"] == status, headers
    kept = await stage.kept(with_notes=True)
    assert len(kept) == 2
    assert all("handshake-6=" in key for key in kept)


async def test_the_sweep_closes_who_never_signed_in(clocked: Stage, clock: Clock):
    await clocked.sweep.handle()
    silent, signed_in = await clocked.client(), await clocked.client("acme")
    clock.forward(seconds=90)
    await clocked.sweep.handle()
    assert (silent.is_open, signed_in.is_open) == (False, True)


async def test_the_sweep_closes_what_is_older_than_any_socket(clocked: Stage, clock: Clock):
    client = await expiring(clocked, 4 * 3600)
    clock.forward(hours=2, minutes=9)
    assert await clocked.sweep.handle() == 0
    clock.forward(minutes=2)
    assert await clocked.sweep.handle() == 1
    assert (client.taken(), client.is_open) == ([], False)
    assert await clocked.kept(with_notes=True) == []


async def test_a_socket_that_the_sweep_cannot_close_is_closed_when_it_says_something(
    clocked: Stage, clock: Clock
):
    client = await expiring(clocked, 120)
    clocked.sink.cannot_close[client.id] = UndeliverableError()
    clock.forward(minutes=4)
    await clocked.sweep.handle()
    assert client.is_open
    assert refusals(client.taken()) == [("1", "UNAUTHENTICATED")]
    del clocked.sink.cannot_close[client.id]
    await client.ping()
    assert (client.taken(), client.is_open) == ([], False)


async def test_a_token_that_is_renewed_while_a_subscription_begins_holds_for_it_too(
    clocked: Stage, clock: Clock
):
    client = await expiring(clocked, 120)

    async def renew() -> None:
        await client.ping(signed("acme", Role.MEMBER, seconds=1200))

    with before(clocked.world, "TransactWriteItems", 0, renew):
        await client.subscribe(TITLES, id="2")
    client.taken()
    clock.forward(minutes=4)
    await happen(clocked, "both")
    assert titles(client) == ["both", "both"]
