"""Invocations that fail half-way: nobody is left waiting, and nothing is left behind."""

import asyncio

import pytest
from botocore.exceptions import ClientError

from graphql_api.auth.identity import Role
from graphql_api.realtime import fanout
from tests.features.builders import a_task, before
from tests.realtime.board import TITLES, a_listener, happen, manager, position, titles, told
from tests.realtime.stage import Client, Clock, Stage
from tests.world import token

TURNS = range(12)  # More than any message takes of DynamoDB's calls.
BUSY = "DEADLINE_EXCEEDED"


async def be_busy() -> None:
    raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow down"}}, "Any")


def is_left_waiting(client: Client, answered: str) -> bool:
    """Whether it has a socket, and neither its answer nor a refusal."""
    kinds = {frame["type"] for frame in client.frames}
    return client.is_open and not kinds & {answered, "error", "connection_error"}


async def test_who_signs_in_while_the_store_is_busy_is_answered_or_disconnected(stage: Stage):
    for turn in TURNS:
        client = await stage.client()
        with before(stage.world, "*", turn, be_busy):
            await client.init(token("acme", Role.MEMBER))
        assert not is_left_waiting(client, "connection_ack"), f"turn {turn}"
        await client.disconnect()
    assert await stage.kept() == []


async def test_who_subscribes_while_the_store_is_busy_can_do_so_again(stage: Stage):
    cursor = await position(stage)
    project = await happen(stage, "missed")
    for turn in range(16):
        client = await stage.client("acme")
        with before(stage.world, "*", turn, be_busy):
            await client.subscribe(TITLES, after=cursor)
        frames = client.taken()
        if not client.is_open:
            await client.say_gone()
            client, frames = await stage.client("acme"), []
        if frames[-1:] and frames[-1]["type"] == "error":
            assert frames[-1]["payload"][0]["extensions"]["code"] == BUSY
        if not frames or frames[-1]["type"] == "error":
            await client.subscribe(TITLES, after=cursor)
            frames = client.taken()
        assert [event["task"]["title"] for event in told(frames)] == ["missed"], f"turn {turn}"
        await happen(stage, "live", project=project)
        assert titles(client) == ["live"], f"turn {turn}"
        cursor = await position(stage)
        await client.disconnect()
        await happen(stage, "missed", project=project)
    assert await stage.kept() == []


async def test_a_message_for_which_there_is_no_time_left_disconnects_its_client(stage: Stage):
    client = await stage.client("acme")
    context = {"eventType": "MESSAGE", "connectionId": client.id, "requestId": "late"}
    response = await stage.door.handle({"requestContext": context, "body": '{"type":"ping"}'}, seconds=0)
    assert response == {"statusCode": 200}
    assert not client.is_open


async def test_a_disconnect_that_failed_half_way_is_finished_by_the_sweep(clocked: Stage, clock: Clock):
    await clocked.sweep.handle()
    for turn in TURNS:
        client = await clocked.client("acme")
        await client.subscribe(TITLES)
        with before(clocked.world, "*", turn, be_busy):
            await client.disconnect()
    clock.forward(hours=3)
    await clocked.sweep.handle()
    assert await clocked.kept(with_notes=True) == []


async def test_a_batch_that_failed_half_way_comes_again_and_each_change_is_told_in_order(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(fanout, "HOLD_SECONDS", 0.02)
    client = await a_listener(stage)
    project = await happen(stage)
    for turn in range(10):
        await a_task(manager(stage), project, f"{turn} a")
        await a_task(manager(stage), project, f"{turn} b")
        records = await stage.records()
        with before(stage.world, "*", turn, be_busy):
            response = await stage.stream.handle({"Records": records})
        if response["batchItemFailures"]:
            numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
            at = numbers.index(response["batchItemFailures"][0]["itemIdentifier"])
            assert await stage.stream.handle({"Records": records[at:]}) == {"batchItemFailures": []}
        events = {event["id"]: event["task"]["title"] for event in told(client.taken())}
        assert list(events.values()) == [f"{turn} a", f"{turn} b"]


async def test_a_replay_whose_invocation_was_killed_is_noticed_at_a_later_ping(clocked: Stage, clock: Clock):
    cursor = await position(clocked)
    project = await happen(clocked, "1", "2")
    client = await clocked.client("acme")
    replay = asyncio.create_task(client.subscribe(TITLES, after=cursor))

    async def kill(_: str) -> None:
        replay.cancel()
        await asyncio.sleep(0)

    clocked.sink.on_post = kill
    await asyncio.wait([replay])
    clocked.sink.on_post = None
    assert client.taken() == []
    await happen(clocked, "3", project=project)
    clock.forward(seconds=61)
    await client.ping()
    assert (client.taken(), client.is_open) == ([], False)
    again = await clocked.client("acme")
    await again.subscribe(TITLES, after=cursor)
    assert titles(again) == ["1", "2", "3"]
