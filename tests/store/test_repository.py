import asyncio
import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from graphql_api.errors import ConflictError, NotFoundError
from graphql_api.store.entity import RESTORABLE_FOR
from graphql_api.store.idempotency import UNMARKED
from graphql_api.store.repository import Repository, StaleError, together
from graphql_api.store.uid import new_uid
from graphql_api.store.writes import Write
from tests.reliability.network import Accident, Network, slow
from tests.reliability.seeds import chance, naming, seeds
from tests.store.notes import ALL_SHELVES, Note, NoteStore, key, shelf


def counted(note: Note) -> Note:
    return dataclasses.replace(note, count=note.count + 1)


def gone(repository: Repository, note: Note) -> Note:
    return repository.stamped(note, deleted_at=repository.stamp.now())


async def count_up(repository: Repository, note: Note, expected_version: int | None = None) -> Note:
    return await repository.update(note, counted, expected_version=expected_version, mark=UNMARKED)


async def test_a_new_entity_is_stamped_and_found(store: NoteStore):
    at = datetime(2026, 11, 20, 12, 30, 0, 5, tzinfo=UTC)
    store.now = lambda: at
    repository = store.repository("ada")
    note = repository.new(Note, text="hello")
    assert await repository.find(Note, note.uid) is None
    await repository.fresh().commit(repository.put(note), leaves=[])
    found = await store.repository("grace").get(Note, note.uid)
    assert found == note
    assert (found.version, found.created_at, found.updated_at) == (1, at, at)
    assert (found.created_by_uid, found.updated_by_uid) == ("ada", "ada")
    assert found.request_id == repository.stamp.request_id


async def test_a_commit_is_known_to_the_rest_of_its_request(store: NoteStore, network: Network):
    repository = store.repository()
    note = repository.new(Note)
    assert await repository.find(Note, note.uid) is None
    await repository.commit(repository.put(note), leaves=[note])
    assert await repository.get(Note, note.uid) == note
    await repository.commit(repository.change(note, gone(repository, note)), leaves=[gone(repository, note)])
    with pytest.raises(NotFoundError):
        await repository.get(Note, note.uid)
    assert network.operations == ["BatchGetItem", "PutItem", "UpdateItem"]


async def test_an_entity_of_another_tenant_does_not_exist(store: NoteStore):
    (note,) = await store.written()
    assert await store.repository(tenant="globex").find(Note, note.uid) is None
    namesake = dataclasses.replace(note, text="theirs")
    theirs = store.repository(tenant="globex")
    await theirs.commit(theirs.put(namesake), leaves=[])
    assert await store.current(note) == note


async def test_a_key_is_given_out_once(store: NoteStore):
    (note,) = await store.written()
    repository = store.repository()
    again = dataclasses.replace(note, text="again", request_id="another")
    with pytest.raises(ConflictError, match="Note exists already"):
        await repository.commit(repository.put(again), leaves=[])
    with pytest.raises(KeyError, match="mine"):
        await repository.commit(repository.put(again, lambda: KeyError("mine")), leaves=[])
    assert await store.current(note) == note


async def test_a_change_writes_what_differs_and_nothing_else(store: NoteStore, network: Network):
    (note,) = await store.written(text="a", tag="red", readers=["ada"])
    repository = store.repository("grace")
    network.attempts.clear()
    changed = repository.stamped(note, text="b", tag=None)
    await repository.commit(repository.change(note, changed), leaves=[])
    (attempt,) = network.attempts
    names = attempt.body["ExpressionAttributeNames"].values()
    assert set(names) == {
        *("text", "version", "updated_at", "updated_by_uid", "request_id"),
        *("tag", "project_pk"),
        # Which change nothing, but where an update makes its item.
        *("inventory_pk", "inventory_sk"),
    }
    assert attempt.body["UpdateExpression"].endswith("REMOVE #a7, #a8")
    assert await store.current(note) == changed


async def test_a_change_of_something_older_fails_with_what_is_there_now(store: NoteStore):
    (note,) = await store.written()
    repository = store.repository()
    newer = await count_up(repository, note)
    stale = repository.change(note, repository.stamped(note, text="lost"))
    with pytest.raises(StaleError) as failure:
        await repository.commit(stale, leaves=[])
    assert failure.value.entity == failure.value.current == newer
    await repository.commit(repository.change(newer, gone(repository, newer)), leaves=[])
    with pytest.raises(NotFoundError):
        await repository.commit(stale, leaves=[])
    never = repository.new(Note)
    with pytest.raises(NotFoundError):
        await repository.commit(repository.change(never, repository.stamped(never, text="x")), leaves=[])
    assert await store.current(never) is None


async def test_a_change_can_be_guarded_by_another_counter(store: NoteStore):
    (note,) = await store.written(text="a")
    repository = store.repository()
    guarded = repository.change(note, counted(note), guard="count")
    await repository.update(
        note, lambda now: dataclasses.replace(now, text="b"), expected_version=None, mark=UNMARKED
    )
    await repository.commit(guarded, leaves=[])
    current = await store.current(note)
    assert current is not None
    assert (current.text, current.count, current.version) == ("b", 1, 2)
    with pytest.raises(StaleError):
        await repository.commit(guarded, repository.put(repository.new(Note)), leaves=[])


async def test_an_update_stamps_the_next_version(store: NoteStore):
    (note,) = await store.written()
    repository = store.repository("grace")
    later = await count_up(repository, note, expected_version=1)
    assert (later.version, later.count, later.updated_by_uid) == (2, 1, "grace")
    assert (later.created_at, later.created_by_uid) == (note.created_at, "ada")
    assert later.request_id == repository.stamp.request_id
    assert await store.current(note) == later


async def test_an_update_of_another_version_than_expected_is_refused_unsent(
    store: NoteStore, network: Network
):
    (note,) = await store.written()
    network.attempts.clear()
    for expected in (0, 2, -1):
        with pytest.raises(StaleError) as failure:
            await count_up(store.repository(), note, expected)
        assert failure.value.current == note
    assert network.attempts == []


async def test_an_update_of_an_expected_version_is_never_applied_to_a_newer_one(store: NoteStore):
    (note,) = await store.written()
    newer = await count_up(store.repository(), note)
    with pytest.raises(StaleError) as failure:
        await count_up(store.repository(), note, expected_version=1)
    assert failure.value.current == newer
    assert await store.current(note) == newer


async def test_an_update_without_expectation_is_applied_to_what_is_there(store: NoteStore):
    (note,) = await store.written()
    await count_up(store.repository(), note)
    assert (await count_up(store.repository(), note)).count == 2


async def test_an_update_that_changes_nothing_writes_nothing(store: NoteStore, network: Network):
    (note,) = await store.written()
    network.attempts.clear()
    for expected in (None, 1):
        same = await store.repository().update(
            note, lambda now: now, expected_version=expected, mark=UNMARKED
        )
        assert same == note
    assert network.attempts == []


async def test_what_goes_with_an_update_is_made_for_each_try(store: NoteStore):
    (note,) = await store.written()
    repository = store.repository()
    await count_up(store.repository(), note)
    log: list[int] = []

    def also(updated: Note) -> Sequence[Write]:
        log.append(updated.version)
        return [repository.put(repository.new(Note, text=f"version {updated.version}"))]

    await repository.update(note, counted, expected_version=None, mark=UNMARKED, also=also)
    assert log == [2, 3]
    page = await store.repository().page(Note, ALL_SHELVES, 100, None)
    assert [each.text for each in page.items if each.text] == ["version 3"]


@pytest.mark.parametrize("expects", [False, True], ids=["whatever is there", "the version it has seen"])
async def test_no_update_is_lost_between_two_writers(store: NoteStore, network: Network, expects: bool):
    for seed in seeds(share=0.06):
        dice, newer = chance(seed), list[bool]()
        (note,) = await store.written()

        async def writer(note: Note = note, newer: list[bool] = newer) -> int:
            done = 0
            for _ in range(4):
                repository = store.repository()
                seen = await repository.fresh().get(Note, note.uid)
                try:
                    await count_up(repository, seen, seen.version if expects else None)
                    done += 1
                except StaleError as stale:
                    newer.append(stale.entity.version > seen.version)
            return done

        with naming(seed):
            network.accident = lambda _, dice=dice: delay(dice)
            done = sum(await asyncio.gather(writer(), writer()))
            network.script()
            current = await store.current(note)
            assert current is not None
            assert (current.count, current.version) == (done, done + 1)
            assert done >= 4
            assert newer == [True] * (8 - done)
            assert done == 8 or expects


def delay(dice: Random) -> Accident:
    return slow(dice.uniform(0, 0.05), dice.uniform(0, 0.05))


async def test_thirty_racing_increments_are_thirty(store: NoteStore, network: Network):
    (note,) = await store.written()
    dice = chance(30)
    network.accident = lambda _: delay(dice)
    counts = await asyncio.gather(*(count_up(store.repository(seconds=60), note) for _ in range(30)))
    assert sorted(each.count for each in counts) == list(range(1, 31))
    network.script()
    assert (await store.current(note)) == max(counts, key=lambda each: each.count)


async def test_of_racing_updates_of_one_version_one_wins(store: NoteStore, network: Network):
    (note,) = await store.written()
    racing = [count_up(store.repository(), note, expected_version=1) for _ in range(20)]
    results = await asyncio.gather(*racing, return_exceptions=True)
    (winner,) = [each for each in results if isinstance(each, Note)]
    assert [type(each) for each in results].count(StaleError) == 19
    assert await store.current(note) == winner


async def test_of_racing_puts_of_one_key_one_wins(store: NoteStore, network: Network):
    uid = new_uid()

    async def race(text: str) -> str:
        repository = store.repository()
        note, own = repository.new(Note, uid=uid, text=text), repository.new(Note)
        await repository.commit(repository.put(note), repository.put(own), leaves=[])
        return text

    results = await asyncio.gather(*(race(f"{number}") for number in range(20)), return_exceptions=True)
    (winner,) = [each for each in results if isinstance(each, str)]
    assert [type(each) for each in results].count(ConflictError) == 19
    notes = (await store.repository().page(Note, ALL_SHELVES, 100, None)).items
    assert [each.text for each in notes if each.uid == uid] == [winner]
    assert len(notes) == 2


async def test_a_deleted_entity_leaves_its_lists_and_the_table_later(store: NoteStore):
    (note,) = await store.written(tag="red")
    repository = store.repository()
    deleted = gone(repository, note)
    await repository.commit(repository.change(note, deleted), leaves=[deleted])
    stored = await store.table().batch_get([key(note)])
    expires_at = int(stored[key(note)]["expires_at"]["N"])
    assert deleted.deleted_at is not None
    assert expires_at == int((deleted.deleted_at + RESTORABLE_FOR).timestamp())
    assert await repository.is_empty(shelf("a"))
    assert await store.current(note) == deleted
    with pytest.raises(NotFoundError):
        await store.repository().get(Note, note.uid)
    restored = repository.stamped(deleted, deleted_at=None)
    await repository.commit(repository.change(deleted, restored), leaves=[restored])
    assert "expires_at" not in (await store.table().batch_get([key(note)]))[key(note)]
    assert (await repository.page(Note, shelf("a"), 1, None)).items == [restored]


async def test_calls_made_together_have_all_ended_when_one_has_failed():
    ended: list[int] = []

    async def call(number: int) -> int:
        await asyncio.sleep(number / 100)
        ended.append(number)
        if number in (1, 3):
            raise KeyError(number)
        return number

    with pytest.raises(KeyError, match="1"):
        await together(call(number) for number in range(5))
    assert ended == [0, 1, 2, 3, 4]
    assert await together(call(number) for number in (4, 0, 2)) == [4, 0, 2]


async def test_time_does_not_order_what_the_clock_calls_equal(store: NoteStore):
    """A clock that stands still or runs backwards costs no update."""
    (note,) = await store.written()
    store.now = lambda: note.updated_at - timedelta(hours=1)
    counts = [await count_up(store.repository(), note) for _ in range(3)]
    assert [each.count for each in counts] == [1, 2, 3]
