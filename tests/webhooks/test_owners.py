"""What its owner can do to a webhook: rotate its secret, replay, move it, take it away."""

import pytest

from tests.features.builders import a_project
from tests.webhooks.stage import TITLES, Hooks
from tests.webhooks.verifying import UnverifiedError, verify


async def test_both_secrets_sign_during_a_rotation_and_the_old_one_for_a_day(hooks: Hooks):
    webhook, old = await hooks.register()
    rotated = (
        await hooks.admin.mutate("rotateWebhookSecret", "secret webhook { secretChangedAt }", id=webhook)
    )["secret"]
    assert rotated != old
    await hooks.tasks("Weld")
    await hooks.settle()
    (received,) = hooks.receiver.taken()
    for secret in (old, rotated):
        verify(secret, received.headers, received.body, hooks.clock().timestamp())
    assert received.headers["webhook-signature"].count("v1,") == 2
    hooks.clock.forward(hours=24, seconds=1)
    await hooks.tasks("Paint")
    await hooks.settle()
    (received,) = hooks.receiver.taken()
    verify(rotated, received.headers, received.body, hooks.clock().timestamp())
    with pytest.raises(UnverifiedError):
        verify(old, received.headers, received.body, hooks.clock().timestamp())


async def test_a_replay_sends_again_what_is_behind_the_cursor(hooks: Hooks):
    webhook, _ = await hooks.register()
    project = await a_project(hooks.manager)
    await hooks.tasks("a", "b", "c", project=project)
    await hooks.settle()
    first, *others = hooks.receiver.taken()
    await hooks.change("replayWebhook", id=webhook, after=first.event["cursor"])
    again = hooks.receiver.taken()
    assert [one.id for one in again] == [one.id for one in others]
    assert [one.body for one in again] == [one.body for one in others]


async def test_a_replay_from_a_strange_cursor_is_refused(hooks: Hooks):
    webhook, _ = await hooks.register()
    answer = await hooks.admin.execute(
        "mutation ($input: ReplayWebhookInput!) { replayWebhook(input: $input) { __typename } }",
        input={"id": webhook, "after": "nonsense"},
    )
    assert answer.data == {"replayWebhook": {"__typename": "InvalidInputError"}}


async def test_a_replay_while_it_is_failing_begins_at_once(hooks: Hooks):
    webhook, _ = await hooks.register()
    project = await a_project(hooks.manager)
    await hooks.tasks("a", project=project)
    await hooks.settle()
    (first,) = hooks.receiver.taken()
    hooks.receiver.says(500)
    await hooks.tasks("b", "c", project=project)
    await hooks.settle()
    hooks.receiver.taken()
    hooks.receiver.answer = None
    await hooks.change("replayWebhook", id=webhook, after=first.event["cursor"])
    assert hooks.titles() == ["b", "c"]


async def test_another_subscription_is_listened_to_from_then_on(hooks: Hooks):
    webhook, _ = await hooks.register()
    other = "subscription { projectChanged { project { name } } }"
    await hooks.change("updateWebhook", id=webhook, query=other)
    await a_project(hooks.manager, "Gripper")
    await hooks.tasks("Weld", project=await a_project(hooks.manager, "Frame"))
    await hooks.settle()
    names = [one.event["project"]["name"] for one in hooks.receiver.taken()]
    assert names == ["Gripper", "Frame"]
    await hooks.change("updateWebhook", id=webhook, query=TITLES)
    await hooks.tasks("Paint")
    await hooks.settle()
    assert hooks.titles() == ["Paint"]


async def test_a_webhook_that_was_deleted_is_sent_nothing_and_leaves_nothing(hooks: Hooks):
    webhook, _ = await hooks.register()
    await hooks.tasks("a")
    await hooks.settle()
    hooks.receiver.taken()
    await hooks.admin.mutate("deleteWebhook", "webhook { id }", id=webhook)
    await hooks.tasks("b")
    await hooks.settle()
    await hooks.look()
    assert (hooks.receiver.taken(), hooks.mailbox.messages) == ([], [])
    kept = [item["pk"]["S"] for item in await hooks.stage.items() if "HISTORY" not in item["pk"]["S"]]
    assert [key for key in kept if "WEBHOOK" in key and not key.endswith("#DELIVERIES")] == []


async def test_a_place_that_the_log_has_forgotten_is_told(hooks: Hooks):
    webhook, _ = await hooks.register()
    await hooks.change("pauseWebhook", id=webhook)
    project = await a_project(hooks.manager)
    await hooks.tasks("a", "b", project=project)
    await hooks.settle()
    segments = [one for one in await hooks.stage.items() if one["pk"]["S"].endswith("LOG#SEGMENTS")]
    await hooks.stage.take_away(*segments)
    await hooks.tasks("c", project=project)
    await hooks.settle()
    await hooks.change("resumeWebhook", id=webhook)
    assert hooks.titles() == ["c"]
    _, gap = await hooks.deliveries(webhook)
    assert "not in the log any more" in gap["problem"]
    assert (gap["changeId"], gap["status"]) == (None, None)


async def test_the_log_holds_no_secret(hooks: Hooks):
    webhook, secret = await hooks.register()
    rotated = await hooks.admin.mutate("rotateWebhookSecret", "secret", id=webhook)
    await hooks.settle()
    held = str(await hooks.stage.items())
    assert "secret_changed_at" in held
    assert secret not in held
    assert rotated["secret"] not in held
