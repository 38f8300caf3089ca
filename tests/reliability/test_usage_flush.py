"""A flush under accidents of the network: every figure counts once, and no request hears of it."""

import asyncio
import json

import pytest

from graphql_api.auth.identity import Role
from graphql_api.deadline import Deadline
from graphql_api.metering.figures import of_operation
from graphql_api.metering.ledger import Ledger
from graphql_api.metering.usage import PATIENCE_SECONDS, Usage
from graphql_api.store.keys import tenant_family
from tests.log_lines import log_lines
from tests.reliability.network import (
    Accident,
    Attempt,
    Network,
    hangs,
    lost_answer,
    refused,
    reset,
    unreachable,
)
from tests.world import World

ACME = tenant_family("acme")
ONE = of_operation(failed=False, points=3, seconds=0.02, size=100, read=0.5, write=0)
VIEWER = "query Viewer { viewer { name } }"
ACCIDENTS: dict[str, Accident] = {
    "lost answer": lost_answer,
    "reset": reset,
    "unreachable": unreachable,
    "hangs": hangs,
}


@pytest.fixture
def usage(world: World) -> Usage:
    """As a process has it that writes as often as it can."""
    usage = world.services.usage
    usage._flush_seconds = 0.0
    return usage


async def points(world: World) -> int:
    ledger = Ledger(world.services.sources.control(ACME, Deadline.after(60)), ACME)
    return await ledger.points_in_month(world.services.sources.now().date())


def spoiled(*accidents: str, network: Network) -> None:
    """Let the next transactions meet with these; everything else goes well."""
    remaining = iter(accidents)

    def accident(attempt: Attempt) -> Accident | None:
        name = next(remaining, None) if attempt.operation == "TransactWriteItems" else None
        return ACCIDENTS[name] if name else None

    network.accident = accident


@pytest.mark.parametrize("accident", ACCIDENTS)
@pytest.mark.parametrize("times", [1, 2, 3, 9])
async def test_whatever_happens_to_a_flush_its_figures_count_once(
    world: World, network: Network, usage: Usage, accident: str, times: int
):
    usage.count(ACME, "One", ONE)
    spoiled(*[accident] * times, network=network)
    for _ in range(times + 1):
        await usage.flush()
    assert not usage.is_due
    assert await points(world) == 3


@pytest.mark.parametrize("accident", ACCIDENTS)
async def test_an_operation_is_answered_whatever_happens_to_the_flush_beside_it(
    world: World, network: Network, usage: Usage, accident: str
):
    member = world.as_("acme", Role.MEMBER)
    await member.data(VIEWER)
    network.accident = lambda attempt: (
        ACCIDENTS[accident] if attempt.operation == "TransactWriteItems" else None
    )
    began = asyncio.get_running_loop().time()
    assert await member.data(VIEWER) == {"viewer": {"name": "Acme Member"}}
    assert asyncio.get_running_loop().time() - began <= PATIENCE_SECONDS + 0.1


async def test_a_flush_is_in_nobody_s_name(world: World, network: Network, usage: Usage):
    """It writes for all tenants, and is no part of the request beside which it runs."""
    await world.as_("globex", Role.MEMBER).data(VIEWER)
    network.accident = lambda attempt: (
        refused("ValidationException") if attempt.operation == "TransactWriteItems" else None
    )
    with log_lines() as lines:
        await world.as_("acme", Role.MEMBER).data(VIEWER)
    (failure,) = [line for line in lines() if line["message"].startswith("Usage could not")]
    assert {"tenant", "request_id", "operation"}.isdisjoint(failure)
    assert "Viewer" not in json.dumps(failure)
