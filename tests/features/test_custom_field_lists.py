"""The lists of tasks by value: exactly what the tasks say, whatever was written in whatever order."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from graphql_api.auth.identity import Role
from graphql_api.features.tasks.task import Task
from graphql_api.store.schema import EXPIRY, SLOTS
from tests.features.builders import (
    a_project,
    a_task,
    before,
    before_each,
    done,
    every,
    outcome,
    refusal,
    stored,
    world_at,
)
from tests.features.fields import FIELDS, SELECTED, a_field, selected
from tests.world import World

pytestmark = pytest.mark.identity(tenant="acme", role="ADMIN")

SLOT_ATTRIBUTES = frozenset(index.value.partition for index in SLOTS)
MEANINGS: dict[str, tuple[str, list[Any]]] = {
    "severity": ("choice", ["low", "high"]),
    "customer": ("text", ["Hub", "hub"]),
    "effort": ("number", ["1.5", "-2"]),
    "billed": ("boolean", [True, False]),
    "seen": ("date", ["2030-05-17", "0001-01-01"]),
}
STEPS = 40


class Book:
    """A tenant's tasks as they should be: title and values of each, None for one that is deleted."""

    def __init__(self, world: World, project: str, chance: random.Random) -> None:
        self.world = world
        self.project = project
        self.chance = chance
        self.says: dict[str, dict[str, Any]] = {}
        self.deleted: set[str] = set()

    def drawn(self) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Values for some fields, None for those to clear, and the same as input."""
        keys = self.chance.sample(sorted(MEANINGS), self.chance.randint(1, 3))
        values = {key: self.chance.choice([*MEANINGS[key][1], None]) for key in keys}
        return values, [{"key": key, MEANINGS[key][0]: value} for key, value in values.items()]

    async def step(self) -> None:
        """Something happens to a task, or a task is made."""
        values, given = self.drawn()
        there, gone = sorted(set(self.says) - self.deleted), sorted(self.deleted)
        act = self.chance.choice(["create", "change", "change", "retitle", "complete", "delete", "restore"])
        if act == "restore" and gone:
            task = self.chance.choice(gone)
            await done(self.world, "restoreTask", "task { id }", id=task)
            self.deleted.remove(task)
        elif act == "create" or not there:
            task = await a_task(self.world, self.project, customFields=given)
            self.says[task] = values
        else:
            await self.touch(act, self.chance.choice(there), values, given)

    async def touch(self, act: str, task: str, values: dict[str, Any], given: list[Any]) -> None:
        if act == "delete":
            await done(self.world, "deleteTask", "task { id }", id=task)
            self.deleted.add(task)
        elif act == "complete":
            state = self.chance.choice(["todo", "in_progress"])
            await outcome(self.world, "moveTask", "task { id }", id=task, to=state)
        elif act == "change":
            await done(
                self.world, "updateTask", "task { id }", id=task, customFields=given, dueOn="2030-01-01"
            )
            self.says[task] |= values
        else:
            title = str(self.chance.random())
            await done(self.world, "updateTask", "task { id }", id=task, title=title, dueOn=None)

    async def check(self) -> None:
        """Every list holds the tasks that say so and no other, and no item stands anywhere else."""
        for key, (member, choices) in MEANINGS.items():
            for value in choices:
                found = await every(
                    self.world, SELECTED, 2, filter={"customField": {"key": key, member: value}}
                )
                expected = {task for task, says in self.says.items() if says.get(key) == value} - self.deleted
                assert sorted(task["id"] for task in found) == sorted(expected), (key, value)
        for task, says in self.says.items():
            item = await stored(self.world, Task, task)
            standing = SLOT_ATTRIBUTES & item.keys()
            held = sum(value is not None for value in says.values())
            assert len(standing) == (0 if task in self.deleted else held)
            assert (EXPIRY in item) == (task in self.deleted)


@pytest.fixture
async def clocked(engine_endpoint: str) -> AsyncIterator[Any]:
    async with world_at(engine_endpoint) as opened:
        yield opened


async def all_fields(world: World) -> None:
    for key, (member, _) in MEANINGS.items():
        await a_field(world, key, member.upper(), filterable=True)


@pytest.mark.parametrize("seed", range(4))
async def test_any_sequence_of_writes_leaves_exactly_the_lists_that_the_tasks_imply(world: World, seed: int):
    await all_fields(world)
    chance = random.Random(seed)  # noqa: S311 - a schedule, not a secret
    book = Book(world, await a_project(world), chance)
    for _ in range(STEPS):
        await book.step()
    await book.check()


async def test_writers_of_one_task_at_once_leave_every_value_in_its_list(world: World):
    await all_fields(world)
    task = await a_task(world)
    await asyncio.gather(
        *(
            done(world, "updateTask", "task { id }", id=task, customFields=[{"key": key, member: choices[0]}])
            for key, (member, choices) in MEANINGS.items()
        )
    )
    for key, (member, choices) in MEANINGS.items():
        assert await selected(world, key=key, **{member: choices[0]}) == ["Weld"]


async def test_a_deleted_task_leaves_and_comes_back_while_it_can_be_restored(clocked: Any):
    world, clock = clocked
    await a_field(world, "customer", filterable=True)
    task = await a_task(world, customFields=[{"key": "customer", "text": "Hub"}])
    await done(world, "deleteTask", "task { id }", id=task)
    assert await selected(world, key="customer", text="Hub") == []
    clock.now += timedelta(days=29)
    await done(world, "restoreTask", "task { id }", id=task)
    assert await selected(world, key="customer", text="Hub") == ["Weld"]


async def test_the_first_fields_of_a_tenant_can_be_defined_at_once(world: World):
    await asyncio.gather(*(a_field(world, f"f{number}", filterable=True) for number in range(5)))
    defined = (await world.data(f"{{ {FIELDS} }}"))["customFields"]["fields"]
    assert sorted(field["key"] for field in defined) == [f"f{number}" for number in range(5)]
    for number in range(5):
        await a_task(world, title=str(number), customFields=[{"key": f"f{number}", "text": "x"}])
    for number in range(5):
        assert await selected(world, key=f"f{number}", text="x") == [str(number)]


async def test_who_knows_a_slot_s_former_field_does_not_take_it_from_its_present_one(world: World):
    for number in range(5):
        await a_field(world, f"f{number}", filterable=True)
    task = await a_task(world)
    names = itertools.count()

    async def others_are_faster() -> None:
        if next(names):
            return
        await done(world, "updateCustomField", FIELDS, key="f0", archived=True)
        await a_field(world, "new", filterable=True)
        await done(world, "updateTask", "task { id }", id=task, customFields=[{"key": "new", "text": "new"}])

    late = {"id": task, "customFields": [{"key": "f0", "text": "late"}]}
    with before(world, "UpdateItem", 0, others_are_faster):
        assert await refusal(world, "updateTask", **late) == "CONFLICT"
    assert await selected(world, key="new", text="new") == ["Weld"]


async def test_values_of_a_field_cost_no_call_more_than_the_task_itself(world: World):
    await all_fields(world)
    project = await a_project(world)
    given = [{"key": key, member: choices[0]} for key, (member, choices) in MEANINGS.items()]
    operations: list[str] = []
    with before_each(world, "*", lambda model, **_: operations.append(model.name)):
        task = await a_task(world, project, customFields=given)
        await done(world, "updateTask", "task { id }", id=task, customFields=given[:2], title="x")
        await done(world, "deleteTask", "task { id }", id=task)
        await done(world, "restoreTask", "task { id }", id=task)
        await selected(world, key="customer", text="Hub")
        await world.data("query ($id: ID!) { task(id: $id) { customFields { key } } }", id=task)
    assert not {"custom_fields", "slots"} & (await stored(world, Task, await a_task(world, project))).keys()
    created, changed = ["BatchGetItem", "PutItem"], ["BatchGetItem", "UpdateItem"]
    listed, shown = ["BatchGetItem", "Query"], ["BatchGetItem"] * 2
    assert operations == [*created, *changed * 3, *listed, *shown]


async def test_another_tenant_s_lists_are_elsewhere(world: World):
    globex = world.as_("globex", Role.ADMIN)
    for tenant in (world, globex):
        await all_fields(tenant)
    mine = await a_task(world, title="mine", customFields=[{"key": "billed", "boolean": True}])
    theirs = await a_task(globex, title="theirs", customFields=[{"key": "billed", "boolean": True}])
    assert await selected(world, key="billed", boolean=True) == ["mine"]
    items = [await stored(world, Task, mine), await stored(globex, Task, theirs, "globex")]
    prefixes = [item[name]["S"][:9] for item in items for name in SLOT_ATTRIBUTES & item.keys()]
    assert prefixes == ["T#acme#FI", "T#globex#"]
