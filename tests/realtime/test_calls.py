"""What each event costs of DynamoDB's calls, to the last one; memberships and groups being known."""

from collections.abc import Awaitable, Mapping

import pytest

from graphql_api.auth.identity import Role
from tests.features.builders import a_project, a_task
from tests.realtime.board import TITLES, a_listener, happen, manager, position, titles
from tests.realtime.stage import Client, Stage, signed

CONNECT = {"PutItem": 2}
# With an entry of the audit log each, as these sockets are their people's first or second in a minute.
INIT = {"BatchGetItem": 2, "TransactWriteItems": 1, "PutItem": 2 + 1}
SUBSCRIBE = {"BatchGetItem": 3, "TransactWriteItems": 1}
COMPLETE = {"BatchGetItem": 2, "TransactWriteItems": 1}
PING = {"BatchGetItem": 4}
RENEWAL = {"BatchGetItem": 5, "PutItem": 2}
DISCONNECT = {"BatchGetItem": 3, "TransactWriteItems": 1, "PutItem": 1 + 1, "DeleteItem": 2}
# Head, place and hold of the log, one Query for each of a task's three topics.
CHANGE = {"TransactWriteItems": 1, "BatchGetItem": 3, "PutItem": 2, "Query": 3}


async def cost(stage: Stage, work: Awaitable[object]) -> Mapping[str, int]:
    stage.world.guard.forget_calls()
    await work
    return dict(stage.world.guard.operations)


@pytest.fixture
async def warm(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setattr(stage.world.services.listeners, "_clock", lambda: 0.0)
    await (await a_listener(stage)).disconnect()
    return stage


async def test_a_client_that_listens_to_nothing(warm: Stage):
    client = Client(warm, "counted=")
    assert await cost(warm, client.connect()) == CONNECT
    assert await cost(warm, client.init(signed("acme", Role.MEMBER))) == INIT
    assert await cost(warm, client.ping()) == PING
    assert await cost(warm, client.ping(signed("acme", Role.MEMBER))) == RENEWAL
    assert await cost(warm, client.disconnect()) == DISCONNECT


async def test_a_subscription_from_now_on(warm: Stage):
    client = await warm.client("acme")
    assert await cost(warm, client.subscribe(TITLES)) == SUBSCRIBE
    assert await cost(warm, client.ping()) == {"BatchGetItem": 5}
    renewed = await cost(warm, client.ping(signed("acme", Role.MEMBER)))
    assert renewed == {"BatchGetItem": 6, "PutItem": 2, "UpdateItem": 1}
    assert await cost(warm, client.complete()) == COMPLETE
    await client.subscribe(TITLES)
    assert await cost(warm, client.disconnect()) == DISCONNECT | {"DeleteItem": 3}


async def test_a_subscription_that_resumes(warm: Stage):
    cursor = await position(warm)
    first, second, third = [await warm.client("acme") for _ in range(3)]
    await first.subscribe(TITLES, after=cursor)
    # The head besides; then a look at the log, and the row goes live.
    resumption = SUBSCRIBE | {"BatchGetItem": 4, "Query": 1, "UpdateItem": 1}
    assert await cost(warm, second.subscribe(TITLES, after=cursor)) == resumption
    await happen(warm, *"12345")
    assert await cost(warm, third.subscribe(TITLES, after=cursor)) == resumption | {"Query": 2}
    assert titles(third) == list("12345")


@pytest.mark.parametrize("listeners", [0, 1, 100])
async def test_a_change_costs_the_same_for_one_listener_and_for_a_hundred(warm: Stage, listeners: int):
    project = await a_project(manager(warm))
    clients = [await warm.client("acme") for _ in range(5 if listeners == 100 else listeners)]
    for client in clients:
        for number in range(20 if listeners == 100 else 1):
            await client.subscribe(TITLES, id=str(number))
    await warm.pump()
    await a_task(manager(warm), project, "told")
    assert await cost(warm, warm.pump()) == CHANGE
    assert [title for client in clients for title in titles(client)] == ["told"] * listeners


async def test_changes_of_one_batch_are_pushed_together(warm: Stage):
    project = await a_project(manager(warm))
    client = await a_listener(warm)
    await warm.pump()
    for number in range(10):
        await a_task(manager(warm), project, str(number))
    # A Query for each topic: the tenant's tasks, the project's, and those of the ten tasks themselves.
    assert await cost(warm, warm.pump()) == CHANGE | {"Query": 12}
    assert titles(client) == [str(number) for number in range(10)]


async def test_what_is_read_for_an_event_is_read_once_for_all_groups(warm: Stage):
    query = "subscription { taskChanged { task { project { %s } } } }"
    clients = [await a_listener(warm, query % name) for name in ("id", "name", "archived")]
    project = await a_project(manager(warm))
    await warm.pump()
    await a_task(manager(warm), project)
    assert await cost(warm, warm.pump()) == CHANGE | {"BatchGetItem": CHANGE["BatchGetItem"] + 1}
    assert [len(client.taken()) for client in clients] == [1, 1, 1]
