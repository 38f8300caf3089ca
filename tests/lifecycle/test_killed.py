"""A job whose function is stopped at any moment is taken up by the next, and comes to the same end."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from graphql_api.auth.identity import Role
from graphql_api.store.table import Table
from tests.lifecycle.estate import begun, dump, folder, furnish, of, operator, traces, work
from tests.realtime.stage import Clock, Stage
from tests.world import found


class Killing:
    """So many calls are made, then the function is no more: nothing is answered, and nothing goes on."""

    def __init__(self, calls: int, *, unsent: bool) -> None:
        self._left = calls
        self._unsent = unsent
        self.now, self.is_over = asyncio.Event(), asyncio.Event()

    async def call(self, made: Callable[[], Awaitable[Any]]) -> Any:
        self._left -= 1
        answer = None
        if self._left > 0 or (self._left == 0 and not self._unsent):
            answer = await made()
        if self._left <= 0:
            self.now.set()
            await self.is_over.wait()
            raise asyncio.CancelledError
        return answer


async def stopped(stage: Stage, calls: int, *, unsent: bool = False) -> bool:
    """Whether an invocation came to its own end before so many calls; the last was made, or `unsent`, not."""
    killing, call = Killing(calls, unsent=unsent), Table._call

    async def counted(self: Table, operation: Any, **parameters: Any) -> Any:
        return await killing.call(lambda: call(self, operation, **parameters))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Table, "_call", counted)
        working = asyncio.create_task(stage.jobs.handle())
        dying = asyncio.create_task(killing.now.wait())
        await asyncio.wait((working, dying), return_when=asyncio.FIRST_COMPLETED)
        has_ended = working.done()
        for task in (working, dying):
            task.cancel()
        await asyncio.wait((working, dying))
        killing.is_over.set()
        await asyncio.sleep(0)
    return has_ended


@pytest.mark.parametrize("unsent", [False, True])
async def test_an_erasure_that_is_stopped_behind_every_call_leaves_nothing(
    stage: Stage, clock: Clock, unsent: bool
) -> None:
    calls, is_whole = 0, False
    while not is_whole:
        calls += 1
        slug = f"tenant-{calls}"
        await found(stage.world, slug)
        job = await begun(operator(stage.world), "eraseTenant", slug=slug, confirm=slug)
        # Behind the time in which it may not end, so that the calls of its end are among these.
        clock.forward(minutes=2)
        is_whole = await stopped(stage, calls, unsent=unsent)
        assert (await work(stage, clock, job))["state"] == "DONE"
    everything = await dump(stage)
    assert calls > 30
    assert [slug for slug in (f"tenant-{n}" for n in range(1, calls + 1)) if traces(slug, everything)] == []


async def test_a_full_tenant_is_erased_by_functions_that_are_all_stopped(stage: Stage, clock: Clock) -> None:
    """Each invocation gets a call further than the one before, and none comes to its end."""
    client = await furnish(stage, "acme")
    before = of("globex", await dump(stage))
    job = await begun(operator(stage.world), "eraseTenant", slug="acme", confirm="acme")
    for calls in range(1, 80):
        if await stopped(stage, calls):
            break
        await stage.pump()
        clock.forward(seconds=5)
    assert (await work(stage, clock, job))["state"] == "DONE"
    everything = await dump(stage)
    assert traces("acme", everything) == []
    assert of("globex", everything) == before
    assert not client.is_open


def lasting(place: Path) -> dict[str, set[bytes]]:
    """What an export holds but for what each export adds: that it was made, and what it took."""
    passing = (b"#AUDIT", b"#USAGE#")
    return {
        file.name: {
            line for line in file.read_bytes().splitlines() if not any(map(line.__contains__, passing))
        }
        for file in place.iterdir()
        if file.suffix == ".ndjson"
    }


async def test_an_export_that_is_stopped_behind_every_call_writes_the_same_files(
    stage: Stage, clock: Clock
) -> None:
    await furnish(stage, "acme")
    admin = stage.world.as_("acme", Role.ADMIN)
    whole = await begun(admin, "exportTenant")
    await work(stage, clock, whole)
    place = folder(stage, "acme")
    expected = lasting(place)
    assert len(expected) > 10
    calls, is_whole = 0, False
    while not is_whole:
        calls += 3
        job = await begun(admin, "exportTenant")
        is_whole = await stopped(stage, calls)
        assert (await work(stage, clock, job))["state"] == "DONE"
        (other,) = (each for each in place.parent.iterdir() if each != place)
        assert lasting(other) == expected
        for file in other.iterdir():
            file.unlink()
        other.rmdir()
    assert calls > 30
