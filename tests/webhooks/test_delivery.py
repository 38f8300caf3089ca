"""What a receiver is sent: every change that the webhook's subscription hears of, signed, in order."""

import pytest

from graphql_api.auth.identity import Role
from graphql_api.metering.figures import WEBHOOKS
from tests.features.builders import a_project, a_task
from tests.realtime.test_usage import used
from tests.webhooks.stage import TITLES, Hooks
from tests.webhooks.verifying import UnverifiedError, verify


async def test_a_change_is_delivered_and_its_signature_holds(hooks: Hooks):
    _, secret = await hooks.register()
    await hooks.tasks("Weld")
    await hooks.settle()
    (received,) = hooks.receiver.taken()
    verify(secret, received.headers, received.body, hooks.clock().timestamp())
    assert received.message["type"] == "task.created"
    assert received.event["task"] == {"title": "Weld"}
    assert received.id == received.event["id"]
    assert received.headers["Content-Type"] == "application/json"
    with pytest.raises(UnverifiedError):
        verify(secret, received.headers, received.body + b" ", hooks.clock().timestamp())


async def test_changes_come_in_the_order_of_the_log_and_once(hooks: Hooks):
    await hooks.register()
    project = await a_project(hooks.manager)
    await hooks.tasks(*"abcdef", project=project)
    await hooks.settle()
    received = hooks.receiver.taken()
    assert [one.event["task"]["title"] for one in received] == [*"abcdef"]
    sequences = [one.event["sequence"] for one in received]
    assert sequences == sorted(set(sequences))
    await hooks.look()
    await hooks.settle()
    assert hooks.receiver.taken() == []


async def test_only_what_its_subscription_listens_to_is_sent(hooks: Hooks):
    ours, theirs = await a_project(hooks.manager, "Ours"), await a_project(hooks.manager, "Theirs")
    await hooks.register(
        "subscription ($project: ID) { taskChanged(projectId: $project) { task { title } } }",
        variables=f'{{"project": "{ours}"}}',
    )
    await hooks.tasks("ours", project=ours)
    await hooks.tasks("theirs", project=theirs)
    await hooks.settle()
    assert hooks.titles() == ["ours"]


async def test_a_tenant_without_webhooks_sends_no_message(hooks: Hooks):
    await hooks.tasks("Weld")
    await hooks.stage.pump()
    assert hooks.mailbox.messages == []


async def test_what_happened_before_it_was_made_is_not_sent(hooks: Hooks):
    await hooks.tasks("before")
    await hooks.settle()
    await hooks.register()
    await hooks.tasks("after")
    await hooks.settle()
    assert hooks.titles() == ["after"]


async def test_a_message_that_is_lost_is_made_good_by_the_next_look(hooks: Hooks):
    await hooks.register()
    hooks.mailbox.is_down = True
    await hooks.tasks("Weld")
    await hooks.stage.pump()
    hooks.mailbox.is_down = False
    await hooks.settle()
    assert hooks.titles() == []
    await hooks.look()
    await hooks.settle()
    assert hooks.titles() == ["Weld"]


async def test_every_attempt_is_in_the_delivery_log(hooks: Hooks):
    webhook, _ = await hooks.register()
    hooks.receiver.says(200, "thanks " * 1000)
    await hooks.tasks("Weld", "Paint")
    await hooks.settle()
    paint, weld = await hooks.deliveries(webhook)
    assert (weld["attempt"], weld["status"], weld["problem"]) == (1, 200, None)
    assert weld["response"] == ("thanks " * 1000)[:1024]
    assert paint["sequence"] > weld["sequence"]
    assert [one["nextAttemptAt"] for one in (weld, paint)] == [None, None]
    assert len(await hooks.deliveries(webhook, first=1)) == 1


async def test_every_call_is_accounted_for_also_one_that_failed(hooks: Hooks):
    await hooks.register()
    hooks.receiver.says(500)
    await hooks.tasks("Weld")
    await hooks.settle()
    hooks.receiver.answer = None
    await hooks.later(minutes=1)
    assert len(hooks.receiver.taken()) == 2
    found = await used(hooks.stage)
    assert found[WEBHOOKS]["webhook_calls"] == 2
    assert WEBHOOKS not in await used(hooks.stage, "globex")


async def test_another_tenant_s_webhook_hears_nothing(hooks: Hooks):
    await hooks.register(TITLES)
    await a_task(hooks.stage.world.as_("globex", Role.MANAGER))
    await hooks.settle()
    assert hooks.receiver.taken() == []
