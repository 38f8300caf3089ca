"""What the stream lost is found in the data, and logged as if it had been told."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from graphql_api.auth.identity import Role
from graphql_api.changes.change import Change, ChangeAction
from graphql_api.changes.history import History, Wanted
from graphql_api.changes.log import LogEntry
from graphql_api.changes.reconcile import Finding, Reconciler
from graphql_api.deadline import Deadline
from graphql_api.features.tasks.task import Task
from graphql_api.local.log_commands import TenantLog
from graphql_api.relay import parse_global_id
from graphql_api.store.entity import key_of
from graphql_api.store.keys import tenant_family
from graphql_api.store.table import Table
from graphql_api.store.writes import ANYTHING, Put
from tests.changes.records import ACME
from tests.features.builders import a_comment, a_project, a_task, an_api_key, done
from tests.realtime.stage import Stage
from tests.world import World, user_uid

CREATED, UPDATED, DELETED = ChangeAction
TASKS = "subscription ($after: String) { taskChanged(after: $after) { action cursor task { title } } }"


class Case:
    """Acme, its stream and its log."""

    def __init__(self, stage: Stage, slug: str = "acme") -> None:
        self.stage = stage
        self.acme: World = stage.world.as_(slug, Role.ADMIN)
        self.tenant = TenantLog(stage.world.services, tenant_family(slug))

    async def lose(self) -> int:
        """Nobody reads what the stream holds; how much it was."""
        return len(await self.stage.records())

    def reconciler(self, patience: float = 0, now: datetime | None = None) -> Reconciler:
        sources = self.tenant.sources
        return Reconciler(
            self.tenant.data,
            self.tenant.history,
            self.tenant.family,
            now=sources.now if now is None else lambda: now,
            retention=sources.log_retention,
            patience=timedelta(seconds=patience),
        )

    async def findings(self, **how: Any) -> list[Finding]:
        return [finding async for finding in self.reconciler(**how).findings(self.tenant.addresses())]

    async def missing(self) -> list[Change]:
        """What is missing, all of it readable."""
        found = [finding.change for finding in await self.findings()]
        assert None not in found
        return [change for change in found if change is not None]

    async def repair(self) -> list[LogEntry]:
        return await self.tenant.log.append(await self.missing())

    async def history(self, id: str) -> list[LogEntry]:
        """What is logged of an entity, the latest first."""
        parsed = parse_global_id(id)
        assert parsed is not None
        wanted = Wanted(entity=(parsed[0].upper(), parsed[1]))
        page = await self.tenant.history.page(wanted, None, 100)
        return [row.entry for row in page.rows]


@pytest.fixture
def case(stage: Stage) -> Case:
    return Case(stage)


def uid(id: str) -> str:
    parsed = parse_global_id(id)
    assert parsed is not None
    return parsed[1]


async def rewrite(case: Case, id: str, **attributes: Any) -> None:
    """Write a task past the API."""
    data = Table(case.tenant.sources.database, ACME, Deadline.after(5))
    key = key_of(ACME, Task, uid(id))
    item = (await data.batch_get([key], consistent=True))[key] | attributes
    kept = {name: value for name, value in item.items() if name not in ("pk", "sk")}
    await data.commit([Put(key, kept, lambda _: AssertionError(), ANYTHING)])


async def test_what_was_told_is_not_missing(case: Case) -> None:
    task = await a_task(case.acme)
    await a_comment(case.acme, task)
    await done(case.acme, "updateTask", "task { id }", id=task, title="Weld it")
    await case.stage.pump()

    assert await case.findings() == []


async def test_a_task_that_nobody_told_of_is_created(case: Case) -> None:
    project = await a_project(case.acme)
    await case.stage.pump()
    task = await a_task(case.stage.world.as_("acme", Role.MEMBER), project)
    assert await case.lose()
    (finding,) = await case.findings()

    change = finding.change
    assert change is not None
    assert (finding.address, finding.logged) == (("TASK", uid(task)), None)
    assert (change.kind, change.uid, change.action, change.version) == ("TASK", uid(task), CREATED, 1)
    assert set(change.topics.values()) == {CREATED}
    assert change.actor_uid == user_uid("acme", Role.MEMBER)
    assert change.at == change.entity.updated_at
    assert change.entity.title == "Weld"


async def test_several_writes_are_found_as_what_they_came_to(case: Case) -> None:
    task = await a_task(case.acme)
    await case.stage.pump()
    for title in ("one", "two", "three"):
        await done(case.acme, "updateTask", "task { id }", id=task, title=title)
    await case.lose()
    (finding,) = await case.findings()

    change = finding.change
    assert change is not None
    assert (finding.logged, change.version, change.action) == (1, 4, UPDATED)
    assert change.before is not None
    assert change.after is not None
    assert (change.before["title"], change.after["title"]) == ({"S": "Weld"}, {"S": "three"})


async def test_everything_that_stands_in_a_list_is_looked_at(case: Case) -> None:
    project = await a_project(case.acme)
    tasks = [await a_task(case.acme, project, f"Task {number}") for number in range(30)]
    await case.stage.pump()
    for task in tasks[:28]:
        await a_comment(case.acme, task)
    await done(case.acme, "updateProject", "project { id }", id=project, archived=True)
    await done(case.acme, "updateTenant", "tenant { id }", name="Acme Ltd")
    await done(case.acme, "inviteUser", "user { id }", email="zoe@acme.example", name="Zoe")
    await an_api_key(case.acme)
    await case.lose()

    kinds = [change.kind for change in await case.missing()]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "TENANT": 1,
        "USER": 1,
        "APIKEY": 1,
        "PROJECT": 1,
        "TASK": 28,  # their counts of comments
        "COMMENT": 28,
    }


async def test_a_workflow_is_looked_at(case: Case) -> None:
    states = [{"key": "todo", "name": "To do", "category": "TODO"}]
    replaced = [{"state": key, "by": "todo"} for key in ("in_progress", "in_review", "done")]
    await done(
        case.acme, "updateWorkflow", "workflow { id }", states=states, transitions=[], replacements=replaced
    )
    await case.lose()

    (change,) = await case.missing()
    assert (change.kind, change.action) == ("WORKFLOW", UPDATED)


async def test_what_is_repaired_is_logged_once_however_often(case: Case) -> None:
    task = await a_task(case.acme)
    await case.lose()
    missing = await case.missing()
    assert [change.id for change in missing] == [change.id for change in await case.missing()]
    before = await case.tenant.log.head()
    added = await asyncio.gather(*(case.repair() for _ in range(3)))

    assert sum(map(len, added)) == len(missing) == 2
    assert (await case.tenant.log.head()).sequence == before.sequence + 2
    assert await case.findings() == []
    (entry,) = await case.history(task)
    assert entry.change.id.startswith(f"reconciled-TASK-{uid(task)}-1-")


async def test_the_stream_goes_on_behind_what_was_repaired(case: Case) -> None:
    task = await a_task(case.acme)
    await case.stage.pump()
    for title in ("lost", "told", "lost again", "told again"):
        await done(case.acme, "updateTask", "task { id }", id=task, title=title)
        if title.startswith("told"):
            await case.stage.pump()
        else:
            await case.lose()
            await case.repair()

    history = await case.history(task)
    assert [entry.change.version for entry in history] == [5, 4, 3, 2, 1]
    assert [entry.change.id.startswith("reconciled") for entry in history] == [
        False,
        True,
        False,
        True,
        False,
    ]
    assert await case.findings() == []


async def test_who_resumes_hears_of_what_was_repaired(case: Case) -> None:
    await a_task(case.acme, title="seen")
    client = await case.stage.client("acme")
    await client.subscribe(TASKS)
    await case.stage.pump()
    (seen,) = (frame["payload"]["data"]["taskChanged"] for frame in client.taken())
    await client.disconnect()
    await a_task(case.acme, title="lost")
    await case.lose()
    await case.repair()

    again = await case.stage.client("acme")
    await again.subscribe(TASKS, after=seen["cursor"])
    told = [frame["payload"]["data"]["taskChanged"] for frame in again.taken()]
    assert [(change["action"], change["task"]["title"]) for change in told] == [("CREATED", "lost")]


async def test_writes_past_the_api_are_found_by_what_they_wrote(case: Case) -> None:
    task = await a_task(case.acme)
    await case.stage.pump()
    ids: set[str] = set()
    for title in ("by hand", "once more", "by hand"):
        await rewrite(case, task, title={"S": title})
        await case.lose()
        (entry,) = await case.repair()
        assert (entry.change.action, entry.change.version, entry.change.actor_uid) == (UPDATED, 1, None)
        ids.add(entry.change.id)

    assert len(ids) == 3
    assert await case.findings() == []
    titles = [entry.change.entity.title for entry in await case.history(task)]
    assert titles == ["by hand", "once more", "by hand", "Weld"]


async def test_an_item_that_is_no_entity_is_pointed_out_and_not_logged(case: Case) -> None:
    task, other = await a_task(case.acme), await a_task(case.acme)
    await case.stage.pump()
    await rewrite(case, task, priority={"S": "NONE"})
    await rewrite(case, other, colour={"B": b"\x00\xff"})
    await case.lose()
    found = {finding.address.uid: finding for finding in await case.findings()}

    assert found.keys() == {uid(task), uid(other)}
    assert (found[uid(task)].change, found[uid(task)].logged) == (None, 1)
    odd = found[uid(other)].change
    assert odd is not None
    await case.tenant.log.append([odd])
    assert [finding.address.uid for finding in await case.findings()] == [uid(task)]


async def test_what_is_only_late_is_not_missing(case: Case) -> None:
    for number in range(3):
        await a_task(case.acme, title=str(number))

    async def arrive() -> None:
        await asyncio.sleep(0.2)
        await case.stage.pump()

    found, _ = await asyncio.gather(case.findings(patience=1.5), arrive())
    assert found == []


async def test_what_changed_again_is_not_missing_while_the_log_follows(case: Case) -> None:
    task = await a_task(case.acme)

    async def go_on() -> None:
        await asyncio.sleep(0.2)
        await case.stage.pump()
        await done(case.acme, "updateTask", "task { id }", id=task, title="Weld it")

    found, _ = await asyncio.gather(case.findings(patience=1.5), go_on())
    assert found == []
    assert len(await case.findings()) == 1


async def test_a_task_too_large_for_the_log_is_known_by_its_version(case: Case) -> None:
    task = await a_task(case.acme)
    await case.stage.pump()
    await rewrite(case, task, description={"S": "x" * 350_000})
    await case.stage.pump()
    assert await case.findings() == []

    await done(case.acme, "updateTask", "task { id }", id=task, description="short")
    await case.lose()
    (change,) = await case.missing()
    assert (change.action, change.version, set(change.topics.values())) == (UPDATED, 2, {UPDATED})
    await case.repair()
    assert await case.findings() == []


async def test_what_is_deleted_stands_in_no_list_and_is_not_found(case: Case) -> None:
    task = await a_task(case.acme)
    await case.stage.pump()
    await done(case.acme, "deleteTask", "task { id }", id=task)
    await case.lose()
    assert await case.findings() == []

    await done(case.acme, "restoreTask", "task { id }", id=task)
    await case.lose()
    (change,) = await case.missing()
    assert (change.version, change.action) == (3, UPDATED)


async def test_what_is_older_than_the_log_is_kept_is_not_missing(case: Case) -> None:
    await a_task(case.acme)
    await case.lose()
    sources = case.tenant.sources
    last_day = sources.now() + sources.log_retention

    assert len(await case.findings(now=last_day - timedelta(minutes=5))) == 2
    assert await case.findings(now=last_day + timedelta(minutes=5)) == []


async def test_another_tenants_things_are_not_looked_at(case: Case) -> None:
    await a_task(case.stage.world.as_("globex", Role.ADMIN))
    await case.lose()

    assert await case.findings() == []
    assert len(await Case(case.stage, "globex").missing()) == 2


async def test_a_page_of_tasks_costs_a_query_for_each_and_two_batches(case: Case) -> None:
    project = await a_project(case.acme)
    for number in range(12):
        await a_task(case.acme, project, str(number))
    await case.stage.pump()
    history = History(case.tenant.sources.control(ACME, Deadline.after(5)), ACME)
    case.stage.world.guard.forget_calls()
    assert await case.findings() == []

    # 2 single ones, 4 people, a project and 12 tasks in one page; 3 lists, 4 shards and the tasks' comments.
    lists = 3 + 4 + 12
    assert dict(case.stage.world.guard.operations) == {"Query": 19 + lists, "BatchGetItem": 2}
    assert len(await history.latest([])) == 0
