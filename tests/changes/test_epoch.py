"""The log goes on under a new epoch: nothing of it is lost, and no older cursor is good any more."""

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest

from graphql_api.changes.head import LogHead
from graphql_api.changes.log import ChangeLog
from graphql_api.changes.verify import Anchor, BrokenLogError, Verified
from graphql_api.deadline import Deadline
from tests.changes.ledger import RETENTION, Ledger, filled
from tests.changes.records import ACME, some_changes
from tests.realtime.board import TITLES, a_listener, happen, manager, position, refusals, titles, told
from tests.realtime.stage import Client, Clock, Stage, open_stage

NUMBERS = itertools.count(2)


@pytest.fixture
def log(ledger: Ledger) -> ChangeLog:
    """Acme's log, whose next epochs have numbers."""
    return ChangeLog(
        ledger.table,
        ACME,
        now=lambda: ledger.now,
        new_epoch=lambda: f"epoch-{next(NUMBERS)}",
        retention=RETENTION,
    )


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def stage(engine_endpoint: str, clock: Clock) -> AsyncIterator[Stage]:
    """A stage whose time of day is `clock`."""
    async with open_stage(engine_endpoint, now=clock) as opened:
        yield opened


async def test_the_log_goes_on_where_it_ended(ledger: Ledger, log: ChangeLog) -> None:
    changes = some_changes(12)
    before = await filled(ledger, [changes[:3], changes[3:8]])
    begun = await log.begin_epoch()
    after = await log.append(changes[8:])

    assert begun.epoch != "epoch-1"
    assert (begun.sequence, begun.hash, begun.logged_at) == (8, before[-1].hash, before[-1].logged_at)
    assert await ledger.logged() == changes
    assert [entry.sequence for entry in after] == [9, 10, 11, 12]
    assert {entry.epoch for entry in after} == {begun.epoch}
    assert (await ledger.log.head()).epoch == begun.epoch


async def test_what_was_logged_before_stays_verified_through_any_number_of_epochs(
    ledger: Ledger, log: ChangeLog
) -> None:
    changes = some_changes(12)
    before = await filled(ledger, [changes[:2], changes[2:4]])
    anchor = Anchor(before[-1].sequence, before[-1].hash)
    for start in (4, 8):
        await log.begin_epoch()
        await log.begin_epoch()
        assert (await ledger.verified(anchor)).end.sequence == start
        await log.append(changes[start : start + 2])
        await log.append(changes[start + 2 : start + 4])
    entries = await ledger.everything()

    assert await ledger.verified(anchor) == Verified(1, Anchor(12, entries[-1].hash))
    assert len({entry.epoch for entry in entries}) == 3


async def test_an_epoch_that_only_the_head_or_only_a_segment_tells_is_found_out(
    ledger: Ledger, log: ChangeLog
) -> None:
    entries = await filled(ledger, [some_changes(3)])
    await ledger.put_head(LogHead(epoch="epoch-0", sequence=3, hash=entries[-1].hash))
    with pytest.raises(BrokenLogError, match="the head says otherwise"):
        await ledger.verified()
    await ledger.put_head(LogHead(epoch="epoch-1", sequence=3, hash=entries[-1].hash))
    await log.begin_epoch()
    await log.append(some_changes(2, uids="z"))
    await ledger.alter(3, former={"S": "epoch-0"})
    assert (await ledger.verified()).end.sequence == 5
    await ledger.alter(5, epoch={"S": "epoch-0"})
    with pytest.raises(BrokenLogError, match="Change 4: does not follow"):
        await ledger.verified()


async def test_an_empty_log_stays_as_it_is(ledger: Ledger, log: ChangeLog) -> None:
    assert await log.begin_epoch() == LogHead()
    assert ledger.operations == {"BatchGetItem": 1}
    await ledger.log.append(some_changes(1))
    assert (await ledger.log.head()).epoch == "epoch-1"


async def test_a_log_of_which_everything_expired_can_begin_an_epoch(ledger: Ledger, log: ChangeLog) -> None:
    entries = await filled(ledger, [some_changes(3)])
    await ledger.drop(ledger.segment_key(3))
    begun = await log.begin_epoch()
    ledger.now = entries[-1].logged_at + RETENTION

    assert await log.head() == begun
    assert await ledger.verified() == Verified(4, Anchor(3, entries[-1].hash))


async def test_an_append_that_saw_the_old_epoch_does_not_bring_it_back(
    ledger: Ledger, log: ChangeLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = some_changes(6)
    await ledger.log.append(changes[:3])
    appending, stale = ledger.opened(), await log.head()
    begun = await log.begin_epoch()
    seen = iter([stale])
    reread = appending.head

    async def head() -> LogHead:
        return next(seen, None) or await reread()

    monkeypatch.setattr(appending, "head", head)
    added = await appending.append(changes[3:])

    assert {entry.epoch for entry in added} == {begun.epoch}
    assert (await log.head()).epoch == begun.epoch
    assert await ledger.logged() == changes


async def test_epochs_and_appends_at_once_lose_nothing(ledger: Ledger, log: ChangeLog) -> None:
    await ledger.log.append(some_changes(1, uids="z"))
    own = [some_changes(2, uids=chr(ord("a") + number)) for number in range(8)]
    appends = [ledger.opened().append(mine) for mine in own]
    begun = await asyncio.gather(*(log.begin_epoch() for _ in range(4)), *appends)

    logged = await ledger.logged()
    assert len(logged) == 17
    assert all(change in logged for mine in own for change in mine)
    epochs = {head.epoch for head in begun if isinstance(head, LogHead)}
    assert len(epochs) == 4
    assert (await log.head()).epoch in epochs
    assert (await ledger.verified()).end.sequence == 17


async def refused(stage: Stage, cursor: str) -> bool:
    client = await resumed(stage, cursor)
    return [code for _, code in refusals(client.taken())] == ["CURSOR_EXPIRED"]


async def resumed(stage: Stage, cursor: str) -> Client:
    client = await stage.client("acme")
    await client.subscribe(TITLES, after=cursor)
    return client


async def list_cursor(stage: Stage) -> str:
    data = await manager(stage).data("{ tasks { eventCursor } }")
    return data["tasks"]["eventCursor"]


async def test_cursors_of_before_are_expired_and_those_of_after_are_good(stage: Stage, clock: Clock) -> None:
    client = await a_listener(stage)
    project = await happen(stage, "told")
    (event,) = told(client.taken())
    clock.forward(seconds=6)
    old = [event["cursor"], await position(stage), await list_cursor(stage)]
    await stage.world.services.sources.change_log(ACME, Deadline.after(10)).begin_epoch()

    assert [await refused(stage, cursor) for cursor in old] == [True] * 3
    new = [await position(stage), await list_cursor(stage)]
    await happen(stage, "after", project=project)
    assert [titles(await resumed(stage, cursor)) for cursor in new] == [["after"]] * 2
    assert [await refused(stage, cursor) for cursor in old] == [True] * 3
