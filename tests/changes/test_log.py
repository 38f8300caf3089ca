"""The log takes each change once, in order and without a gap, whatever comes in between."""

import asyncio
import dataclasses
from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphql_api.changes.change import Change
from graphql_api.changes.cursor import EventCursor
from graphql_api.changes.log import MAX_SEGMENT_BYTES, MAX_SEGMENT_CHANGES, SETTLED_AFTER, chained
from graphql_api.deadline import Deadline
from graphql_api.errors import ApiError
from graphql_api.store.keys import tenant_family
from graphql_api.store.table import StoreBusyError
from tests.changes.ledger import Ledger
from tests.changes.records import a_task, some_changes, told
from tests.reliability.network import Network, bad_gateway, cancelled, lost_answer, refused, reset


def ids(changes: Sequence[Change]) -> list[str]:
    return [change.id for change in changes]


async def test_an_empty_log_has_no_end_and_no_entries(ledger: Ledger) -> None:
    head = await ledger.log.head()

    assert (head.sequence, head.hash, head.epoch) == (0, "", "")
    assert await ledger.everything() == []
    assert await ledger.log.append([]) == []
    assert await ledger.log.before(None) == []


async def test_changes_are_kept_as_they_were_in_order_and_chained(ledger: Ledger) -> None:
    changes = some_changes(7)
    added = await ledger.log.append(changes[:3]) + await ledger.opened().append(changes[3:])

    assert await ledger.everything() == added
    assert await ledger.logged() == changes
    assert [entry.sequence for entry in added] == list(range(1, 8))
    assert {entry.epoch for entry in added} == {"epoch-1"}
    assert added[0].hash == chained("", added[0].text)


async def test_a_batch_of_ninety_is_one_read_and_one_transaction(ledger: Ledger) -> None:
    changes = some_changes(180)
    await ledger.log.append(changes[:90])
    ledger.world.guard.forget_calls()
    await ledger.log.append(changes[90:])

    assert ledger.operations == {"BatchGetItem": 1, "TransactWriteItems": 1}
    assert ids(await ledger.logged()) == ids(changes)


async def test_a_batch_that_is_known_is_one_failed_transaction_and_two_reads(ledger: Ledger) -> None:
    changes = some_changes(90)
    await ledger.log.append(changes)
    ledger.world.guard.forget_calls()

    assert await ledger.log.append(changes) == []
    assert ledger.operations == {"BatchGetItem": 2, "TransactWriteItems": 1}
    assert ids(await ledger.logged()) == ids(changes)


@pytest.mark.parametrize(
    ("known", "again"), [((0, 5), (0, 9)), ((3, 6), (0, 9)), ((0, 9), (4, 5)), ((4, 9), (2, 6))]
)
async def test_of_what_comes_again_only_the_new_is_added(
    ledger: Ledger, known: tuple[int, int], again: tuple[int, int]
) -> None:
    changes = some_changes(9)
    first, second = changes[slice(*known)], changes[slice(*again)]
    await ledger.log.append(first)
    added = await ledger.log.append(second)

    new = [change for change in second if change not in first]
    assert [entry.change for entry in added] == new
    assert await ledger.logged() == first + new


async def test_a_change_that_stands_twice_in_a_batch_is_logged_once(ledger: Ledger) -> None:
    first, second = some_changes(2)
    await ledger.log.append([first, second, first, second, first])

    assert await ledger.logged() == [first, second]


async def test_a_delivery_that_starts_over_and_over_leaves_the_order(ledger: Ledger) -> None:
    changes, done = some_changes(120), 0
    random = Random(7)  # noqa: S311 - a seeded test, no secret
    while done < len(changes):
        start, end = random.randint(0, done), min(len(changes), done + random.randint(0, 12))
        await ledger.log.append(changes[start:end])
        done = max(done, end)

    assert ids(await ledger.logged()) == ids(changes)


async def test_twenty_who_append_at_once_lose_nothing_and_repeat_nothing(ledger: Ledger) -> None:
    shared = some_changes(4, uids="z")
    # Of different lengths, so that two from the same place do not end in the same place too.
    own = [some_changes(1 + number % 4, uids=chr(ord("a") + number)) for number in range(20)]
    added = await asyncio.gather(*(ledger.opened().append([*shared, *mine]) for mine in own))

    logged = await ledger.logged()
    assert sorted(ids(logged)) == sorted(ids([*shared, *(change for mine in own for change in mine)]))
    assert sum(map(len, added)) == len(logged)
    for kept in (shared, *own):
        assert [change for change in logged if change in kept] == kept


@pytest.mark.parametrize("count", [96, 97, 98, 250])
async def test_many_changes_fill_one_segment_after_another(ledger: Ledger, count: int) -> None:
    changes = some_changes(count)
    await ledger.log.append(changes)
    segments = await ledger.segments()

    full, rest = divmod(count, MAX_SEGMENT_CHANGES)
    sizes = [MAX_SEGMENT_CHANGES] * full + [rest] * bool(rest)
    assert [segment.last - segment.first + 1 for segment in segments] == sizes
    assert ledger.operations["TransactWriteItems"] == len(sizes)
    assert ids(await ledger.logged()) == ids(changes)


async def test_large_changes_get_segments_that_an_item_can_hold(ledger: Ledger) -> None:
    changes = some_changes(7, uids="abcdefg", size=110_000)
    await ledger.log.append(changes)
    segments = await ledger.segments()

    assert [len(segment.texts) for segment in segments] == [2, 2, 2, 1]
    assert all(sum(map(len, segment.texts)) <= MAX_SEGMENT_BYTES for segment in segments)
    assert await ledger.logged() == changes


async def test_a_change_too_large_for_the_log_is_logged_without_its_images(ledger: Ledger) -> None:
    before, large, after = (
        some_changes(1),
        told(None, a_task("big", title="x" * 350_000)),
        some_changes(1, uids="z"),
    )
    await ledger.log.append([*before, large, *after])

    assert await ledger.logged() == [*before, dataclasses.replace(large, after=None), *after]
    assert await ledger.log.append([large]) == []


async def test_each_tenant_has_a_log_of_its_own(ledger: Ledger) -> None:
    changes = some_changes(3)
    await ledger.log.append(changes)
    other = ledger.world.services.sources.change_log(tenant_family("globex"), Deadline.after(10))

    assert (await other.head()).sequence == 0
    assert [entry.sequence for entry in await other.append(changes[:1])] == [1]
    assert len(await ledger.everything()) == 3


async def test_pages_of_the_log_join(ledger: Ledger) -> None:
    changes = some_changes(12)
    for start in range(0, 12, 3):
        await ledger.log.append(changes[start : start + 3])

    for sequence in range(13):
        for limit in (1, 2, 9):
            entries = await ledger.log.after(sequence, limit)
            assert [entry.sequence for entry in entries] == list(
                range(sequence + 1, min(12, (sequence // 3 + limit) * 3) + 1)
            )
    for sequence in range(2, 14):
        (segment,) = await ledger.log.before(sequence)
        assert segment.first <= sequence - 1 <= segment.last
    assert [segment.last for segment in await ledger.log.before(None, 3)] == [12, 9, 6]


async def test_an_answer_that_is_lost_costs_nothing(ledger: Ledger, network: Network) -> None:
    changes = some_changes(5)
    network.script(None, lost_answer)
    added = await ledger.log.append(changes)

    assert [entry.change for entry in added] == changes
    assert network.operations == ["BatchGetItem", "TransactWriteItems", "TransactWriteItems"]
    assert await ledger.logged() == changes


async def test_what_was_logged_though_nobody_heard_is_known_when_it_comes_again(
    ledger: Ledger, network: Network
) -> None:
    changes = some_changes(5)
    network.script(None, lost_answer, lost_answer, lost_answer)
    with pytest.raises(StoreBusyError):
        await ledger.log.append(changes[:3])

    added = await ledger.log.append(changes)
    assert [entry.change for entry in added] == changes[3:]
    assert await ledger.logged() == changes


async def test_an_append_that_breaks_off_goes_on_where_it_was(ledger: Ledger, network: Network) -> None:
    changes = some_changes(200)
    network.script(*[None] * 3, *[reset] * 3)
    with pytest.raises(ApiError):
        await ledger.log.append(changes)
    assert (await ledger.log.head()).sequence == MAX_SEGMENT_CHANGES

    await ledger.log.append(changes)
    assert ids(await ledger.logged()) == ids(changes)


@pytest.mark.parametrize(
    "accident",
    [
        cancelled("TransactionConflict", "None", "None"),
        refused("TransactionInProgressException"),
        bad_gateway,
    ],
)
async def test_a_transaction_in_the_way_is_waited_for(
    ledger: Ledger, network: Network, accident: object
) -> None:
    changes = some_changes(1)
    network.script(None, accident, accident)  # pyright: ignore[reportArgumentType]
    await ledger.log.append(changes)

    assert await ledger.logged() == changes


async def test_the_time_of_the_log_never_goes_back(ledger: Ledger) -> None:
    first, second, third = some_changes(3)
    for change, seconds in ((first, -60), (second, 30), (third, 0)):
        await ledger.log.append([change])
        ledger.forward(seconds=seconds)
    times = [entry.logged_at for entry in await ledger.everything()]

    assert times[0] == times[1] == times[2]


async def test_what_is_settled_is_what_has_been_logged_for_a_while(ledger: Ledger) -> None:
    assert (await ledger.log.settled()).sequence == 0
    first, second, third = some_changes(3)
    await ledger.log.append([first])
    ledger.forward(seconds=3)
    await ledger.log.append([second, third])
    told_at: list[int] = []
    for _ in range(9):
        told_at.append((await ledger.log.settled()).sequence)
        ledger.forward(seconds=1)

    # A second after the first change's three, and then five seconds after the others.
    assert told_at == [0, 0, 0, 1, 1, 1, 3, 3, 3]
    assert (await ledger.log.settled()).epoch == "epoch-1"


async def test_a_log_of_which_everything_has_expired_is_settled_at_its_end(ledger: Ledger) -> None:
    changes = some_changes(3)
    await ledger.log.append(changes[:2])
    ledger.forward(days=500)
    await ledger.drop(ledger.segment_key(2))

    assert await ledger.log.settled() == EventCursor("epoch-1", 2)
    await ledger.log.append(changes[2:])
    assert await ledger.log.settled() == EventCursor("epoch-1", 2)
    ledger.forward(seconds=6)
    assert await ledger.log.settled() == EventCursor("epoch-1", 3)


async def test_nothing_settles_before_its_time(ledger: Ledger) -> None:
    random = Random(11)  # noqa: S311 - a seeded test, no secret
    changes = some_changes(40)
    for start in range(0, 40, 2):
        await ledger.log.append(changes[start : start + 2])
        ledger.forward(seconds=random.choice([0, 0.5, 2, 5, 9]))
        settled = (await ledger.log.settled()).sequence
        old = [
            entry.sequence
            for entry in await ledger.everything()
            if ledger.now - entry.logged_at > SETTLED_AFTER
        ]
        assert settled == (old[-1] if old else 0)


@given(st.text(max_size=50), st.text(max_size=50), st.text(max_size=50))
@settings(max_examples=200)
def test_a_hash_tells_texts_and_what_came_before_apart(previous: str, text: str, other: str) -> None:
    hashed = chained(chained("", previous), text)

    assert (hashed == chained(chained("", previous), other)) == (text == other)
    assert (hashed == chained(chained("", other), text)) == (previous == other)
