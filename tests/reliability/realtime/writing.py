"""Those who write: members at their tasks, whoever governs access, and whoever writes past the API."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random
from typing import Any

from graphql_api.errors import ApiError
from graphql_api.features.tasks.task import Task
from graphql_api.features.users import User, UserStatus
from graphql_api.store.idempotency import UNMARKED
from graphql_api.store.keys import entity_key, tenant_family
from graphql_api.store.repository import Repository
from graphql_api.store.table import StoreBusyError
from graphql_api.store.writes import key_attributes
from tests.reliability.realtime.installation import PROJECTS, Process
from tests.reliability.realtime.memory import DATA, MemoryDatabase
from tests.reliability.realtime.weather import Plan

STATES = ("todo", "doing", "done")


class Writing:
    """Everything that is written in a schedule. `poison` are the uids of what nobody can read."""

    def __init__(
        self,
        dice: Random,
        plan: Plan,
        database: MemoryDatabase,
        numbers: Iterator[int],
        process: Callable[[], Process],
    ) -> None:
        self.dice = dice
        self.plan = plan
        self.database = database
        self.poison: list[str] = []
        self._numbers = numbers
        self._process = process
        self._uids: dict[str, list[str]] = {}

    async def writer(self, tenant: str) -> None:
        """Somebody who makes, changes, moves, gives away, deletes and restores tasks."""
        for _ in range(self.plan.writes):
            await asyncio.sleep(self.dice.expovariate(1 / self.plan.pace))
            try:
                await self.write(tenant)
            except ApiError:
                continue

    async def write(self, tenant: str) -> None:
        """One write of one task."""
        repository = self._process().repository(tenant, "writer", f"request-{next(self._numbers)}")
        uids = self._uids.setdefault(tenant, [])
        if not uids or self.dice.random() < 0.35:
            await self.create(repository, tenant)
            return
        task = await repository.fresh().find(Task, self.dice.choice(uids))
        if task is not None and self.dice.random() < 0.15:
            commented = replace(
                task, comment_count=task.comment_count + 1, comments_version=task.comments_version + 1
            )
            change = repository.change(task, commented, "comments_version")
            await repository.commit(change, leaves=[])
        elif task is not None:
            changes = self._changes(tenant, task)
            await repository.update(
                task, lambda now: replace(now, **changes), expected_version=None, mark=UNMARKED
            )

    async def create(self, repository: Repository, tenant: str) -> Task:
        """A new task."""
        number = next(self._numbers)
        task = repository.new(
            Task,
            project_uid=self.dice.choice(PROJECTS),
            title=f"{tenant} {number}",
            status=STATES[0],
            position=str(number),
            assignee_uid=self.dice.choice((None, "cleo")),
        )
        self._uids.setdefault(tenant, []).append(task.uid)
        await repository.commit(repository.put(task), leaves=[task])
        return task

    def _changes(self, tenant: str, task: Task) -> dict[str, Any]:
        number = next(self._numbers)
        return self.dice.choice(
            (
                {"title": f"{tenant} {number}"},
                {"title": f"{tenant} {number}"},
                {"status": self.dice.choice(STATES), "position": str(number)},
                {"assignee_uid": None if task.assignee_uid else "cleo"},
                {"project_uid": self.dice.choice(PROJECTS)},
                {"deleted_at": None if task.deleted_at else task.updated_at},
            )
        )

    async def govern(self) -> None:
        """Whoever suspends people and lets them in again; and whoever writes nonsense past the API."""
        if self.plan.poison:
            await asyncio.sleep(self.dice.uniform(2, 20))
            self.put_poison("acme")
        if self.plan.suspensions:
            await asyncio.sleep(self.dice.uniform(2, 15))
            await self._set_status(UserStatus.SUSPENDED)
            await asyncio.sleep(self.dice.uniform(1, 15))
            await self._set_status(UserStatus.ACTIVE)

    def put_poison(self, tenant: str) -> None:
        """An item that is no task, where a task should be."""
        uid = f"poison-{next(self._numbers)}"
        key = entity_key(tenant_family(tenant), Task.kind, uid)
        self.poison.append(uid)
        self.database.apply(DATA, {key: key_attributes(key) | {"title": {"S": "nonsense"}}})

    async def _set_status(self, status: UserStatus) -> None:
        while True:
            repository = self._process().repository("acme", "writer", "governor")
            try:
                user = await repository.fresh().get(User, "bob")
                await repository.update(
                    user, lambda now: replace(now, status=status), expected_version=None, mark=UNMARKED
                )
            except StoreBusyError:
                continue
            return
