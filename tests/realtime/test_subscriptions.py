"""The whole way, from a mutation to the frames of who listens, and what is told of it."""

from graphql_api.auth.identity import Role
from tests.features.builders import a_project, a_task
from tests.realtime.board import TASKS, a_listener, happen, manager, titles, told
from tests.realtime.stage import Stage


async def test_a_change_reaches_who_listens_and_nobody_of_another_tenant(stage: Stage):
    project = await a_project(manager(stage), "Site")
    ours = await a_listener(stage, TASKS, project=project)
    theirs = await stage.client("globex")
    await theirs.subscribe(TASKS)
    task = await a_task(stage.world.as_("acme", Role.MEMBER), project, "Write it down")
    await stage.pump()
    (change,) = told(ours.taken())
    assert (change["action"], change["version"], change["entityId"]) == ("CREATED", 1, task)
    assert change["actor"] == {"email": "member@acme.example"}
    assert change["task"] == {
        "id": task,
        "title": "Write it down",
        "status": "todo",
        "project": {"name": "Site"},
        "assignee": None,
    }
    assert theirs.taken() == []


async def test_what_was_missed_is_replayed_before_what_comes(stage: Stage):
    client = await a_listener(stage)
    project = await happen(stage, "seen")
    (seen,) = told(client.taken())
    await client.disconnect()
    await happen(stage, "missed 1", "missed 2", project=project)
    again = await stage.client("acme")
    await again.subscribe(TASKS, project=project, after=seen["cursor"])
    await happen(stage, "live", project=project)
    assert titles(again) == ["missed 1", "missed 2", "live"]


async def test_the_sequence_has_no_gaps_and_the_cursors_no_repetition(stage: Stage):
    client = await a_listener(stage)
    await happen(stage, "1", "2", "3")
    events = told(client.taken())
    first = events[0]["sequence"]
    assert [event["sequence"] for event in events] == [first, first + 1, first + 2]
    assert len({event["cursor"] for event in events}) == len({event["id"] for event in events}) == 3


async def test_a_change_that_comes_twice_in_the_stream_is_told_once(stage: Stage):
    client = await a_listener(stage)
    await a_task(manager(stage), None, "once")
    records = await stage.records()
    for _ in range(2):
        assert await stage.stream.handle({"Records": records}) == {"batchItemFailures": []}
    assert titles(client) == ["once"]
