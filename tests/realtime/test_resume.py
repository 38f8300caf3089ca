"""Resuming: from which places one can, from which not, and that nothing is lost or told out of order."""

import asyncio
import base64
import random
from collections.abc import Awaitable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest

from tests.features.builders import a_task, before
from tests.realtime.board import TITLES, a_listener, happen, manager, position, refusals, titles, told
from tests.realtime.stage import Client, Clock, Stage


async def resumed(stage: Stage, cursor: str) -> Client:
    client = await stage.client("acme")
    await client.subscribe(TITLES, after=cursor)
    return client


async def test_one_resumes_behind_an_event_a_pong_and_a_list(stage: Stage):
    client = await a_listener(stage)
    project = await happen(stage, "told")
    (event,) = told(client.taken())
    pong = await position(stage)
    data = await manager(stage).data("{ tasks { eventCursor } }")
    await happen(stage, "missed", project=project)
    for cursor in (event["cursor"], pong):
        assert titles(await resumed(stage, cursor)) == ["missed"]
    # A list's cursor lies some seconds back: what it shows may be told again.
    assert titles(await resumed(stage, data["tasks"]["eventCursor"])) == ["told", "missed"]


async def test_the_cursor_of_a_list_that_was_read_later_lies_behind_what_it_shows(
    clocked: Stage, clock: Clock
):
    await clocked.client("acme")
    project = await happen(clocked, "shown")
    clock.forward(seconds=6)
    data = await manager(clocked).data("{ tasks { eventCursor } }")
    await happen(clocked, "missed", project=project)
    assert titles(await resumed(clocked, data["tasks"]["eventCursor"])) == ["missed"]


async def test_the_cursor_of_an_empty_tenant_misses_nothing(stage: Stage):
    data = await manager(stage).data("{ tasks { eventCursor } }")
    await happen(stage, "first")
    assert titles(await resumed(stage, data["tasks"]["eventCursor"])) == ["first"]


async def refusal(stage: Stage, cursor: str) -> str:
    """The code with which a cursor is refused; it leaves no subscription."""
    client = await resumed(stage, cursor)
    ((_, code),) = refusals(client.taken())
    assert not [key for key in await stage.kept() if client.id in key and "#TOPIC#" in key]
    await client.subscribe(TITLES)
    assert client.taken() == []
    return code


async def age(stage: Stage, **by: float) -> None:
    """Everything in acme's log was logged so much earlier."""
    for item in await stage.items():
        if item["pk"]["S"] == "T#acme#LOG#SEGMENTS":
            earlier = datetime.fromisoformat(item["logged_at"]["S"]) - timedelta(**by)
            await stage.put({**item, "logged_at": {"S": earlier.isoformat()}})


async def test_one_resumes_for_seven_days(stage: Stage):
    old = await position(stage)
    project = await happen(stage, "eight days ago")
    await age(stage, days=1, minutes=2)
    young = await position(stage)
    await happen(stage, "not yet seven days ago", project=project)
    await age(stage, days=6, hours=23, minutes=59)
    assert await refusal(stage, old) == "CURSOR_EXPIRED"
    assert titles(await resumed(stage, young)) == ["not yet seven days ago"]
    assert titles(await resumed(stage, await position(stage))) == []


async def test_an_old_cursor_behind_which_nothing_happened_is_good(stage: Stage):
    project = await happen(stage, "long ago")
    cursor = await position(stage)
    await age(stage, days=8)
    client = await resumed(stage, cursor)
    await happen(stage, "now", project=project)
    assert titles(client) == ["now"]


async def test_a_cursor_ahead_of_the_log_or_of_another_log_is_expired(stage: Stage):
    start = await position(stage)
    await happen(stage, "told")
    ahead = await position(stage)
    log = [item for item in await stage.items() if item["pk"]["S"].startswith("T#acme#LOG")]
    head = [item for item in log if item["sk"]["S"] == "HEAD"]
    await stage.put(*({**item, "sequence": {"N": "1"}} for item in head))
    assert await refusal(stage, ahead) == "CURSOR_EXPIRED"
    await stage.take_away(*log)
    await happen(stage, "in another log", "and on", "and on", "and on")
    assert [await refusal(stage, cursor) for cursor in (start, ahead)] == ["CURSOR_EXPIRED"] * 2


@pytest.mark.parametrize("everything", [True, False])
async def test_a_cursor_whose_followers_the_log_has_lost_is_expired(stage: Stage, everything: bool):
    start = await position(stage)
    project = await happen(stage, "lost")
    cursor = await position(stage)
    await happen(stage, "kept", project=project)
    segments = [item for item in await stage.items() if item["pk"]["S"] == "T#acme#LOG#SEGMENTS"]
    segments.sort(key=lambda item: item["sk"]["S"])
    await stage.take_away(*(segments if everything else segments[:-1]))
    assert await refusal(stage, start) == "CURSOR_EXPIRED"
    if not everything:
        assert titles(await resumed(stage, cursor)) == ["kept"]


async def test_a_cursor_that_was_made_up_or_is_another_tenants_is_refused(stage: Stage):
    cursor = await position(stage)
    globex = await stage.client("globex")
    await globex.ping()
    theirs = globex.taken()[0]["payload"]["eventCursor"]
    data = await manager(stage).data("{ users(first: 1) { pageInfo { endCursor } } }")
    of_a_list = data["users"]["pageInfo"]["endCursor"]
    raw = bytearray(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    raw[len(raw) // 2] ^= 1
    bent = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    for wrong in (theirs, of_a_list, bent, cursor[:-2], "nonsense", "0", ""):
        assert await refusal(stage, wrong) == "BAD_CURSOR", wrong


async def test_what_happens_at_any_moment_of_a_replay_is_told(stage: Stage):
    project = await happen(stage)
    for turn in range(10):
        cursor = await position(stage)
        await happen(stage, "missed", project=project)
        client = await stage.client("acme")
        await a_task(manager(stage), project, "at once")
        with before(stage.world, "*", turn, stage.pump):
            await client.subscribe(TITLES, after=cursor)
        await stage.pump()
        await happen(stage, "live", project=project)
        assert once(client) == ["missed", "at once", "live"], f"turn {turn}"
        await client.disconnect()


async def test_who_resumes_at_any_moment_of_a_push_is_told_all_of_it(stage: Stage):
    project = await happen(stage)
    for turn in range(10):
        cursor = await position(stage)
        client = await stage.client("acme")
        for title in ("1", "2"):
            await a_task(manager(stage), project, title)
        with before(stage.world, "*", turn, partial(listen, client, cursor)):
            await stage.pump()
        if not client.frames:
            await listen(client, cursor)
        await happen(stage, "3", project=project)
        assert once(client) == ["1", "2", "3"], f"turn {turn}"
        await client.disconnect()


async def listen(client: Client, cursor: str) -> None:
    await client.subscribe(TITLES, after=cursor)


async def test_a_pong_during_a_replay_says_no_place_that_the_replay_has_not_come_to(stage: Stage):
    cursor = await position(stage)
    await happen(stage, "1", "2")
    client = await stage.client("acme")
    pinged = False

    async def ping_once(_: str) -> None:
        nonlocal pinged
        if not pinged:
            pinged = True
            await client.ping()

    stage.sink.on_post = ping_once
    await client.subscribe(TITLES, after=cursor)
    pong, *events = client.taken()
    assert [event["task"]["title"] for event in told(events)] == ["1", "2"]
    assert pong["type"] == "pong"
    assert "eventCursor" not in pong.get("payload", {})
    await client.ping()
    assert "eventCursor" in client.taken()[0]["payload"]


async def test_who_resumes_while_things_happen_is_told_each_change_in_order(stage: Stage):
    stage.sink.yields = True
    project = await happen(stage)
    rng = random.Random(7)  # noqa: S311 - a schedule, not a secret
    cursor, clients, made = await position(stage), list[Client](), set[str]()
    for round_ in range(6):
        names = [f"{round_} {name}" for name in "abc"[: rng.randrange(1, 4)]]
        for name in names:
            await a_task(manager(stage), project, name)
        made |= set(names)
        clients = [*clients[-2:], await stage.client("acme")]
        await asyncio.gather(
            after_a_while(rng, clients[-1].subscribe(TITLES, after=cursor)),
            *(after_a_while(rng, hand_on(stage, record)) for record in await stage.records()),
        )
        for client in clients:
            assert set(once(client)) == made, f"round {round_}"


async def hand_on(stage: Stage, record: dict[str, Any]) -> None:
    assert await stage.stream.handle({"Records": [record]}) == {"batchItemFailures": []}


async def after_a_while(rng: random.Random, work: Awaitable[None]) -> None:
    """Some turns of the loop later than the others."""
    for _ in range(rng.randrange(60)):
        await asyncio.sleep(0)
    await work


def once(client: Client) -> list[str]:
    """The titles that a client was told so far, repetitions left out as clients do; they came in order."""
    events = {event["id"]: event for event in told(client.frames)}
    sequences = [event["sequence"] for event in events.values()]
    assert sequences == list(range(sequences[0], sequences[0] + len(sequences)))
    return [event["task"]["title"] for event in events.values()]
