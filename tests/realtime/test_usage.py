"""What sockets are accounted for: operations, pushes, minutes, and what is done for a tenant besides."""

from collections import Counter

from graphql_api.deadline import Deadline
from graphql_api.metering.figures import BACKGROUND, CONNECTIONS
from graphql_api.metering.ledger import Ledger, Period
from graphql_api.store.keys import tenant_family
from tests.realtime.board import happen, position
from tests.realtime.stage import Clock, Stage, open_stage

LISTEN = "subscription Board ($after: String) { taskChanged(after: $after) { cursor task { title } } }"
MINE = "subscription Mine { taskChanged { actor { name } } }"


async def used(stage: Stage, tenant: str = "acme") -> dict[str, Counter[str]]:
    """By operation, today."""
    services, family = stage.world.services, tenant_family(tenant)
    await services.usage.flush_all(10)
    today = services.sources.now().date()
    ledger = Ledger(services.sources.control(family, Deadline.after(10)), family)
    return await ledger.by_operation(Period(today, today))


async def test_pushes_are_counted_for_each_subscriber_by_their_operation(stage: Stage):
    first, second, third = [await stage.client("acme") for _ in range(3)]
    for client in (first, second):
        await client.subscribe(LISTEN)
    await third.subscribe(MINE)
    await happen(stage, "Weld", "Paint")

    found = await used(stage)
    frames = [frame for client in (first, second) for frame in stage.sink.raw[client.id]]
    sent = [len(frame) for frame in frames if b'"next"' in frame]
    assert (found["Board"]["pushes"], found["Board"]["pushed_bytes"]) == (4, sum(sent))
    assert found["Board"]["push_steps"] == 4
    assert found["Mine"]["pushes"] == 2
    # Subscribing is an operation of the client's; an event is none.
    assert (found["Board"]["operations"], found["Mine"]["operations"]) == (2, 1)
    assert found[BACKGROUND]["write_halves"] > 0
    assert set(await used(stage, "globex")) == {BACKGROUND}


async def test_what_is_replayed_is_pushed_too(stage: Stage):
    cursor = await position(stage)
    await happen(stage, "Weld", "Paint")
    client = await stage.client("acme")
    await client.subscribe(LISTEN, after=cursor)
    assert (await used(stage))["Board"]["pushes"] == 2


async def test_a_client_that_is_gone_was_sent_nothing(stage: Stage):
    client = await stage.client("acme")
    await client.subscribe(LISTEN)
    stage.sink.open_ids.discard(client.id)
    await happen(stage, "Weld")
    assert (await used(stage))["Board"]["pushes"] == 0


async def test_a_query_over_a_socket_is_accounted_with_its_frames(stage: Stage):
    client = await stage.client("acme")
    await client.subscribe("query Mine { projects { edges { cursor } } }")
    (found,) = [figures for name, figures in (await used(stage)).items() if name == "Mine"]
    answer = stage.sink.raw[client.id][-2:]
    assert (found["operations"], found["errors"], found["bytes"]) == (1, 0, sum(map(len, answer)))
    assert found["points"] > 0
    assert found["read_halves"] == 1


async def test_a_connection_is_counted_once_when_it_ends(clocked: Stage, clock: Clock):
    client, stranger = await clocked.client("acme"), await clocked.client()
    clock.forward(minutes=3)
    await client.disconnect()
    await client.say_gone()
    await stranger.disconnect()
    seconds = (await used(clocked))[CONNECTIONS]["connection_seconds"]
    assert 180 <= seconds <= 190


async def test_the_functions_write_what_is_due_before_they_return(engine_endpoint: str):
    async with open_stage(engine_endpoint, flush_seconds=0.0) as stage:
        client = await stage.client("acme")
        await client.subscribe(LISTEN)
        await happen(stage, "Weld")
        stage.world.guard.forget_calls()
        await stage.sweep.handle()
        assert not stage.world.services.usage.is_due
        today = stage.world.services.sources.now().date()
        family = tenant_family("acme")
        table = stage.world.services.sources.control(family, Deadline.after(10))
        found = await Ledger(table, family).by_operation(Period(today, today))
        assert found["Board"]["pushes"] == 1
        await client.disconnect()
        assert not stage.world.services.usage.is_due
