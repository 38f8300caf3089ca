"""A receiver that does not take a change is sent it again, and nothing else before; at last it is paused."""

import asyncio
from datetime import datetime, timedelta

from aiohttp import web

from graphql_api.auth.identity import Role
from graphql_api.features.users import User
from graphql_api.relay import uid_of
from graphql_api.store.queue import MAX_DELAY
from tests.features.builders import a_member, a_project, done, member_id
from tests.webhooks.receiver import Received
from tests.webhooks.stage import Hooks


async def test_what_was_not_taken_comes_again_before_what_came_after(hooks: Hooks):
    await hooks.register()
    hooks.receiver.says(500)
    project = await a_project(hooks.manager)
    await hooks.tasks("a", "b", project=project)
    await hooks.settle()
    (first,) = hooks.receiver.taken()
    hooks.receiver.answer = None
    await hooks.settle()
    assert hooks.receiver.taken() == []
    hooks.clock.forward(seconds=3)
    await hooks.settle()
    again, after = hooks.receiver.taken()
    assert (again.id, again.body) == (first.id, first.body)
    assert [again.event["task"]["title"], after.event["task"]["title"]] == ["a", "b"]


async def test_delays_double_from_seconds_to_hours_and_end_after_a_day(hooks: Hooks):
    webhook, _ = await hooks.register()
    hooks.receiver.says(503, "out of order")
    await hooks.tasks("Weld")
    await hooks.settle()
    for _ in range(300):
        if (await hooks.webhook(webhook))["status"] == "PAUSED":
            break
        await hooks.later(minutes=1)
    paused = await hooks.webhook(webhook)
    assert paused["pausedReason"] == "It failed for 24 hours. The last time: status 503"
    log = (await hooks.deliveries(webhook))[::-1]
    assert [row["attempt"] for row in log] == [*range(1, len(log) + 1)]
    assert len({row["changeId"] for row in log}) == 1
    times = [datetime.fromisoformat(row["at"]) for row in log]
    planned = [datetime.fromisoformat(row["nextAttemptAt"]) for row in log[:-1]]
    waits = [(later - at).total_seconds() for at, later in zip(times, planned, strict=False)]
    # Half of the longest each time: the draw is fixed.
    assert [round(wait, 1) for wait in waits[:5]] == [2.5, 5, 10, 20, 40]
    assert max(waits) <= 2 * 3600
    assert log[-1]["nextAttemptAt"] is None
    assert timedelta(hours=24) <= times[-1] - times[0] <= timedelta(hours=24, minutes=15)
    assert len(hooks.receiver.taken()) == len(log)


async def test_no_message_waits_longer_than_the_queue_can(hooks: Hooks):
    await hooks.register()
    hooks.receiver.says(500)
    await hooks.tasks("Weld")
    await hooks.settle()
    for _ in range(60):
        await hooks.later(minutes=1)
        assert all(one.visible_at <= hooks.clock() + MAX_DELAY for one in hooks.mailbox.messages)


async def test_a_paused_webhook_s_owner_is_told_in_the_log(hooks: Hooks):
    webhook, _ = await hooks.register()
    hooks.receiver.says(410)
    await hooks.tasks("a", "b")
    await hooks.settle()
    assert len(hooks.receiver.taken()) == 1
    found = await hooks.admin.data(
        """query ($id: ID!) { changes(filter: {entityId: $id}, first: 1) { edges { node {
            action actor { name } attributes { name after } } } } }""",
        id=webhook,
    )
    (edge,) = found["changes"]["edges"]
    told = {one["name"]: one["after"] for one in edge["node"]["attributes"]}
    assert told["status"] == '"PAUSED"'
    assert "410" in told["pausedReason"]
    assert edge["node"]["actor"] is None


async def test_a_webhook_that_is_resumed_goes_on_where_it_was(hooks: Hooks):
    webhook, _ = await hooks.register()
    project = await a_project(hooks.manager)
    hooks.receiver.says(410)
    await hooks.tasks("a", project=project)
    await hooks.settle()
    await hooks.tasks("b", project=project)
    await hooks.look()
    await hooks.settle()
    hooks.receiver.taken()
    hooks.receiver.answer = None
    assert (await hooks.change("resumeWebhook", id=webhook))["pausedReason"] is None
    assert hooks.titles() == ["a", "b"]


async def test_a_webhook_that_is_paused_is_sent_nothing_and_nothing_is_lost(hooks: Hooks):
    webhook, _ = await hooks.register()
    assert (await hooks.change("pauseWebhook", id=webhook))["status"] == "PAUSED"
    await hooks.tasks("Weld")
    await hooks.settle()
    assert (hooks.receiver.taken(), hooks.mailbox.messages) == ([], [])
    await hooks.change("resumeWebhook", id=webhook)
    assert hooks.titles() == ["Weld"]


async def test_a_failing_webhook_holds_up_no_other(hooks: Hooks):
    await hooks.register(url=hooks.receiver.url.replace("hook", "bad"))
    await hooks.register()

    async def answer(received: Received) -> web.Response:
        return web.Response(status=500 if received.path == "/bad" else 204)

    hooks.receiver.answer = answer
    await hooks.tasks("Weld", "Paint")
    await hooks.settle()
    assert sorted(one.path for one in hooks.receiver.taken()) == ["/bad", "/hook", "/hook"]


async def test_nothing_is_sent_on_behalf_of_somebody_who_lost_access(hooks: Hooks):
    webhook, _ = await hooks.register()
    member = await a_member(hooks.admin, email="second@acme.example", name="Second", role="ADMIN")
    second = hooks.stage.world.as_("acme", Role.ADMIN, uid_of(User, member))
    await done(second, "suspendUser", "user { id }", id=member_id("acme", Role.ADMIN))
    await hooks.settle()
    await hooks.tasks("Weld")
    await hooks.settle()
    assert hooks.receiver.taken() == []
    query = "query ($id: ID!) { node(id: $id) { ... on Webhook { status pausedReason } } }"
    paused = (await second.data(query, id=webhook))["node"]
    assert paused["status"] == "PAUSED"
    assert "suspended" in paused["pausedReason"]


async def test_redirects_are_not_followed(hooks: Hooks):
    webhook, _ = await hooks.register()
    hooks.receiver.says(302, Location=hooks.receiver.url)
    await hooks.tasks("Weld")
    await hooks.settle()
    assert len(hooks.receiver.taken()) == 1
    (row,) = await hooks.deliveries(webhook)
    assert (row["status"], row["problem"]) == (302, None)
    assert row["nextAttemptAt"] is not None


async def test_a_turn_that_is_on_is_not_begun_twice(hooks: Hooks):
    await hooks.register()
    project = await a_project(hooks.manager)
    is_asked, may_answer = asyncio.Event(), asyncio.Event()

    async def answer(_: Received) -> web.Response:
        is_asked.set()
        await may_answer.wait()
        return web.Response(status=204)

    hooks.receiver.answer = answer
    await hooks.tasks("a", project=project)
    await hooks.stage.pump()
    turn = asyncio.create_task(hooks.settle())
    await is_asked.wait()
    await hooks.tasks("b", project=project)
    await hooks.stage.pump()
    ringing = [one for one in hooks.mailbox.messages if one.visible_at <= hooks.clock()]
    await hooks.mailbox.hand_on(ringing, hooks.function.handle)
    assert len(hooks.receiver.received) == 1
    may_answer.set()
    await turn
    await hooks.settle()
    assert hooks.titles() == ["a", "b"]
