import dataclasses
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import Enum

import pytest
from strawberry import Some

from graphql_api.errors import IdempotencyMismatchError
from graphql_api.store.idempotency import REMEMBERED_FOR, UNMARKED, AlreadyDoneError, Mark, mark
from graphql_api.store.keys import tenant_family
from tests.reliability.network import Network, lost_answer
from tests.store.notes import ACME, Note, NoteStore

NOW = datetime(2026, 11, 20, 12, 0, 0, 400_000, tzinfo=UTC)


class Priority(Enum):
    LOW = "LOW"
    HIGH = "HIGH"


@dataclass
class Row:
    title: str


@dataclass
class Payload:
    title: str = "a"
    due_on: date | None = None
    note: Some[str | None] | None = None
    priority: Priority = Priority.LOW
    rows: list[Row] = field(default_factory=list[Row])


@dataclass
class PayloadOfTomorrow(Payload):
    colour: str | None = None


def marked(
    payload: object, key: str | None = "k", subject: str = "ada", mutation: str = "createTask"
) -> Mark:
    return mark(ACME, subject, mutation, key, payload, NOW)


OTHER_INPUT = [
    Payload(title="b"),
    Payload(due_on=date(2026, 1, 1)),
    Payload(note=Some(None)),
    Payload(note=Some("a")),
    Payload(note=Some("")),
    Payload(priority=Priority.HIGH),
    Payload(rows=[Row("a")]),
    Payload(rows=[Row("a"), Row("a")]),
    Payload(rows=[Row("b")]),
]


def test_every_difference_of_input_changes_the_fingerprint():
    inputs = [Payload(), *OTHER_INPUT]
    assert len({marked(payload).fingerprint for payload in inputs}) == len(inputs)
    assert [marked(dataclasses.replace(payload)) for payload in inputs] == [marked(each) for each in inputs]


def test_an_input_that_the_schema_gains_later_changes_no_fingerprint():
    assert marked(PayloadOfTomorrow()).fingerprint == marked(Payload()).fingerprint
    assert marked(PayloadOfTomorrow(colour="red")).fingerprint != marked(Payload()).fingerprint


def test_a_key_is_one_persons_for_one_mutation_of_one_tenant():
    payload = Payload()
    marks = [
        marked(payload),
        marked(payload, key="k2"),
        marked(payload, subject="grace"),
        marked(payload, mutation="moveTask"),
        mark(tenant_family("globex"), "ada", "createTask", "k", payload, NOW),
        marked(payload, key='k", "'),
        marked(payload).part(0),
        marked(payload).part(50),
    ]
    assert len({each.key for each in marks}) == len(marks)
    own = tenant_family("acme")
    for each in marks:
        assert each.key is not None
        assert each.key.partition.startswith(f"{own}#") == (each is not marks[4])


def test_without_a_key_nothing_is_recorded():
    assert marked(Payload(), key=None) is UNMARKED
    assert UNMARKED.record(["n1"]) == []
    assert UNMARKED.part(3) is UNMARKED


async def write(store: NoteStore, begun: Mark) -> Note:
    repository = store.repository()
    note = repository.new(Note)
    await begun.require_new(repository.table)
    await repository.commit(repository.put(note), leaves=[note], mark=begun)
    return note


async def test_an_effect_that_stands_is_known_before_and_within_its_commit(store: NoteStore):
    begun = store.mark("k")
    note = await write(store, begun)
    with pytest.raises(AlreadyDoneError) as before:
        await begun.require_new(store.table())
    repository = store.repository()
    late = repository.new(Note)
    with pytest.raises(AlreadyDoneError) as within:
        await repository.commit(repository.put(late), leaves=[late], mark=begun)
    assert before.value.uids == within.value.uids == [note.uid]
    assert await store.current(late) is None


async def test_other_input_under_the_same_key_is_refused_before_and_within_its_commit(store: NoteStore):
    await write(store, store.mark("k", "input"))
    begun = store.mark("k", "other input")
    with pytest.raises(IdempotencyMismatchError):
        await begun.require_new(store.table())
    repository = store.repository()
    late = repository.new(Note)
    with pytest.raises(IdempotencyMismatchError):
        await repository.commit(repository.put(late), leaves=[late], mark=begun)
    assert await store.current(late) is None


async def test_a_repetition_is_known_although_its_own_effect_is_in_its_way(store: NoteStore):
    """It has passed the first check before the original's commit; that must not look like a conflict."""
    (note,) = await store.written()
    begun = store.mark("k")

    async def rename() -> Note:
        return await store.repository().update(
            note, lambda now: dataclasses.replace(now, text="new"), expected_version=1, mark=begun
        )

    renamed = await rename()
    with pytest.raises(AlreadyDoneError) as repeated:
        await rename()
    assert repeated.value.uids == [note.uid]
    assert await store.current(note) == renamed


@pytest.mark.parametrize("key", ["k", None])
async def test_an_effect_whose_answer_was_lost_is_no_repetition(
    store: NoteStore, network: Network, key: str | None
):
    repository = store.repository()
    note = repository.new(Note)
    network.script(lost_answer)
    await repository.commit(repository.put(note), leaves=[note], mark=store.mark(key))
    assert await store.current(note) == note


async def test_an_update_without_effect_leaves_its_mark(store: NoteStore):
    (note,) = await store.written()
    begun = store.mark("k")
    await store.repository().update(note, lambda now: now, expected_version=None, mark=begun)
    with pytest.raises(AlreadyDoneError) as repeated:
        await begun.require_new(store.table())
    assert repeated.value.uids == [note.uid]
    assert await store.current(note) == note


async def test_a_key_is_remembered_for_a_day_even_where_the_item_stays_longer(store: NoteStore):
    """The table's TTL removes items late; one that has expired counts as gone."""
    store.now = lambda: NOW
    first = await write(store, store.mark("k"))
    almost = NOW + REMEMBERED_FOR - timedelta(seconds=1)
    store.now = lambda: almost
    with pytest.raises(AlreadyDoneError):
        await write(store, store.mark("k"))
    store.now = lambda: NOW + REMEMBERED_FOR
    second = await write(store, store.mark("k", "other input"))
    assert second.uid != first.uid
    with pytest.raises(AlreadyDoneError) as repeated:
        await write(store, store.mark("k", "other input"))
    assert repeated.value.uids == [second.uid]
