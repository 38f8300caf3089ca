import asyncio
import dataclasses
from collections.abc import Sequence
from itertools import pairwise
from random import Random

import pytest

from graphql_api.errors import BadCursorError
from graphql_api.store.idempotency import UNMARKED
from graphql_api.store.keys import LAST, sort_key
from graphql_api.store.page import ListRange, Page
from graphql_api.store.schema import Index
from tests.reliability.network import Network, slow
from tests.reliability.seeds import chance, naming, seeds
from tests.store.notes import ALL_SHELVES, SHELVES, Note, NoteStore, shelf, shelves

RANKS = ["", "a", "b", "bb", "é", "\U0001f600", "z"]


def position(note: Note) -> str:
    return sort_key(note.rank, note.uid)


def uids(notes: list[Note]) -> list[str]:
    return [note.uid for note in notes]


async def some_notes(
    store: NoteStore, dice: Random, count: int, names: Sequence[str] = SHELVES
) -> list[Note]:
    repository = store.repository()
    notes = [repository.new(Note, rank=dice.choice(RANKS), shelf=dice.choice(names)) for _ in range(count)]
    await store.add(*notes)
    return sorted(notes, key=position)


async def walk(store: NoteStore, wanted: ListRange, size: int) -> list[Page[Note]]:
    """All pages of a list, each request of its own."""
    pages = [await store.repository().page(Note, wanted, size, None)]
    while pages[-1].has_next:
        pages.append(await store.repository().page(Note, wanted, size, pages[-1].cursors[-1]))
    return pages


@pytest.mark.parametrize("size", [1, 2, 3, 7, 30, 100])
async def test_the_pages_of_a_list_are_its_rows_in_order(store: NoteStore, size: int):
    notes = await some_notes(store, chance(size), 30)
    for wanted in (ALL_SHELVES, *map(shelf, SHELVES)):
        names = {path[-1] for path in wanted.partitions}
        expected = uids([note for note in notes if note.shelf in names])
        pages = await walk(store, wanted, size)
        assert [note.uid for page in pages for note in page.items] == expected
        assert [len(page.items) for page in pages[:-1]] == [size] * (len(pages) - 1)
        assert 0 < len(pages[-1].items) <= size
        assert len(pages) == -(-len(expected) // size)


async def test_an_empty_list_is_one_empty_page(store: NoteStore):
    assert await store.repository().page(Note, ALL_SHELVES, 5, None) == Page([], [], has_next=False)
    assert await store.repository().is_empty(ALL_SHELVES)
    await store.written(shelf="c")
    assert not await store.repository().is_empty(ALL_SHELVES)
    assert await store.repository().is_empty(shelf("a"))


async def test_every_row_has_the_cursor_that_goes_on_behind_it(store: NoteStore):
    notes = await some_notes(store, chance(1), 12)
    repository = store.repository()
    page = await repository.page(Note, ALL_SHELVES, 100, None)
    for number, (note, cursor) in enumerate(zip(page.items, page.cursors, strict=True), 1):
        rest = await store.repository().page(Note, ALL_SHELVES, 100, cursor)
        assert uids(rest.items) == uids(notes[number:])
        assert cursor == repository.cursor_at(ALL_SHELVES, position(note))


async def test_a_range_holds_what_lies_in_it(store: NoteStore):
    dice = chance(2)
    notes = await some_notes(store, dice, 30)
    for _ in range(30):
        low, high = sorted([dice.choice(RANKS), dice.choice(RANKS)])
        wanted = dataclasses.replace(ALL_SHELVES, low=sort_key(low, ""), high=sort_key(high, LAST))
        pages = await walk(store, wanted, dice.choice([2, 5, 100]))
        expected = [note for note in notes if low <= note.rank <= high]
        assert [note.uid for page in pages for note in page.items] == uids(expected)


async def test_a_list_by_another_index_is_its_own(store: NoteStore):
    red, *_ = await store.written(2, tag="red")
    await store.written(2)
    tagged = ListRange(Index.BY_POSITION, (("TAG", "red"),))
    page = await store.repository().page(Note, tagged, 1, None)
    assert (page.items, page.has_next) == ([red], True)


async def test_a_page_costs_a_query_for_each_of_its_partitions_and_its_rows_nothing_more(
    store: NoteStore, network: Network
):
    await some_notes(store, chance(3), 12)
    repository = store.repository()
    network.attempts.clear()
    page = await repository.page(Note, ALL_SHELVES, 10, None)
    assert [await repository.get(Note, note.uid) for note in page.items] == page.items
    assert network.operations == ["Query"] * len(SHELVES)
    assert {attempt.body["Limit"] for attempt in network.attempts} == {11}


async def test_rows_larger_than_an_answer_take_more_calls(store: NoteStore, network: Network):
    """DynamoDB ends each answer at 1 MB."""
    notes = [note for _ in range(8) for note in await store.written(text="x" * 300_000)]
    network.attempts.clear()
    page = await store.repository().page(Note, shelf("a"), 100, None)
    assert uids(page.items) == uids(notes)
    assert 2 < len(network.attempts) < 8


async def test_a_cursor_of_another_list_is_refused_unsent(store: NoteStore, network: Network):
    await some_notes(store, chance(4), 6)
    (cursor, *_) = (await store.repository().page(Note, ALL_SHELVES, 2, None)).cursors
    network.attempts.clear()
    for wanted in (
        shelf("b"),
        dataclasses.replace(ALL_SHELVES, low="a"),
        ListRange(Index.BY_POSITION, (("x",),)),
    ):
        with pytest.raises(BadCursorError):
            await store.repository().page(Note, wanted, 2, cursor)
    for forged in ("", "x", cursor[:-1], cursor + "A"):
        with pytest.raises(BadCursorError):
            await store.repository().page(Note, ALL_SHELVES, 2, forged or "=")
    with pytest.raises(BadCursorError):
        await store.repository(tenant="globex").page(Note, ALL_SHELVES, 2, cursor)
    assert network.attempts == []


class Crowd:
    """Notes that somebody changes all the time, among others that stay as they are."""

    def __init__(self, store: NoteStore, dice: Random, names: Sequence[str]) -> None:
        self.store = store
        self.dice = dice
        self.names = names
        self.restless: list[Note] = []
        self.moved = set[str]()

    async def stir(self) -> None:
        """A note comes, goes, changes its rank, or its shelf."""
        repository = self.store.repository()
        act = self.dice.choice(["come", "come", "go", "rank", "shelf"])
        if act == "come" or not self.restless:
            self.restless += await some_notes(self.store, self.dice, 1, self.names)
            return
        at = self.dice.randrange(len(self.restless))
        changes = {
            "go": {"deleted_at": repository.stamp.now()},
            "rank": {"rank": self.dice.choice(RANKS)},
            "shelf": {"shelf": self.dice.choice(self.names)},
        }[act]
        note = self.restless.pop(at)
        self.moved.add(note.uid)
        changed = await repository.update(
            note, lambda now: dataclasses.replace(now, **changes), expected_version=None, mark=UNMARKED
        )
        if act != "go":
            self.restless.append(changed)


@pytest.mark.parametrize("shards", [1, 3])
async def test_rows_that_stay_are_each_seen_once_whatever_else_happens(store: NoteStore, shards: int):
    for seed in seeds(share=0.05):
        dice, names = chance(seed), [f"{seed}-{number}" for number in range(shards)]
        staying = await some_notes(store, dice, 12, names)
        crowd, wanted = Crowd(store, dice, names), shelves(*names)
        with naming(seed):
            seen, cursor, has_next, size = list[Note](), None, True, dice.randint(1, 6)
            while has_next:
                for _ in range(dice.randint(0, 3)):
                    await crowd.stir()
                page = await store.repository().page(Note, wanted, size, cursor)
                seen += page.items
                cursor, has_next = page.cursors[-1] if page.cursors else None, page.has_next
            assert [note for note in seen if note.uid in uids(staying)] == staying
            assert all(position(one) < position(other) for one, other in pairwise(seen))
            once = [uid for uid in uids(seen) if uid not in crowd.moved]
            assert len(once) == len(set(once))


async def test_pages_read_while_others_write_are_whole_too(store: NoteStore, network: Network):
    """Not between pages alone, but during each of their queries."""
    for seed in seeds(share=0.03):
        dice, names = chance(seed), [f"{seed}-{number}" for number in range(3)]
        staying = await some_notes(store, dice, 12, names)
        crowd, wanted = Crowd(store, dice, names), shelves(*names)

        async def bustle(crowd: Crowd = crowd) -> None:
            for _ in range(15):
                await crowd.stir()

        with naming(seed):
            network.accident = lambda _, dice=dice: slow(dice.uniform(0, 0.05), dice.uniform(0, 0.05))
            pages, _ = await asyncio.gather(walk(store, wanted, dice.randint(1, 6)), bustle())
            network.script()
            seen = [note for page in pages for note in page.items]
            assert [note for note in seen if note.uid in uids(staying)] == staying
            # A row that changes its shard between two queries of one page is in both.
            assert all(position(one) <= position(other) for one, other in pairwise(seen))
