"""How many sockets and subscriptions there may be, whoever asks at once; places come free again."""

import asyncio
import itertools

import pytest

from graphql_api.auth.identity import Role
from graphql_api.realtime import census
from graphql_api.realtime.sockets import MAX_SUBSCRIPTIONS
from tests.features.builders import a_member, uid_in
from tests.realtime.board import TITLES, happen, refusals, titles
from tests.realtime.stage import Client, Clock, Stage
from tests.world import token

ROLES = (Role.VIEWER, Role.MEMBER, Role.MANAGER, Role.ADMIN)


async def connected(stage: Stage, number: int) -> list[Client]:
    return [await stage.client() for _ in range(number)]


async def accepted(client: Client, role: Role = Role.MEMBER, tenant: str = "acme") -> bool:
    """Whether there was room for one more socket."""
    await client.init(token(tenant, role))
    await client.subscribe(TITLES, id="probe")
    ack, *rest = client.taken()
    assert ack == {"type": "connection_ack"}
    if rest:
        assert refusals(rest) == [("probe", "RATE_LIMITED")]
    return not rest


async def test_of_fifty_subscriptions_sent_at_once_a_socket_takes_twenty(stage: Stage):
    client = await stage.client("acme")
    await asyncio.gather(*(client.subscribe(TITLES, id=str(number)) for number in range(50)))
    refused = refusals(client.taken())
    assert len(refused) == 50 - MAX_SUBSCRIPTIONS
    assert {code for _, code in refused} == {"RATE_LIMITED"}
    rows = [key for key in await stage.kept() if "#TOPIC#" in key]
    assert len(rows) == MAX_SUBSCRIPTIONS == 20
    await happen(stage, "told")
    assert titles(client) == ["told"] * MAX_SUBSCRIPTIONS


async def test_a_completed_subscription_makes_room_for_another(stage: Stage):
    client = await stage.client("acme")
    for number in range(MAX_SUBSCRIPTIONS):
        await client.subscribe(TITLES, id=str(number))
    await client.subscribe(TITLES, id="one too many")
    assert refusals(client.taken()) == [("one too many", "RATE_LIMITED")]
    await client.complete("7")
    await client.subscribe(TITLES, id="instead")
    await client.subscribe(TITLES, id="one too many")
    assert refusals(client.taken()) == [("one too many", "RATE_LIMITED")]


async def test_a_person_has_so_many_sockets_and_a_closed_one_makes_room(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(census, "MAX_SOCKETS_OF_USER", 5)
    clients = await connected(stage, 12)
    outcomes = await asyncio.gather(*map(accepted, clients))
    assert sum(outcomes) == 5
    assert await accepted((await connected(stage, 1))[0], Role.VIEWER)
    inside = [client for client, taken in zip(clients, outcomes, strict=True) if taken]
    await inside[0].disconnect()
    latest = await connected(stage, 2)
    assert [await accepted(client) for client in latest] == [True, False]


async def test_the_cap_of_a_person_is_a_hundred():
    assert census.MAX_SOCKETS_OF_USER == 100


async def test_a_tenant_has_so_many_sockets_and_fills_nobody_elses_place(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(census, "COUNT_SHARDS", 1)
    monkeypatch.setitem(census._ROOM.values, ":most", {"N": "6"})
    clients = await connected(stage, 16)
    roles = itertools.cycle(ROLES)
    outcomes = await asyncio.gather(*(accepted(client, next(roles)) for client in clients))
    assert sum(outcomes) == 6
    assert await accepted((await connected(stage, 1))[0], tenant="globex")
    inside = [client for client, taken in zip(clients, outcomes, strict=True) if taken]
    await asyncio.gather(*(client.disconnect() for client in inside[:2]))
    latest = await connected(stage, 4)
    outcomes = await asyncio.gather(*(accepted(client, next(roles)) for client in latest))
    assert sum(outcomes) == 2


async def count(stage: Stage, tenant: str = "acme") -> tuple[int, int]:
    """The sockets of a tenant: as its people have them, and as they are counted."""
    own, counted = 0, 0
    for item in await stage.items():
        if item["pk"]["S"] == f"T#{tenant}#SOCKETS":
            own += len(item["sockets"]["L"])
        elif item["pk"]["S"] == f"T#{tenant}#SOCKETS#COUNT":
            counted += int(item["n"]["N"])
    return own, counted


async def test_counts_go_down_once_however_often_a_disconnect_is_told(stage: Stage):
    clients = [await stage.client("acme", role) for role in ROLES for _ in range(2)]
    assert await count(stage) == (8, 8)
    await clients[0].disconnect()
    await clients[0].say_gone()
    await asyncio.gather(*(clients[1].say_gone() for _ in range(4)))
    assert await count(stage) == (6, 6)
    await asyncio.gather(*(client.disconnect() for client in clients))
    assert await count(stage) == (0, 0)
    assert await stage.kept() == []


async def test_counts_go_down_by_the_sweep_where_no_disconnect_was_told(clocked: Stage, clock: Clock):
    await clocked.sweep.handle()
    for role in ROLES:
        await clocked.client("acme", role)
    clock.forward(minutes=12)
    assert await clocked.sweep.handle() == 4
    assert await count(clocked) == (0, 0)
    assert await clocked.kept(with_notes=True) == []


async def test_two_hundred_clients_of_a_tenant_that_all_come_back_at_once_are_all_let_in(stage: Stage):
    admin = stage.world.as_("acme", Role.ADMIN)
    people = [
        await a_member(admin, email=f"{number}@acme.example", name=f"No. {number}") for number in range(40)
    ]
    subjects = itertools.islice(itertools.cycle(map(uid_in, people)), 200)
    clients = await asyncio.gather(*(come_back(stage, subject) for subject in subjects))
    assert await count(stage) == (200, 200)
    await happen(stage, "told")
    assert [titles(client) for client in clients] == [["told"]] * 200


async def come_back(stage: Stage, subject: str) -> Client:
    """A listener; one that is disconnected, the store being too busy for it, comes back as clients do."""
    while True:
        client = await stage.client()
        await client.init(token("acme", Role.MEMBER, subject))
        await client.subscribe(TITLES)
        if client.is_open:
            assert client.taken() == [{"type": "connection_ack"}]
            return client
        await client.say_gone()
