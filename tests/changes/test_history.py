"""The log as an audit log: whatever is asked, each change that answers is shown once, the latest first."""

import itertools
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from random import Random

import pytest

from graphql_api.changes.change import Change, ChangeAction
from graphql_api.changes.history import MAX_EXAMINED, Wanted
from graphql_api.changes.log import LogEntry
from graphql_api.features.tasks.task import Task
from tests.changes.ledger import Ledger, filled
from tests.changes.records import SEEN, a_task, some_changes, told

CREATED, UPDATED, DELETED = ChangeAction
PEOPLE = ("ada", "bob", "eve")


async def nothing_happens() -> None:
    return


async def sequences(
    ledger: Ledger,
    wanted: Wanted,
    limit: int,
    in_between: Callable[[], Awaitable[object]] = nothing_happens,
) -> list[int]:
    """What the pages show, one after the other, none longer than asked for."""
    found: list[int] = []
    position: str | None = None
    while True:
        page = await ledger.history.page(wanted, position, limit)
        assert len(page.rows) <= limit
        found += [row.entry.sequence for row in page.rows]
        if page.resume is None:
            return found
        assert page.resume != position
        position = page.resume
        await in_between()


def latest_first(entries: list[LogEntry], wanted: Wanted) -> list[int]:
    return [entry.sequence for entry in reversed(entries) if wanted.includes(entry)]


async def some_history(ledger: Ledger) -> list[LogEntry]:
    """A minute between batches of up to five changes; 64 changes, of five tasks, by three people."""
    changes = some_changes(60, by=PEOPLE)
    changes += [told(a_task(uid), None) for uid in "abc"] + [told(None, a_task("a"))]
    random = Random(3)  # noqa: S311 - a seeded test, no secret
    batches: list[list[Change]] = []
    rest = iter(changes)
    while batch := list(itertools.islice(rest, random.randint(1, 5))):
        batches.append(batch)
    return await filled(ledger, batches, minutes=1)


def minute(number: float) -> datetime:
    return SEEN + timedelta(minutes=number)


WANTED = {
    "everything": Wanted(),
    "one task": Wanted(entity=("TASK", "a")),
    "no such task": Wanted(entity=("TASK", "nobody")),
    "the uid of another kind": Wanted(entity=("PROJECT", "a")),
    "one person": Wanted(actor_uid="bob"),
    "nobody": Wanted(actor_uid="joe"),
    "one action": Wanted(actions=frozenset({CREATED})),
    "two actions": Wanted(actions=frozenset({CREATED, DELETED})),
    "since": Wanted(since=minute(7)),
    "until": Wanted(until=minute(7)),
    "between": Wanted(since=minute(3), until=minute(11)),
    "a moment": Wanted(since=minute(5), until=minute(5) + timedelta(microseconds=1)),
    "no time": Wanted(since=minute(5), until=minute(5)),
    "between two batches": Wanted(since=minute(5.2), until=minute(5.8)),
    "before it began": Wanted(until=SEEN),
    "after it ended": Wanted(since=minute(1000)),
    "one task by one person": Wanted(entity=("TASK", "b"), actor_uid="ada"),
    "one task since": Wanted(entity=("TASK", "b"), since=minute(4), until=minute(15)),
    "deletions of one task": Wanted(entity=("TASK", "c"), actions=frozenset({DELETED})),
    "one person since": Wanted(actor_uid="eve", since=minute(4), until=minute(15)),
    "one person's creations": Wanted(actor_uid="ada", actions=frozenset({CREATED})),
    "all at once": Wanted(
        entity=("TASK", "a"),
        actor_uid="ada",
        actions=frozenset({CREATED, UPDATED}),
        since=minute(1),
        until=minute(18),
    ),
}


async def test_each_change_that_answers_is_shown_once_the_latest_first(ledger: Ledger) -> None:
    entries = await some_history(ledger)
    expected = {name: latest_first(entries, wanted) for name, wanted in WANTED.items()}

    assert len(entries) == len(expected["everything"]) == 64
    assert {name for name, found in expected.items() if not found} == {
        *("no such task", "the uid of another kind", "nobody", "no time", "between two batches"),
        *("before it began", "after it ended"),
    }
    for name, wanted in WANTED.items():
        for limit in (1, 3, 10, 100):
            assert await sequences(ledger, wanted, limit) == expected[name], (name, limit)


@pytest.mark.parametrize("name", ["everything", "one task", "one person", "one action", "since"])
async def test_pages_join_while_the_log_grows(ledger: Ledger, name: str) -> None:
    entries, more = await some_history(ledger), iter(some_changes(200, uids="ab", by=PEOPLE))

    async def grow() -> None:
        # At the very moment of the last batch too: the clock moves only now and then.
        await ledger.log.append([next(more), next(more)])
        ledger.forward(seconds=1 if len(await ledger.log.after(60)) % 3 else 0)

    shown = await sequences(ledger, WANTED[name], 4, grow)
    assert shown == latest_first(entries, WANTED[name])
    assert (await ledger.log.head()).sequence > len(entries)


async def test_changes_of_one_moment_in_several_segments_are_all_shown(ledger: Ledger) -> None:
    changes = some_changes(40, by=PEOPLE)
    for start in range(0, 40, 2):
        await ledger.log.append(changes[start : start + 2])
    entries = await ledger.everything()

    assert len({entry.logged_at for entry in entries}) == 1
    for wanted in (Wanted(), Wanted(actor_uid="bob"), Wanted(entity=("TASK", "a"))):
        for limit in (1, 3, 100):
            assert await sequences(ledger, wanted, limit) == latest_first(entries, wanted)


async def test_a_page_looks_at_so_many_rows_and_no_more(ledger: Ledger) -> None:
    entries = await filled(ledger, [some_changes(MAX_EXAMINED + 60)])
    wanted = Wanted(actions=frozenset({CREATED}))
    first = await ledger.history.page(wanted, None, 10)
    rest = await ledger.history.page(wanted, first.resume, 10)

    assert (first.rows, first.resume is None) == ([], False)
    assert [row.entry.sequence for row in rest.rows] == latest_first(entries, wanted) == [5, 4, 3, 2, 1]
    assert rest.resume is None


async def test_no_action_at_all_is_answered_without_a_look(ledger: Ledger) -> None:
    await filled(ledger, [some_changes(3)])
    ledger.world.guard.forget_calls()

    assert await sequences(ledger, Wanted(actions=frozenset()), 10) == []
    assert ledger.operations == {}


async def test_a_change_is_found_as_soon_as_it_is_logged_by_what_it_changed(ledger: Ledger) -> None:
    for number, change in enumerate(some_changes(12, uids="a"), 1):
        await ledger.log.append([change])
        page = await ledger.history.page(Wanted(entity=("TASK", "a")), None, 1)
        assert [row.entry.sequence for row in page.rows] == [number]


async def test_the_latest_change_of_each_is_a_query_for_each_and_one_batch(ledger: Ledger) -> None:
    entries = await some_history(ledger)
    ledger.world.guard.forget_calls()
    found = await ledger.history.latest([("TASK", uid) for uid in "abcdex"])

    assert ledger.operations == {"Query": 6, "BatchGetItem": 1}
    last = {entry.change.uid: entry for entry in entries}
    assert found == [last.get(uid) for uid in "abcdex"]
    assert isinstance(last["d"].change.entity, Task)


def test_what_a_cursor_is_good_for_is_the_same_in_every_process() -> None:
    told_by = "from graphql_api.changes.history import Wanted; print(Wanted(actor_uid='ada').scope())"
    scopes = {
        subprocess.run(
            [sys.executable, "-c", told_by],
            env={**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in range(4)
    }

    assert len(scopes) == 1
    assert len({wanted.scope() for wanted in WANTED.values()}) == len(WANTED)
