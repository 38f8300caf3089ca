"""Clients that cannot be reached: what is kept of them, and that nothing is lost to who comes back."""

import json

import pytest

from graphql_api.realtime.gateway import MAX_FRAME_BYTES, GoneError, UndeliverableError
from tests.features.builders import a_comment, a_task, done
from tests.realtime.board import TITLES, a_listener, happen, manager, position, titles, told
from tests.realtime.stage import Stage

WORDY = """subscription ($task: ID, $after: String) { taskChanged(taskId: $task, after: $after) {
    id sequence task { title comments(first: 10) { edges { node { body } } } } } }"""


async def test_all_of_a_client_that_is_gone_is_forgotten_at_the_first_post(stage: Stage):
    gone, staying = await a_listener(stage), await a_listener(stage)
    await gone.subscribe("subscription { projectChanged { id } }", id="2")
    stage.sink.open_ids.discard(gone.id)
    await happen(stage, "told")
    assert not [key for key in await stage.kept() if gone.id in key]
    assert titles(staying) == ["told"]
    await staying.disconnect()
    assert await stage.kept() == []


async def test_a_row_that_alone_is_left_of_a_client_is_taken_away_at_the_first_post(stage: Stage):
    client = await a_listener(stage)
    rows = [item for item in await stage.items() if "#TOPIC#" in item["pk"]["S"]]
    await client.disconnect()
    assert await stage.kept() == []
    await stage.put(*rows)
    assert len(await stage.kept()) == 1
    await happen(stage, "told to nobody")
    assert await stage.kept() == []


@pytest.mark.parametrize("can_close", [True, False])
async def test_who_cannot_be_reached_is_disconnected_and_resumes_without_a_loss(
    stage: Stage, can_close: bool
):
    slow, quick = await a_listener(stage), await a_listener(stage)
    project = await happen(stage, "seen")
    (seen,) = told(slow.taken())
    stage.sink.fails[slow.id] = UndeliverableError()
    if not can_close:
        stage.sink.cannot_close[slow.id] = UndeliverableError()
    await happen(stage, "missed 1", "missed 2", project=project)
    assert titles(quick) == ["seen", "missed 1", "missed 2"]
    assert slow.frames == []
    assert slow.is_open is not can_close
    assert not [key for key in await stage.kept() if slow.id in key]
    again = await stage.client("acme")
    await again.subscribe(TITLES, after=seen["cursor"])
    assert titles(again) == ["missed 1", "missed 2"]


async def test_a_socket_that_could_not_be_closed_is_closed_when_it_says_something(stage: Stage):
    client = await a_listener(stage)
    stage.sink.fails[client.id] = stage.sink.cannot_close[client.id] = UndeliverableError()
    await happen(stage, "missed")
    assert client.is_open
    stage.sink.fails.clear()
    stage.sink.cannot_close.clear()
    await happen(stage, "missed as well")
    await client.ping()
    assert (client.taken(), client.is_open) == ([], False)


async def test_a_client_that_fails_in_the_middle_is_sent_nothing_out_of_order(stage: Stage):
    client = await a_listener(stage)
    sent = 0

    async def stall(_: str) -> None:
        nonlocal sent
        sent += 1
        if sent == 2:
            raise UndeliverableError

    stage.sink.on_post = stall
    await happen(stage, "1", "2", "3")
    (event,) = told(client.taken())
    assert (event["task"]["title"], client.is_open) == ("1", False)
    again = await stage.client("acme")
    await again.subscribe(TITLES, after=event["cursor"])
    assert titles(again) == ["2", "3"]


@pytest.mark.parametrize("failure", [GoneError(), UndeliverableError()])
async def test_a_replay_that_cannot_be_sent_leaves_nothing_behind(stage: Stage, failure: Exception):
    cursor = await position(stage)
    await happen(stage, "1", "2")
    client = await stage.client("acme")
    stage.sink.fails[client.id] = failure
    await client.subscribe(TITLES, after=cursor)
    assert client.frames == []
    assert await stage.kept() == []


async def a_wordy_task(stage: Stage) -> str:
    """A task whose comments are more than a frame holds."""
    task = await a_task(manager(stage), title="Wordy")
    for _ in range(10):
        await a_comment(manager(stage), task, "ü" * 9_000)
    return task


async def test_an_event_that_no_frame_holds_is_told_by_its_ids(stage: Stage):
    task = await a_wordy_task(stage)
    await stage.pump()
    client = await a_listener(stage, WORDY, task=task)
    await done(manager(stage), "updateTask", "task { id }", id=task, title="Still")
    await stage.pump()
    (frame,) = client.taken()
    ((error,), data) = frame["payload"]["errors"], frame["payload"]["data"]
    more = error["extensions"]
    assert (frame["type"], data, more["code"]) == ("next", None, "PAYLOAD_TOO_LARGE")
    assert (more["truncated"], more["entityId"], more["version"]) == (True, task, 2)
    assert (more["action"], more["limit"]) == ("UPDATED", MAX_FRAME_BYTES)
    assert more["changeId"]
    assert more["sequence"] > 0
    again = await stage.client("acme")
    await again.subscribe(WORDY, task=task, after=more["cursor"])
    assert again.taken() == []


async def test_no_frame_is_over_what_api_gateway_takes(stage: Stage):
    task = await a_task(manager(stage), title="Growing")
    await stage.pump()
    longest = "\U0001f600" * 128
    client = await stage.client("acme")
    await client.subscribe(WORDY, id=longest, task=task)
    for _ in range(10):
        await a_comment(manager(stage), task, "\U0001f600" * 3_250)
    await stage.pump()
    frames = stage.sink.raw[client.id][1:]
    assert max(map(len, frames)) <= MAX_FRAME_BYTES
    is_stub = ["errors" in json.loads(frame)["payload"] for frame in frames]
    assert is_stub == [False] * 9 + [True]
    assert len(frames[-2]) > 100_000


async def test_a_query_whose_answer_no_frame_holds_is_refused_by_name(stage: Stage):
    task = await a_wordy_task(stage)
    client = await stage.client("acme")
    await client.subscribe(
        "query ($task: ID!) { task(id: $task) { comments(first: 10) { edges { node { body } } } } }",
        task=task,
    )
    answer, complete = client.taken()
    assert answer["payload"]["errors"][0]["extensions"]["code"] == "PAYLOAD_TOO_LARGE"
    assert complete == {"type": "complete", "id": "1"}
