"""What is appended to the log reaches every sink: from where it stopped, in order, not twice for nothing."""

import dataclasses
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from graphql_api.auth.identity import Role
from graphql_api.deadline import Deadline
from graphql_api.sinks.giving import Giving
from graphql_api.sinks.lines import ChangeLines
from graphql_api.store.event_bus import BusEvent, NotTakenError
from graphql_api.store.keys import tenant_family
from tests.features.builders import a_project, a_task, done
from tests.log_lines import log_lines
from tests.realtime.board import a_listener, titles
from tests.realtime.stage import Clock, Stage, open_stage


class Bus:
    """A bus that keeps what it was given, or takes nothing while it is down."""

    def __init__(self) -> None:
        self.events: list[BusEvent] = []
        self.is_down = False
        self.calls = 0

    async def put(self, events: Sequence[BusEvent]) -> None:
        self.calls += 1
        if self.is_down:
            raise NotTakenError("down")
        self.events += events

    async def close(self) -> None:
        return

    def sequences(self, tenant: str = "acme") -> list[int]:
        return [one.detail["sequence"] for one in self.events if one.detail["tenant"] == tenant]


@asynccontextmanager
async def opened(endpoint: str, bus: Bus, clock: Clock) -> AsyncIterator[Stage]:
    async with open_stage(endpoint, bus=bus, now=clock) as stage:
        yield stage


@pytest.fixture
def bus() -> Bus:
    return Bus()


@pytest.fixture
async def told(engine_endpoint: str, bus: Bus, clock: Clock) -> AsyncIterator[Stage]:
    async with opened(engine_endpoint, bus, clock) as stage:
        yield stage


async def a_change(stage: Stage, title: str = "one") -> str:
    admin = stage.world.as_("acme", Role.ADMIN)
    return await a_task(admin, await a_project(admin), title=title)


async def test_every_change_is_an_event_with_ids_and_states_and_no_text(told: Stage, bus: Bus):
    task = await a_change(told, "a canary")
    await told.pump()
    seen = bus.events[-1]

    assert bus.sequences() == list(range(1, len(bus.sequences()) + 1))
    assert seen.type == "Task.CREATED"
    assert seen.detail["entityId"] == task
    assert seen.detail["task"]["previousStatus"] is None
    assert seen.detail["task"]["isDone"] is False
    assert "canary" not in str([event.detail for event in bus.events])


async def test_an_event_carries_a_cursor_that_a_subscriber_resumes_behind(told: Stage, bus: Bus):
    await a_change(told, "before")
    await told.pump()
    client = await told.client("acme")
    await a_change(told, "after")
    await told.pump()
    query = "subscription ($after: String) { taskChanged(after: $after) { task { title } } }"
    cursor = next(one for one in bus.events if one.type == "Task.CREATED").detail["cursor"]

    await client.subscribe(query, after=cursor)

    assert titles(client) == ["after"]


async def test_a_batch_that_comes_again_tells_nothing_twice(told: Stage, bus: Bus):
    await a_change(told)
    records = await told.records()
    for _ in range(3):
        assert await told.stream.handle({"Records": records}) == {"batchItemFailures": []}

    assert bus.sequences() == sorted(set(bus.sequences()))


async def test_a_bus_that_is_down_holds_up_no_subscriber_and_misses_nothing(
    told: Stage, bus: Bus, clock: Clock
):
    listener = await a_listener(told)
    await told.pump()
    known = len(bus.sequences())
    bus.is_down = True
    await a_change(told, "meanwhile")
    await told.pump()
    assert "meanwhile" in titles(listener)
    assert len(bus.sequences()) == known

    bus.is_down = False
    clock.forward(minutes=1)
    await told.sweep.handle()

    assert bus.sequences() == list(range(1, len(bus.sequences()) + 1))
    assert len(bus.sequences()) == known + 2


async def test_a_bus_that_is_down_is_not_tried_by_every_batch(told: Stage, bus: Bus):
    bus.is_down, bus.calls = True, 0
    for title in ("one", "two", "three"):
        await a_change(told, title)
        await told.pump()

    assert bus.calls == 1


async def test_who_stopped_half_way_is_followed_by_the_next(told: Stage, bus: Bus, clock: Clock):
    """The process ended after the bus had taken the events and before the place had moved."""
    bus.is_down = True
    await a_change(told)
    await told.pump()
    bus.is_down = False
    clock.forward(minutes=1)
    await a_change(told)
    await told.pump()

    assert bus.sequences() == list(range(1, len(bus.sequences()) + 1))


async def test_two_who_give_at_once_give_once(told: Stage, bus: Bus):
    bus.is_down = True
    await a_change(told)
    await told.pump()
    await told.take_away(*[one for one in await told.items() if one["sk"]["S"].startswith("SINK")])
    bus.is_down, bus.events = False, []
    services, family = told.world.services, tenant_family("acme")
    head = await services.sources.change_log(family, Deadline.after(10)).head()
    givings = [
        Giving(services.sources, services.sinks, family, Deadline.after(10)).run(head.sequence) for _ in "ab"
    ]
    for giving in givings:
        await giving

    assert bus.sequences() == list(range(1, head.sequence + 1))


async def test_tenants_are_told_apart(told: Stage, bus: Bus):
    await done(told.world.as_("globex", Role.MANAGER), "createProject", "project { id }", name="Theirs")
    await told.pump()

    assert {one.detail["tenant"] for one in bus.events} == {"acme", "globex"}
    assert bus.events[-1].detail["tenant"] == "globex"


async def test_changes_are_lines_with_their_hashes_and_without_values(engine_endpoint: str):
    async with open_stage(engine_endpoint) as stage:
        services = stage.world.services
        stage.world.services = dataclasses.replace(services, sinks=(ChangeLines(),))
        stage.stream = type(stage.stream)(stage.world.services)
        with log_lines("audit") as lines:
            await a_change(stage, "canary")
            await stage.pump()
            seen: list[dict[str, Any]] = [line["change"] for line in lines() if "change" in line]
        log = services.sources.change_log(tenant_family("acme"), Deadline.after(10))

        assert [one["hash"] for one in seen] == [entry.hash for entry in await log.after(0)]
        assert [one["sequence"] for one in seen] == list(range(1, len(seen) + 1))
        assert "canary" not in str(seen)
