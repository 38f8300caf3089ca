"""Whoever changes the log, or loses a part of it, is found out, at the first change that is wrong."""

import asyncio
import dataclasses
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from graphql_api.changes.change import to_text
from graphql_api.changes.head import LogHead
from graphql_api.changes.log import LogEntry, Segment, chained
from graphql_api.changes.verify import Anchor, BrokenLogError, Verified
from graphql_api.store.codec import encode
from tests.changes.ledger import RETENTION, Ledger, filled
from tests.changes.records import some_changes

Damage = Callable[[Ledger, list[Segment]], Awaitable[Any]]


async def a_log(ledger: Ledger) -> list[LogEntry]:
    """Five segments of four changes, a day between them."""
    changes = some_changes(20)
    return await filled(ledger, [changes[start : start + 4] for start in range(0, 20, 4)], days=1)


def rechained(segment: Segment, texts: list[str], previous: str | None = None) -> Segment:
    """The segment with other texts, and the hashes that they have."""
    hashes, last = list[str](), segment.previous if previous is None else previous
    for text in texts:
        last = chained(last, text)
        hashes.append(last)
    first = segment.previous if previous is None else previous
    return dataclasses.replace(segment, texts=texts, hashes=hashes, previous=first)


async def test_a_log_that_nobody_touched_holds_together(ledger: Ledger) -> None:
    entries = await a_log(ledger)

    assert await ledger.verified() == Verified(1, Anchor(20, entries[-1].hash))
    for entry in entries:
        assert (await ledger.verified(Anchor(entry.sequence, entry.hash))).end.sequence == 20


async def test_a_log_without_anything_in_it_is_whole(ledger: Ledger) -> None:
    assert await ledger.verified() == Verified(0, Anchor(0, ""))


async def test_a_log_may_grow_while_it_is_read(ledger: Ledger) -> None:
    await a_log(ledger)
    more = some_changes(60)

    async def grow() -> None:
        for change in more:
            await ledger.opened().append([change])

    growing = asyncio.create_task(grow())
    while not growing.done():
        found = await ledger.verified()
        assert found.first == 1
    await growing
    assert (await ledger.verified()).end.sequence == 80


async def other_text(ledger: Ledger, segments: list[Segment]) -> None:
    texts = list(segments[2].texts)
    texts[1] = texts[1].replace("xx", "yy")
    assert texts != segments[2].texts
    await ledger.put_segment(dataclasses.replace(segments[2], texts=texts))


async def other_hash(ledger: Ledger, segments: list[Segment]) -> None:
    hashes = [*segments[2].hashes[:1], "0" * 64, *segments[2].hashes[2:]]
    await ledger.put_segment(dataclasses.replace(segments[2], hashes=hashes))


async def swapped_texts(ledger: Ledger, segments: list[Segment]) -> None:
    first, second, third, fourth = segments[2].texts
    await ledger.put_segment(rechained(segments[2], [first, third, second, fourth]))


async def other_text_and_hashes(ledger: Ledger, segments: list[Segment]) -> None:
    texts = [text.replace("xx", "yy") for text in segments[2].texts]
    await ledger.put_segment(rechained(segments[2], texts))


async def unreadable_text(ledger: Ledger, segments: list[Segment]) -> None:
    first, _, *rest = segments[2].texts
    await ledger.put_segment(rechained(segments[2], [first, "{}", *rest]))


async def text_left_out(ledger: Ledger, segments: list[Segment]) -> None:
    segment = segments[2]
    await ledger.put_segment(dataclasses.replace(segment, texts=segment.texts[:3], hashes=segment.hashes[:3]))


async def last_text_cut_off(ledger: Ledger, segments: list[Segment]) -> None:
    segment = dataclasses.replace(segments[2], last=11)
    await ledger.put_segment(dataclasses.replace(segment, texts=segment.texts[:3], hashes=segment.hashes[:3]))
    await ledger.drop(ledger.segment_key(12))


async def segment_gone(ledger: Ledger, segments: list[Segment]) -> None:
    await ledger.drop(ledger.segment_key(12))


async def segment_unreadable(ledger: Ledger, segments: list[Segment]) -> None:
    await ledger.alter(12, texts={"S": "none"})


async def segment_twice(ledger: Ledger, segments: list[Segment]) -> None:
    segment = dataclasses.replace(segments[2], last=13)
    texts = [*segment.texts, segments[3].texts[0]]
    await ledger.put_segment(rechained(segment, texts))


async def segment_elsewhere(ledger: Ledger, segments: list[Segment]) -> None:
    await ledger.put(ledger.segment_key(13), encode(segments[2]))
    await ledger.drop(ledger.segment_key(12))


async def other_previous(ledger: Ledger, segments: list[Segment]) -> None:
    await ledger.put_segment(rechained(segments[2], segments[2].texts, "0" * 64))


async def other_epoch(ledger: Ledger, segments: list[Segment]) -> None:
    await ledger.alter(12, epoch={"S": "epoch-2"})


async def end_gone(ledger: Ledger, segments: list[Segment]) -> None:
    await ledger.drop(ledger.segment_key(20))


async def everything_gone(ledger: Ledger, segments: list[Segment]) -> None:
    await ledger.drop(*(ledger.segment_key(segment.last) for segment in segments))


async def head_gone(ledger: Ledger, segments: list[Segment]) -> None:
    await ledger.drop(ledger.head_key)


async def head_back(ledger: Ledger, segments: list[Segment]) -> None:
    await ledger.put_head(LogHead(epoch="epoch-1", sequence=16, hash=segments[3].hashes[-1]))


async def head_ahead(ledger: Ledger, segments: list[Segment]) -> None:
    await ledger.put_head(LogHead(epoch="epoch-1", sequence=21, hash=segments[4].hashes[-1]))


async def other_hash_in_the_head(ledger: Ledger, segments: list[Segment]) -> None:
    await ledger.put_head(LogHead(epoch="epoch-1", sequence=20, hash="0" * 64))


async def beginning_anew(ledger: Ledger, segments: list[Segment]) -> None:
    await ledger.put_segment(rechained(segments[0], segments[0].texts, "0" * 64))


DAMAGES: list[tuple[Damage, int, str]] = [
    (other_text, 10, "its text does not have its hash"),
    (other_hash, 10, "its text does not have its hash"),
    (swapped_texts, 10, "its text says that it is 11"),
    (other_text_and_hashes, 13, "does not follow from the one before"),
    (unreadable_text, 10, "its text cannot be read"),
    (text_left_out, 9, "its segment does not hold what it says"),
    (last_text_cut_off, 12, "missing; the next that is there is 13"),
    (segment_gone, 9, "missing; the next that is there is 13"),
    (segment_unreadable, 9, "its segment cannot be read"),
    (segment_twice, 9, "there twice"),
    (segment_elsewhere, 9, "its segment does not hold what it says"),
    (other_previous, 9, "does not follow from the one before"),
    (other_epoch, 9, "does not follow from the one before"),
    (end_gone, 17, "missing; the head says that the log goes to 20"),
    (everything_gone, 1, "missing; the head says that the log goes to 20"),
    (head_gone, 20, "the last one, but the head says otherwise"),
    (head_back, 20, "the last one, but the head says otherwise"),
    (head_ahead, 21, "missing; the head says that the log goes to 21"),
    (other_hash_in_the_head, 20, "the last one, but the head says otherwise"),
    (beginning_anew, 1, "the chain does not begin where it says"),
]


@pytest.mark.parametrize(
    ("damage", "sequence", "what"), DAMAGES, ids=[damage.__name__ for damage, *_ in DAMAGES]
)
async def test_the_first_change_that_is_wrong_is_named(
    ledger: Ledger, damage: Damage, sequence: int, what: str
) -> None:
    await a_log(ledger)
    await damage(ledger, await ledger.segments())

    with pytest.raises(BrokenLogError) as broken:
        await ledger.verified()
    assert (broken.value.sequence, str(broken.value)) == (sequence, f"Change {sequence}: {what}.")


async def written_anew(ledger: Ledger, segments: list[Segment]) -> None:
    """All that follows a change is made to fit it."""
    previous = ""
    for segment in segments:
        texts = [text.replace('"actor":"ada"', '"actor":"eve"') for text in segment.texts]
        assert texts != segment.texts
        anew = rechained(segment, texts, previous)
        await ledger.put_segment(anew)
        previous = anew.hashes[-1]
    await ledger.put_head(LogHead(epoch="epoch-1", sequence=20, hash=previous))


async def cut_off(ledger: Ledger, segments: list[Segment]) -> None:
    await end_gone(ledger, segments)
    await head_back(ledger, segments)


async def cut_off_and_gone_on(ledger: Ledger, segments: list[Segment]) -> None:
    await cut_off(ledger, segments)
    entry = (await ledger.log.after(0))[0]
    text = to_text(dataclasses.replace(entry.change, id="another"), 17)
    last = segments[4]
    anew = rechained(dataclasses.replace(last, last=17), [text])
    await ledger.put_segment(anew)
    await ledger.put_head(LogHead(epoch="epoch-1", sequence=17, hash=anew.hashes[0]))


async def begun_anew(ledger: Ledger, segments: list[Segment]) -> None:
    await everything_gone(ledger, segments)
    await head_gone(ledger, segments)


@pytest.mark.parametrize(
    ("damage", "anchored_at", "sequence"),
    [
        (written_anew, 20, 20),
        (written_anew, 3, 3),
        (cut_off, 20, 17),
        (cut_off, 17, 17),
        (cut_off_and_gone_on, 17, 17),
        (cut_off_and_gone_on, 19, 18),
        (begun_anew, 1, 1),
    ],
)
async def test_what_holds_together_but_is_another_log_is_told_by_an_anchor(
    ledger: Ledger, damage: Damage, anchored_at: int, sequence: int
) -> None:
    entry = (await a_log(ledger))[anchored_at - 1]
    anchor = Anchor(entry.sequence, entry.hash)
    await ledger.verified(anchor)
    await damage(ledger, await ledger.segments())

    await ledger.verified()
    with pytest.raises(BrokenLogError) as broken:
        await ledger.verified(anchor)
    assert broken.value.sequence == sequence


async def test_the_oldest_may_expire_in_any_order(ledger: Ledger) -> None:
    entries = await a_log(ledger)
    await ledger.drop(ledger.segment_key(8))
    ledger.now = entries[0].logged_at + RETENTION - timedelta(hours=1)
    with pytest.raises(BrokenLogError, match="Change 5: missing"):
        await ledger.verified()

    ledger.forward(hours=2)
    assert (await ledger.verified()).first == 9
    # The one before was not due, so this one was taken.
    await ledger.drop(ledger.segment_key(16))
    with pytest.raises(BrokenLogError, match="Change 13: missing"):
        await ledger.verified()


async def test_an_anchor_vouches_for_what_is_kept_behind_it(ledger: Ledger) -> None:
    entries = await a_log(ledger)
    await ledger.drop(ledger.segment_key(4), ledger.segment_key(8))
    before, oldest = (Anchor(entries[at - 1].sequence, entries[at - 1].hash) for at in (8, 9))

    for anchor in (before, oldest):
        assert (await ledger.verified(anchor)).first == 9
    with pytest.raises(BrokenLogError, match="Change 8: not what it was"):
        await ledger.verified(Anchor(8, "0" * 64))
    with pytest.raises(BrokenLogError, match="no longer kept; the log begins with 9"):
        await ledger.verified(Anchor(7, entries[6].hash))


async def test_a_log_of_which_everything_expired_still_has_its_end(ledger: Ledger) -> None:
    entries = await a_log(ledger)
    await everything_gone(ledger, await ledger.segments())
    ledger.now = entries[-1].logged_at + RETENTION
    end = Anchor(20, entries[-1].hash)

    assert await ledger.verified(end) == Verified(21, end)
    with pytest.raises(BrokenLogError):
        await ledger.verified(Anchor(20, "0" * 64))


@pytest.mark.parametrize("text", ["", "1", ":", "1:", ":ab", "x:ab", "-1:ab", "\u0663:ab"])
def test_what_is_no_anchor(text: str) -> None:
    with pytest.raises(ValueError, match="SEQUENCE:HASH"):
        Anchor.of(text)


def test_an_anchor_is_its_text() -> None:
    anchor = Anchor(42, "9f86d0")

    assert Anchor.of(f" {anchor}\n") == Anchor.of("42:9F86D0") == anchor
    assert json.dumps(str(anchor)) == '"42:9f86d0"'
