"""Messages that overtake each other, and clients that go in the middle: nothing is left of them."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest

from graphql_api.auth.identity import Role
from tests.features.builders import a_task, before
from tests.realtime.board import TITLES, a_listener, happen, manager, position, refusals, titles, told
from tests.realtime.stage import Client, Stage
from tests.world import token

TURNS = range(12)  # More than any message takes of DynamoDB's calls.
ACK = {"type": "connection_ack"}


def closing(code: int, reason: str) -> dict[str, Any]:
    return {"type": "connection_error", "payload": {"message": reason, "code": code}}


async def test_a_complete_that_comes_before_its_subscribe_ends_it(stage: Stage):
    client = await stage.client("acme")
    await client.complete("1")
    await client.subscribe(TITLES)
    assert not [key for key in await stage.kept() if "#TOPIC#" in key]
    await client.subscribe(TITLES)
    await happen(stage, "told")
    assert titles(client) == ["told"]


async def test_a_complete_at_any_moment_of_its_subscribe_leaves_none(stage: Stage):
    client = await stage.client("acme")
    for turn in TURNS:
        with before(stage.world, "*", turn, partial(client.complete, str(turn))):
            await client.subscribe(TITLES, id=str(turn))
        await client.complete(str(turn))
    assert not [key for key in await stage.kept() if "#TOPIC#" in key]
    await happen(stage, "told to nobody")
    assert client.taken() == []


@pytest.mark.parametrize("post", [0, 1, 2])
async def test_a_complete_during_a_replay_ends_it(stage: Stage, post: int):
    cursor = await position(stage)
    project = await happen(stage, "1", "2", "3")
    client = await stage.client("acme")
    posts = 0

    async def complete(_: str) -> None:
        nonlocal posts
        posts += 1
        if posts == post + 1:
            await client.complete()

    stage.sink.on_post = complete
    await client.subscribe(TITLES, after=cursor)
    stage.sink.on_post = None
    assert titles(client) == ["1", "2", "3"][: len(client.frames) or 3]
    await happen(stage, "4", project=project)
    assert client.taken() == []
    assert not [key for key in await stage.kept() if "#TOPIC#" in key]


async def test_of_two_subscribes_of_one_id_the_second_closes_the_socket(stage: Stage):
    client = await a_listener(stage)
    await client.subscribe(TITLES)
    assert client.taken() == [closing(4409, "Subscriber for 1 already exists.")]
    assert not client.is_open
    assert await stage.kept() == []


async def test_two_subscribes_of_one_id_at_once_close_the_socket_and_leave_nothing(stage: Stage):
    client = await stage.client("acme")
    await asyncio.gather(*(client.subscribe(TITLES) for _ in range(3)))
    assert closing(4409, "Subscriber for 1 already exists.") in client.taken()
    assert not client.is_open
    await client.say_gone()
    assert await stage.kept() == []


async def test_a_subscribe_without_a_connection_init_is_refused_after_a_while(stage: Stage):
    client = await stage.client()
    await client.subscribe(TITLES)
    assert refusals(client.taken()) == [("1", "UNAUTHENTICATED")]
    assert client.is_open


async def test_a_subscribe_that_overtakes_its_connection_init_waits_for_it(stage: Stage):
    client = await stage.client()
    early = asyncio.create_task(client.subscribe(TITLES))
    await asyncio.sleep(0.1)
    await client.init(token("acme", Role.MEMBER))
    await early
    assert client.taken() == [ACK]
    await happen(stage, "told")
    assert titles(client) == ["told"]


async def test_a_second_connection_init_closes_the_socket(stage: Stage):
    client = await a_listener(stage)
    await client.init(token("acme", Role.MEMBER))
    assert client.taken() == [closing(4429, "Too many initialisation requests.")]
    assert not client.is_open
    assert await stage.kept() == []


@pytest.mark.parametrize(
    "bearers",
    [
        (token("acme", Role.MEMBER), token("acme", Role.MEMBER)),
        (token("acme", Role.MEMBER), token("acme", Role.ADMIN)),
        (token("acme", Role.MEMBER), token("globex", Role.MEMBER)),
        (token("acme", Role.MEMBER), None),
        (None, None),
        (token(None, Role.PLATFORM), token(None, Role.PLATFORM)),
        ("nonsense", "nonsense"),
    ],
)
async def test_two_connection_inits_at_once_never_leave_a_socket_in_doubt(
    stage: Stage, bearers: tuple[str | None, str | None]
):
    for turn in range(6):
        client = await stage.client()
        with before(stage.world, "*", turn, partial(client.init, bearers[1])):
            await client.init(bearers[0])
        is_closed = closing(4429, "Too many initialisation requests.") in client.taken()
        assert is_closed is not client.is_open, f"turn {turn}"
        if client.is_open:
            await client.init(None)
            assert client.taken() == [closing(4429, "Too many initialisation requests.")], f"turn {turn}"
        await client.say_gone()
    assert await stage.kept() == []


Step = Callable[[Client], Awaitable[None]]
STEPS: dict[str, Step] = {
    "connection_init": lambda client: client.init(token("acme", Role.MEMBER)),
    "subscribe": lambda client: client.subscribe(TITLES, id="new"),
    "ping": lambda client: client.ping(token("acme", Role.MEMBER)),
    "complete": lambda client: client.complete("1"),
    "duplicate": lambda client: client.subscribe(TITLES, id="1"),
}


@pytest.mark.parametrize("step", STEPS)
async def test_who_goes_at_any_moment_of_a_message_leaves_nothing(stage: Stage, step: str):
    for turn in TURNS:
        client = await stage.client() if step == "connection_init" else await a_listener(stage)
        with before(stage.world, "*", turn, client.disconnect):
            await STEPS[step](client)
        await client.disconnect()
    assert await stage.kept() == []


async def test_who_goes_at_any_moment_of_a_replay_leaves_nothing(stage: Stage):
    cursor = await position(stage)
    await happen(stage, "1", "2")
    for turn in TURNS:
        client = await stage.client("acme")
        with before(stage.world, "*", turn, client.disconnect):
            await client.subscribe(TITLES, after=cursor)
        told(client.taken())
        await client.disconnect()
    assert await stage.kept() == []


async def test_who_goes_while_it_is_sent_a_replay_leaves_nothing(stage: Stage):
    cursor = await position(stage)
    await happen(stage, "1", "2", "3")
    client = await stage.client("acme")

    async def go(_: str) -> None:
        if client.frames:
            await client.disconnect()

    stage.sink.on_post = go
    await client.subscribe(TITLES, after=cursor)
    assert titles(client) == ["1"]
    assert await stage.kept() == []


async def test_who_goes_at_any_moment_of_a_push_leaves_nothing_and_stops_nobody(stage: Stage):
    project = await happen(stage)
    staying = await a_listener(stage)
    for turn in range(10):
        going = await a_listener(stage, role=Role.VIEWER)
        await a_task(manager(stage), project, f"told {turn}")
        with before(stage.world, "*", turn, going.disconnect):
            await stage.pump()
        assert titles(staying) == [f"told {turn}"]
        await going.disconnect()
    await staying.disconnect()
    assert await stage.kept() == []
