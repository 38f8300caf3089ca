"""One turn at a time: what becomes of a webhook whose turn died, or lost what it was told."""

from typing import Any

import pytest

from graphql_api.webhooks.turn import Turn
from tests.features.builders import a_project
from tests.webhooks.stage import Hooks


class KilledError(BaseException):
    """The function's process is gone."""


@pytest.fixture
def kill(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The next turns die when a call has ended, before it is written down."""

    async def ended(*_: object) -> None:
        raise KilledError

    def switch(*, on: bool) -> None:
        if on:
            monkeypatch.setattr(Turn, "_ended", ended)
        else:
            monkeypatch.undo()

    return switch


async def killed_turn(hooks: Hooks, kill: Any) -> None:
    """A turn dies holding the webhook, after the receiver has taken a change."""
    await hooks.register()
    await hooks.tasks("a", project=await a_project(hooks.manager))
    await hooks.stage.pump()
    kill(on=True)
    with pytest.raises(KilledError):
        await hooks.mailbox.deliver(hooks.function.handle)
    kill(on=False)
    assert hooks.titles() == ["a"]


async def test_its_own_message_coming_again_goes_on(hooks: Hooks, kill: Any):
    await killed_turn(hooks, kill)
    await hooks.tasks("b")
    await hooks.settle()
    assert hooks.receiver.taken() == []
    hooks.clock.forward(seconds=121)
    await hooks.settle()
    assert hooks.titles() == ["a", "b"]


async def test_where_its_message_is_lost_the_second_look_goes_on(hooks: Hooks, kill: Any):
    await killed_turn(hooks, kill)
    hooks.mailbox.messages.clear()
    await hooks.look()
    await hooks.settle()
    assert hooks.receiver.taken() == []
    await hooks.look()
    await hooks.settle()
    assert hooks.titles() == ["a"]


async def test_a_message_that_comes_twice_has_one_effect(hooks: Hooks):
    await hooks.register()
    await hooks.tasks("a")
    await hooks.stage.pump()
    twice = list(hooks.mailbox.messages)
    await hooks.mailbox.hand_on(twice, hooks.function.handle)
    await hooks.mailbox.hand_on(twice, hooks.function.handle)
    await hooks.settle()
    assert hooks.titles() == ["a"]


async def test_a_long_turn_is_handed_on(hooks: Hooks, monkeypatch: pytest.MonkeyPatch):
    await hooks.register()
    project = await a_project(hooks.manager)
    await hooks.tasks(*"abc", project=project)
    await hooks.stage.pump()
    messages = list(hooks.mailbox.messages)
    monkeypatch.setattr("graphql_api.webhooks.turn.TURN_SECONDS", 0.0)
    await hooks.mailbox.hand_on(messages, hooks.function.handle)
    assert hooks.receiver.taken() == []
    monkeypatch.undo()
    await hooks.settle()
    assert hooks.titles() == [*"abc"]
