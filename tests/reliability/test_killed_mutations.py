"""A mutation that dies at one of its calls has had its effect once or not at all; repeated, it completes."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest

from tests.reliability.network import Accident, Network, Request, slow
from tests.reliability.scene import MUTATIONS, Mutation, Scene, set_scene
from tests.reliability.seeds import chance, naming, seeds
from tests.world import Answer, World

READS = {"BatchGetItem", "Query"}
# A workflow is changed in several steps of which only the last knows its key: not while another one is at it.
REPEATABLE = [field for field in MUTATIONS if field != "updateWorkflow"]


def succeeded(answer: Answer) -> bool:
    return not answer.errors and answer.data["result"]["__typename"].endswith("Payload")


def kills(victim: "asyncio.Task[Any]", *, after: bool) -> Accident:
    """The process ends before DynamoDB hears of the call, or after it has done it."""

    async def accident(network: Network, request: Request) -> Any:
        if after:
            await network.deliver(request)
        victim.cancel()
        await asyncio.sleep(3600)

    return accident


async def send_and_kill(
    mutation: Mutation, scene: Scene, network: Network, at: int, *, after: bool
) -> Answer | None:
    """The answer, if it came before the call it was to die at."""
    running, network.attempts = asyncio.create_task(mutation.send(scene, "key")), []
    deadly = kills(running, after=after)
    network.accident = lambda attempt: deadly if attempt.number == at else None
    with suppress(asyncio.CancelledError):
        return await running
    network.script()
    return None


@dataclass(frozen=True, slots=True)
class Course:
    """How a mutation goes when nothing happens to it."""

    before: dict[str, Any]
    operations: list[str]
    once: dict[str, Any]

    @property
    def deaths(self) -> Iterator[tuple[int, bool]]:
        """At which call, and whether DynamoDB has heard of it, which makes no difference for a read."""
        for at, operation in enumerate(self.operations, 1):
            yield from ((at, after) for after in ({True} if operation in READS else (False, True)))


async def undisturbed(mutation: Mutation, world: World, network: Network) -> Course:
    scene = await set_scene(world)
    before = await scene.holds()
    network.attempts.clear()
    assert succeeded(await mutation.send(scene, "key"))
    operations = network.operations
    return Course(before, operations, await scene.holds())


@pytest.mark.parametrize("mutation", MUTATIONS.values(), ids=MUTATIONS)
async def test_wherever_a_mutation_dies_its_effect_is_all_or_nothing_and_its_repetition_completes_it(
    world: World, network: Network, mutation: Mutation
):
    course = await undisturbed(mutation, world, network)
    assert course.once != course.before
    assert "TransactWriteItems" in course.operations[1:]
    for at, after in course.deaths:
        scene, tasks = await set_scene(world), asyncio.all_tasks()
        # Who calls is known, so that every call from here on is the mutation's own.
        await scene.caller().data("{ __typename }")
        with naming((mutation.field, at, after)):
            assert await send_and_kill(mutation, scene, network, at, after=after) is None
            assert asyncio.all_tasks() == tasks
            if mutation.is_atomic:
                assert await scene.holds() in (course.before, course.once)
            for _ in range(2):
                assert succeeded(await mutation.send(scene, "key"))
            assert await scene.holds() == course.once


def outcome(answer: Answer) -> str:
    if answer.errors:
        return answer.codes[0]
    return answer.data["result"].get("code", "SUCCESS")


async def race(mutation: Mutation, scene: Scene, network: Network, dice: Random) -> list[str]:
    """How the same request fares, sent several times at once, some of which are given up at any moment."""
    await scene.caller().data("{ __typename }")
    network.accident = lambda _: slow(dice.uniform(0, 0.05), dice.uniform(0, 0.05))
    racers = [asyncio.create_task(mutation.send(scene, "key")) for _ in range(dice.randint(2, 3))]
    for racer in racers:
        if dice.random() < 0.5:
            asyncio.get_running_loop().call_later(dice.uniform(0, 0.4), racer.cancel)
    answers = await asyncio.gather(*racers, return_exceptions=True)
    network.script()
    return [outcome(answer) if isinstance(answer, Answer) else type(answer).__name__ for answer in answers]


async def test_the_same_request_many_times_at_once_has_one_effect(world: World, network: Network):
    courses: dict[str, Course] = {}
    for seed in seeds(share=0.5):
        dice = chance(seed)
        field = dice.choice(REPEATABLE)
        mutation = MUTATIONS[field]
        if field not in courses:
            courses[field] = await undisturbed(mutation, world, network)
        scene, tasks = await set_scene(world), asyncio.all_tasks()
        with naming((seed, field)):
            outcomes = await race(mutation, scene, network, dice)
            assert set(outcomes) <= {"SUCCESS", "CancelledError", "CONFLICT", "NOT_FOUND"}
            assert {"SUCCESS", "CancelledError"} & set(outcomes)
            assert asyncio.all_tasks() == tasks
            assert succeeded(await mutation.send(scene, "key"))
            assert await scene.holds() == courses[field].once
