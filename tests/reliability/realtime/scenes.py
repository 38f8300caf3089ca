"""Scenes that chance would need long for, each played through once with its promises checked."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from graphql_api.auth.identity import Role
from graphql_api.changes import change
from graphql_api.features.tasks.task import Task
from graphql_api.features.users import User, UserStatus
from graphql_api.realtime.subscriptions import Standing, Subscription, Subscriptions
from graphql_api.store.entity import to_item
from graphql_api.store.idempotency import UNMARKED
from graphql_api.store.keys import Key, entity_key, partition, tenant_family
from graphql_api.store.writes import key_attributes
from tests.reliability.realtime.client import PING_SECONDS, View
from tests.reliability.realtime.gateway import Accident
from tests.reliability.realtime.invariants import check, check_client, check_log, require
from tests.reliability.realtime.memory import CONTROL, DATA
from tests.reliability.realtime.schedule import Cast, Schedule
from tests.reliability.realtime.trial import in_good_weather
from tests.reliability.realtime.weather import INVOCATION, Plan

ONE = Cast((("acme", "ann", View()),))
THREE = Cast(tuple(("acme", name, View()) for name in ("ann", "bob", "cleo")))
ACME = tenant_family("acme")
PUSHED_SECONDS = 5.0  # Far longer than a batch takes from the stream to the sockets in good weather.


async def make(schedule: Schedule, count: int = 1) -> list[Task]:
    """New tasks, written by somebody."""
    repository = schedule.process().repository("acme", "writer", "scene")
    return [await schedule.writing.create(repository, "acme") for _ in range(count)]


async def a_consumer_dies_after(posts: int) -> int:
    """Three clients, two changes; the process dies with that post. How many posts there were before it."""
    async with in_good_weather(THREE) as schedule:
        first, made = schedule.management.posts, 0

        def die(operation: str) -> Accident:
            nonlocal made
            if operation == "PostToConnection":
                made += 1
                invocation = INVOCATION.get()
                if made == posts + 1 and invocation is not None:
                    invocation.die()
                    raise asyncio.CancelledError
            return None

        await make(schedule, 2)
        schedule.management.accident = die
        await asyncio.sleep(2 * PING_SECONDS)
        check(schedule)
        return schedule.management.posts - first


async def a_change_comes_before_going_live() -> None:
    """It is logged and passed over after the subscription's last look at the log."""
    async with in_good_weather(ONE) as schedule:
        await make(schedule)
        await asyncio.sleep(PUSHED_SECONDS)
        (client,) = schedule.clients
        original, interruptions = Subscriptions.go_live, iter(range(1))

        async def interrupted(self: Subscriptions, subscription: Subscription) -> Standing:
            if next(interruptions, None) is not None:
                await make(schedule)
                await asyncio.sleep(PUSHED_SECONDS)
            return await original(self, subscription)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Subscriptions, "go_live", interrupted)
            await reconnect(schedule, client)
        await make(schedule)
        await asyncio.sleep(PUSHED_SECONDS)
        require(client.sessions == 2, "one reconnection", client.sessions)
        check(schedule)


async def a_log_is_begun_anew() -> None:
    """A client comes back with a cursor of a log that is gone, when the next one is already longer."""
    async with in_good_weather(ONE) as schedule:
        await make(schedule, 3)
        await asyncio.sleep(PUSHED_SECONDS)
        (client,) = schedule.clients
        require(len(client.told) == 3, "three were told", client.told)
        forget_log(schedule)
        schedule.stream.records.clear()
        assert client.connection is not None
        client.connection.close()
        await make(schedule, 5)
        await asyncio.sleep(2 * PUSHED_SECONDS)
        require(client.refusals == ["CURSOR_EXPIRED"], "the cursor is refused", client.refusals)
        require(client.snapshots == 2, "the client reads anew", client.snapshots)
        await make(schedule)
        await asyncio.sleep(PUSHED_SECONDS)
        check(schedule)


def forget_log(schedule: Schedule) -> None:
    """As if the control table had been replaced."""
    control = schedule.database.tables[CONTROL]
    families = (partition(ACME, "LOG"), partition(ACME, "HISTORY"))
    for key in [key for key in control.items if key.partition.startswith(families)]:
        control.set(key, None, at_once=True)


async def a_record_is_poison() -> None:
    """It is isolated, what surrounds it is delivered, and once it can be read it is delivered too."""
    async with in_good_weather(THREE) as schedule:
        await make(schedule, 3)
        schedule.writing.put_poison("acme")
        await make(schedule, 3)
        await asyncio.sleep(30)
        (uid,) = schedule.writing.poison
        set_aside = [
            record
            for reader in schedule.readers
            for one in reader.mapping.on_failure
            for record in one.records
        ]
        addresses = [record["dynamodb"]["Keys"]["pk"]["S"] for record in set_aside]
        require(addresses == [f"{ACME}#TASK#{uid}"], "it alone is set aside", addresses)
        check(schedule)
        mend(schedule, set_aside[0], uid)
        for reader in schedule.readers:
            await reader.redrive()
        await asyncio.sleep(PUSHED_SECONDS)
        require(not any(reader.mapping.on_failure for reader in schedule.readers), "redriven")
        require(len(schedule.clients[0].told) == 7, "it was told", schedule.clients[0].told)
        check(schedule)


def mend(schedule: Schedule, record: dict[str, Any], uid: str) -> None:
    """Let the record be what it should have been, in the table as in the stream."""
    repository = schedule.process().repository("acme", "writer", "mending")
    task = repository.new(Task, uid=uid, project_uid="site", title="acme mended", status="todo", position="m")
    key = entity_key(ACME, Task.kind, uid)
    item = key_attributes(key) | to_item(ACME, task)
    record["dynamodb"]["NewImage"] = item
    for told in schedule.stream.records:
        if told["eventID"] == record["eventID"]:
            told["dynamodb"]["NewImage"] = item
    schedule.database.tables[DATA].set(key, item, at_once=True)


async def nobody_pushes() -> None:
    """What was logged and never pushed is found by the next ping of any client."""
    async with in_good_weather(ONE) as schedule:
        (client,) = schedule.clients
        for reader in schedule.readers:
            reader.mapping._handler = schedule.gives_up
        await make(schedule)
        await asyncio.sleep(PUSHED_SECONDS)
        (record,) = schedule.stream.records
        found = change.change_of(record)
        assert found is not None
        log = schedule.process().context("acme", "writer", "append").change_log
        await log.append([found[1]])
        require(not client.told, "nothing is told yet")
        await asyncio.sleep(PING_SECONDS + 1)
        require(len(client.told) == 1, "the ping has it sent", client.told)
        check_client(schedule, client, check_log(schedule, ACME))


async def an_older_version_writes() -> None:
    """Items and log texts of before an attribute was added, and of after one that is not known here."""
    async with in_good_weather(ONE) as schedule:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("graphql_api.changes.log.to_text", _text_of_another_version)
            await make(schedule, 2)
            write_as_another_version(schedule)
            await asyncio.sleep(PUSHED_SECONDS)
        (client,) = schedule.clients
        assert client.connection is not None
        client.cursor = client.base
        client.told, client.seen = [], set()
        client.connection.close()
        await make(schedule)
        await asyncio.sleep(2 * PUSHED_SECONDS)
        require(len(client.told) == 4, "all are told again from the log", client.told)
        check(schedule)


def _text_of_another_version(logged: change.Change, sequence: int) -> str:
    after = None if logged.after is None else {**logged.after, "later": {"S": "attribute"}}
    if after is not None:
        after.pop("comments_version", None)
    text = change.to_text(replace(logged, after=after), sequence)
    return f'{text[:-1]},"later":"part"}}'


def write_as_another_version(schedule: Schedule) -> None:
    """A task's item without what came later, and with what nobody knows here."""
    repository = schedule.process().repository("acme", "writer", "older")
    task = repository.new(Task, project_uid="site", title="acme older", status="todo", position="o")
    key = Key(partition(ACME, Task.kind, task.uid), Task.kind)
    item = key_attributes(key) | to_item(ACME, task) | {"later": {"M": {"a": {"S": "b"}}}}
    for name in ("comments_version", "comment_count", "recent_comments", "priority"):
        item.pop(name, None)
    schedule.database.apply(DATA, {key: item})


async def somebody_is_suspended() -> None:
    """Whoever is suspended hears nothing more, and all of it once let in again."""
    async with in_good_weather(THREE) as schedule:
        await make(schedule)
        await asyncio.sleep(PUSHED_SECONDS)
        bob = schedule.clients[1]
        await set_status(schedule, UserStatus.SUSPENDED)
        await asyncio.sleep(PUSHED_SECONDS)
        await make(schedule, 2)
        await asyncio.sleep(PUSHED_SECONDS)
        require([len(client.told) for client in schedule.clients] == [3, 1, 3], "he alone hears nothing")
        require("FORBIDDEN" in bob.refusals, "he is told why", bob.refusals)
        await set_status(schedule, UserStatus.ACTIVE)
        await asyncio.sleep(PING_SECONDS)
        check(schedule)


async def set_status(schedule: Schedule, status: UserStatus) -> None:
    """Suspend bob, or let him in."""
    repository = schedule.process().repository("acme", "writer", Role.ADMIN)
    bob = await repository.fresh().get(User, "bob")
    await repository.update(
        bob, lambda now: replace(now, status=status), expected_version=None, mark=UNMARKED
    )


async def reconnect(schedule: Schedule, client: Any) -> None:
    """End a client's connection, and wait until it is back."""
    client.connection.close()
    await asyncio.sleep(3 * PUSHED_SECONDS)


async def the_fanout_is_out_of_breath() -> None:
    """A frame that hangs takes longer than a hold lasts."""
    plan = Plan(lifetime=1e9, post=0.2, accidents=("hangs",))
    async with in_good_weather(THREE, plan) as schedule:
        await make(schedule, 4)
        await asyncio.sleep(4 * PING_SECONDS)
        schedule.weather.is_calm = True
        await asyncio.sleep(3 * PING_SECONDS)
        check(schedule)
