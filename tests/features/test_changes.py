"""The audit log as administrators read it."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from graphql_api.auth.identity import Role
from graphql_api.features.workflows.workflow import WORKFLOW_UID, Workflow
from graphql_api.relay import global_id, parse_global_id
from tests.features.builders import (
    Clock,
    a_comment,
    a_project,
    a_task,
    connection_of,
    done,
    every,
    member_id,
    move,
    pages,
)
from tests.realtime.stage import Stage, open_stage
from tests.world import MEMBERS, World

ROW = """id sequence action at loggedAt entityType entityId version requestId actor { email }
    attributes { name before after }"""
CHANGES = f"""query ($filter: ChangeFilter, $first: Int, $after: String) {{
    list: changes(filter: $filter, first: $first, after: $after) {{
        edges {{ cursor node {{ {ROW} }} }}
        pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }} }}"""
RESUMED = "subscription ($after: String) { taskChanged(after: $after) { sequence } }"
BEGINNING = datetime(2030, 5, 17, 12, tzinfo=UTC)


class Office:
    """Acme with its log: what is done is told to the log before anybody looks."""

    def __init__(self, stage: Stage, clock: Clock) -> None:
        self.stage = stage
        self.clock = clock
        self.world = stage.world.as_("acme", Role.ADMIN)

    async def changes(self, **filter: Any) -> list[dict[str, Any]]:
        """All changes that answer, the latest first."""
        await self.stage.pump()
        return await every(self.world, CHANGES, 100, filter=filter)

    async def refusal(self, world: World | None = None, **arguments: Any) -> tuple[list[str], str]:
        answer = await (world or self.world).execute(CHANGES, **arguments)
        assert answer.data is None
        (error,) = answer.errors
        return answer.codes, error["message"]


@pytest.fixture
async def office(engine_endpoint: str) -> AsyncIterator[Office]:
    clock = Clock(BEGINNING)
    async with open_stage(engine_endpoint, now=clock) as stage:
        yield Office(stage, clock)


def numbers(rows: list[dict[str, Any]]) -> list[int]:
    return [row["sequence"] for row in rows]


def told(row: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What an entry says of each attribute: before and after."""
    return {
        one["name"]: tuple(side and json.loads(side) for side in (one["before"], one["after"]))
        for one in row["attributes"]
    }


async def test_what_was_done_is_told_with_who_and_when(office: Office) -> None:
    member = office.world.as_("acme", Role.MEMBER)
    project = await a_project(office.world)
    office.clock.forward(minutes=1)
    task = await a_task(
        member, project, "Weld", dueOn="2030-06-01", assigneeId=member_id("acme", Role.VIEWER)
    )
    written_at = office.clock.now
    office.clock.forward(seconds=30)
    row, *_ = await office.changes()

    assert (row["action"], row["entityType"], row["entityId"], row["version"]) == ("CREATED", "Task", task, 1)
    assert row["actor"] == {"email": "member@acme.example"}
    assert datetime.fromisoformat(row["at"]) == written_at
    assert datetime.fromisoformat(row["loggedAt"]) == written_at + timedelta(seconds=30)
    assert row["requestId"]
    attributes = told(row)
    assert attributes["title"] == (None, "Weld")
    assert attributes["dueOn"] == (None, "2030-06-01")
    parsed = parse_global_id(member_id("acme", Role.VIEWER))
    assert parsed is not None
    assert attributes["assignee"] == (None, parsed[1])
    assert not attributes.keys() & {"version", "uid", "requestId", "updatedAt", "createdBy", "pk"}


async def test_of_an_update_only_what_differs_is_told(office: Office) -> None:
    task = await a_task(office.world, description="as it was")
    await done(office.world, "updateTask", "task { id }", id=task, title="Weld it", description=None)
    await move(office.world, task, "in_progress")
    moved, updated, *_ = await office.changes(entityId=task)

    assert told(updated) == {"title": ("Weld", "Weld it"), "description": ("as it was", None)}
    assert told(moved)["status"] == ("todo", "in_progress")
    assert [row["version"] for row in (moved, updated)] == [3, 2]


async def test_lists_and_parts_are_told_as_json(office: Office) -> None:
    task = await a_task(office.world)
    await a_comment(office.world, task)
    counted, _ = await office.changes(entityId=task)

    attributes = told(counted)
    assert attributes == {"commentCount": (0, 1)}
    assert counted["version"] == 1
    (founded,) = await office.changes(entityId=global_id(Workflow, WORKFLOW_UID))
    before, after = told(founded)["states"]
    assert before is None
    assert after[0] == {"key": "todo", "name": "To do", "category": "TODO", "retired": False}


async def test_deletion_and_restoration_are_told(office: Office) -> None:
    task = await a_task(office.world)
    await done(office.world, "deleteTask", "task { id }", id=task)
    await done(office.world, "restoreTask", "task { id }", id=task)

    rows = await office.changes(entityId=task)
    assert [row["action"] for row in rows] == ["CREATED", "DELETED", "CREATED"]
    assert told(rows[1])["deletedAt"][0] is None


async def test_every_kind_of_thing_is_told_and_nothing_but_things(office: Office) -> None:
    project = await a_project(office.world)
    task = await a_task(office.world, project, idempotencyKey="once")
    await a_comment(office.world, task)
    await done(office.world, "inviteUser", "user { id }", email="zoe@acme.example", name="Zoe")

    rows = await office.changes()
    assert {row["entityType"] for row in rows} == {"Tenant", "Workflow", "User", "Project", "Task", "Comment"}
    assert numbers(rows) == list(range(len(rows), 0, -1))
    assert len({row["id"] for row in rows}) == len(rows)
    assert [row["entityType"] for row in rows].count("User") == 5


@pytest.mark.parametrize("role", MEMBERS)
async def test_only_administrators_read_it(office: Office, role: Role) -> None:
    answer = await office.world.as_("acme", role).execute(CHANGES)

    assert answer.codes == ([] if role is Role.ADMIN else ["FORBIDDEN"])
    assert (answer.data is None) == (role is not Role.ADMIN)


async def test_nobody_else_reads_it(office: Office) -> None:
    operator, nobody = office.world.as_(None, Role.PLATFORM), office.stage.world

    assert (await operator.execute(CHANGES)).codes == ["FORBIDDEN"]
    assert (await nobody.execute(CHANGES)).codes == ["UNAUTHENTICATED"]


async def test_a_tenant_sees_its_own_log_alone(office: Office) -> None:
    globex = office.world.as_("globex", Role.ADMIN)
    task = await a_task(office.world)
    await a_task(globex)
    ours = await office.changes()
    theirs = await every(globex, CHANGES, 100)

    assert not {row["id"] for row in ours} & {row["id"] for row in theirs}
    assert await every(globex, CHANGES, 100, filter={"entityId": task}) == []
    foreign = {"actorId": member_id("acme", Role.ADMIN)}
    assert await every(globex, CHANGES, 100, filter=foreign) == []
    assert len(await office.changes(entityId=task)) == 1


async def test_another_tenants_cursor_is_none(office: Office) -> None:
    await a_task(office.world)
    await office.stage.pump()
    found = connection_of(await office.world.data(CHANGES, first=2))
    cursor = found["pageInfo"]["endCursor"]

    codes, _ = await office.refusal(office.world.as_("globex", Role.ADMIN), after=cursor)
    assert codes == ["BAD_CURSOR"]
    for other in ({"actions": ["CREATED"]}, {"actorId": member_id("acme", Role.ADMIN)}):
        assert (await office.refusal(after=cursor, filter=other))[0] == ["BAD_CURSOR"]
    assert connection_of(await office.world.data(CHANGES, first=2, after=cursor))["edges"]


@pytest.mark.parametrize("id", ["", "x", "VGFzazo=", "U3VycHJpc2U6eA==", "RW1haWxBZGRyZXNzOmE="])
async def test_what_is_no_id_is_not_found(office: Office, id: str) -> None:
    assert (await office.refusal(filter={"entityId": id}))[0] == ["NOT_FOUND"]
    assert (await office.refusal(filter={"actorId": id}))[0] == ["NOT_FOUND"]


async def test_an_actor_is_a_person(office: Office) -> None:
    task = await a_task(office.world)

    assert (await office.refusal(filter={"actorId": task}))[0] == ["NOT_FOUND"]


async def test_filters_narrow_and_go_together(office: Office) -> None:
    member = office.world.as_("acme", Role.MEMBER)
    project = await a_project(office.world)
    tasks = [await a_task(member, project, title) for title in "abc"]
    for world in (member, office.world):
        await done(world, "updateTask", "task { id }", id=tasks[0], title=str(world.caller.role))
    await done(member, "deleteTask", "task { id }", id=tasks[1])
    everything = await office.changes()
    people = {role: member_id("acme", role) for role in MEMBERS}

    def those(**wanted: Any) -> list[int]:
        return [
            row["sequence"] for row in everything if all(row[name] == value for name, value in wanted.items())
        ]

    by_member = {"email": "member@acme.example"}
    for narrowing, expected in (
        ({}, those()),
        ({"entityId": tasks[0]}, those(entityId=tasks[0])),
        ({"entityId": project}, those(entityId=project)),
        ({"actorId": people[Role.MEMBER]}, those(actor=by_member)),
        ({"actorId": people[Role.VIEWER]}, []),
        ({"actions": ["DELETED"]}, those(action="DELETED")),
        ({"actions": ["UPDATED", "DELETED"]}, those(action="UPDATED") + those(action="DELETED")),
        ({"actions": []}, []),
        ({"entityId": tasks[0], "actorId": people[Role.MEMBER]}, those(entityId=tasks[0], actor=by_member)),
        ({"actorId": people[Role.MEMBER], "actions": ["CREATED"]}, those(actor=by_member, action="CREATED")),
        ({"entityId": tasks[1], "actions": ["DELETED"]}, those(entityId=tasks[1], action="DELETED")),
    ):
        assert numbers(await office.changes(**narrowing)) == sorted(expected, reverse=True), narrowing
    assert len(those(actor=by_member)) == 5


async def test_times_bound_what_is_shown(office: Office) -> None:
    project = await a_project(office.world)
    await office.stage.pump()
    for hour in range(1, 5):
        office.clock.now = BEGINNING + timedelta(hours=hour)
        await a_task(office.world, project, str(hour))
        await office.stage.pump()

    async def titles(**filter: str) -> list[str]:
        return [
            told(row)["title"][1] for row in await office.changes(**filter) if row["entityType"] == "Task"
        ]

    second, fourth = ((BEGINNING + timedelta(hours=hour)).isoformat() for hour in (2, 4))
    assert await titles(since=second) == ["4", "3", "2"]
    assert await titles(until=fourth) == ["3", "2", "1"]
    assert await titles(since=second, until=fourth) == ["3", "2"]
    assert await titles(since=second, until=second) == []
    assert await titles(since="2030-05-17T14:00:00+02:00", until="2030-05-17T16:00:01+02:00") == ["2", "1"]
    assert await titles(since="0001-01-01T00:00:00Z", until="9999-12-31T23:59:59Z") == ["4", "3", "2", "1"]


@pytest.mark.parametrize(
    "filter", [{}, {"actorId": member_id("acme", Role.ADMIN)}, {"actions": ["CREATED"]}, {"entity": True}]
)
async def test_a_time_without_an_offset_is_in_utc(office: Office, filter: dict[str, Any]) -> None:
    office.clock.forward(hours=1)
    task = await a_task(office.world)
    chosen = {"entityId": task} if filter.pop("entity", False) else filter
    bounds = {"since": "2030-05-17T13:00:00", "until": "2030-05-17T13:00:00.000001"}

    rows = await office.changes(**chosen, **bounds)
    assert task in [row["entityId"] for row in rows]
    assert rows == await office.changes(**chosen, **{name: f"{time}Z" for name, time in bounds.items()})
    assert await office.changes(**chosen, since="2030-05-17T13:00:00.000001") == []


@pytest.mark.parametrize(
    ("bounds", "field"),
    [
        ({"since": "2030-05-17T12:00:01Z", "until": "2030-05-17T12:00:00Z"}, "since"),
        ({"since": "2030-05-17T12:00:00-01:00", "until": "2030-05-17T12:30:00"}, "since"),
        ({"since": "0001-01-01T00:00:00+01:00"}, "since"),
        ({"until": "9999-12-31T23:59:59-01:00"}, "until"),
    ],
)
async def test_times_that_hold_nothing_are_refused(
    office: Office, bounds: dict[str, str], field: str
) -> None:
    codes, message = await office.refusal(filter=bounds)

    assert codes == ["BAD_USER_INPUT"]
    assert message.startswith(field)


@pytest.mark.parametrize("first", [0, -1, 101])
async def test_the_size_of_a_page_is_bounded(office: Office, first: int) -> None:
    assert (await office.refusal(first=first))[0] == ["BAD_USER_INPUT"]


async def test_pages_join_while_things_happen(office: Office) -> None:
    project = await a_project(office.world)
    for number in range(12):
        await a_task(office.world, project, str(number))
        office.clock.forward(seconds=number % 2)
    whole = numbers(await office.changes())
    for first in (1, 4, 100):
        shown: list[int] = []
        async for page in pages(office.world, CHANGES, first):
            assert len(page) <= first
            shown += numbers(page)
            if len(shown) < 8:
                await a_task(office.world, project, "meanwhile")
                await office.stage.pump()
        assert shown[-len(whole) :] == whole
        assert shown == sorted(set(shown), reverse=True)
        whole = numbers(await office.changes())


async def test_the_first_page_says_what_it_is(office: Office) -> None:
    await a_task(office.world)
    await office.stage.pump()
    found = connection_of(await office.world.data(CHANGES, first=3))
    info = found["pageInfo"]
    second = connection_of(await office.world.data(CHANGES, first=100, after=info["endCursor"]))["pageInfo"]

    assert (info["hasPreviousPage"], info["hasNextPage"]) == (False, True)
    assert (info["startCursor"], info["endCursor"]) == (
        found["edges"][0]["cursor"],
        found["edges"][-1]["cursor"],
    )
    assert (second["hasPreviousPage"], second["hasNextPage"]) == (True, False)


async def test_who_resumes_behind_an_entry_hears_what_followed(engine_endpoint: str) -> None:
    async with open_stage(engine_endpoint) as stage:
        acme = stage.world.as_("acme", Role.ADMIN)
        project = await a_project(acme)
        for title in "abc":
            await a_task(acme, project, title)
        await stage.pump()
        place = "{ list: changes(first: 3) { edges { node { sequence cursor } } } }"
        rows = [edge["node"] for edge in connection_of(await acme.data(place))["edges"]]
        client = await stage.client("acme")
        await client.subscribe(RESUMED, after=rows[2]["cursor"])
        heard = [frame["payload"]["data"]["taskChanged"]["sequence"] for frame in client.taken()]

    assert heard == [rows[1]["sequence"], rows[0]["sequence"]]


async def test_a_page_costs_one_list_one_batch_and_its_people(office: Office) -> None:
    await a_task(office.world)
    await office.stage.pump()

    calls = await office.world.calls(CHANGES)
    assert sorted(calls) == ["BatchGetItem", "BatchGetItem", "Query"]
