"""Usage: what is collected of operations, written beside others, and shown to whom it belongs."""

from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from graphql_api.auth.identity import Role
from graphql_api.deadline import Deadline
from graphql_api.metering.ledger import Ledger
from graphql_api.store.keys import tenant_family
from tests.features.builders import a_project
from tests.iam.guard import TenantSession
from tests.world import World, open_world

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
TODAY = {"from": "2026-11-20", "to": "2026-11-20"}
USAGE = "operations errors errorRate points p50Ms p95Ms responseBytes readUnits writeUnits"
COST = "cost { currency total lines { item quantity unit unitPrice amount } }"
REPORT = f"""query Report($from: Date!, $to: Date!, $resolution: UsageResolution! = DAILY) {{
    usage(from: $from, to: $to, resolution: $resolution) {{
        from to totals {{ {USAGE} }} {COST} series {{ at usage {{ operations points }} }}
        operations {{ name usage {{ {USAGE} }} }} }} }}"""
OF_TENANT = f"""query ($slug: String!, $from: Date!, $to: Date!) {{
    tenantUsage(slug: $slug, from: $from, to: $to) {{ totals {{ {USAGE} }} operations {{ name }} }} }}"""
OF_ALL = """query ($month: Date!) { tenants { edges { node {
    slug usage(month: $month) { totals { operations points } cost { currency total } } } } } }"""
PROJECTS = "query Projects { projects(first: 5) { edges { node { name } } } }"


class Clock:
    def __init__(self) -> None:
        self.at = NOON

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def world(engine_endpoint: str, clock: Clock) -> AsyncIterator[World]:
    opened = await open_world(engine_endpoint, now=clock)
    try:
        yield opened
    finally:
        await opened.services.close()
    assert not opened.guard.refused
    assert "Scan" not in opened.guard.operations


@pytest.fixture
def admin(world: World) -> World:
    return world.as_("acme", Role.ADMIN)


async def flushed(world: World) -> World:
    await world.services.usage.flush()
    return world


async def report(world: World, **variables: Any) -> Any:
    return (await (await flushed(world)).data(REPORT, **(TODAY | variables)))["usage"]


def named(usage: Any) -> dict[str, Any]:
    return {operation["name"]: operation["usage"] for operation in usage["operations"]}


async def test_an_operation_is_attributed_to_its_tenant_and_to_its_name(admin: World):
    await a_project(admin)
    answers = [await admin.execute(PROJECTS) for _ in range(3)]
    await admin.execute('query Broken { project(id: "none") { name } }')
    await admin.execute("{ nothing }")
    await admin.execute("query Unread {")

    usage = await report(admin)
    operations = named(usage)
    assert set(operations) == {"Projects", "Broken", "(anonymous)", "(invalid)"}
    projects = operations["Projects"]
    assert (projects["operations"], projects["errors"], projects["errorRate"]) == (3, 0, 0)
    assert projects["responseBytes"] == sum(len(answer.reply.body) for answer in answers)
    # The connection, its edge and its project; a Query of one small item.
    assert (projects["points"], projects["readUnits"], projects["writeUnits"]) == (9, 1.5, 0)
    assert projects["p50Ms"] <= projects["p95Ms"] < 10_000
    assert operations["Broken"]["errorRate"] == 1
    assert operations["(invalid)"]["operations"] == 2
    assert operations["(anonymous)"]["writeUnits"] > 0
    totals = usage["totals"]
    for figure in ("operations", "errors", "points", "responseBytes", "readUnits", "writeUnits"):
        assert totals[figure] == sum(each[figure] for each in operations.values()), figure
    assert usage["series"] == [
        {
            "at": "2026-11-20T00:00:00+00:00",
            "usage": {"operations": totals["operations"], "points": totals["points"]},
        }
    ]


async def test_series_are_by_day_and_by_hour(admin: World, clock: Clock):
    await admin.data(PROJECTS)
    await flushed(admin)
    clock.at += timedelta(hours=1)
    await admin.data(PROJECTS)
    await flushed(admin)
    clock.at += timedelta(days=11)
    await admin.data(PROJECTS)

    days = (await report(admin, **{"from": "2026-11-19", "to": "2026-12-02"}))["series"]
    assert [point["usage"]["operations"] for point in days] == [0, 2, *[0] * 10, 1, 0]
    hours = (await report(admin, resolution="HOURLY"))["series"]
    assert [point["usage"]["operations"] for point in hours] == [0] * 12 + [1, 1] + [0] * 10
    assert hours[13]["at"] == "2026-11-20T13:00:00+00:00"


async def test_a_bill_is_exact(admin: World):
    for _ in range(7):
        await admin.data(PROJECTS)
    usage = await report(admin)
    cost, totals = usage["cost"], usage["totals"]
    lines = {line["item"]: line for line in cost["lines"]}
    assert cost["currency"] == "USD"
    assert Decimal(cost["total"]) == sum(Decimal(line["amount"]) for line in cost["lines"]) > 0
    assert lines["requests"]["amount"] == "0.000007000"
    assert Decimal(lines["table reads"]["quantity"]) == Decimal(str(totals["readUnits"]))
    assert Decimal(lines["table reads"]["unitPrice"]) * 1_000_000 == Decimal("0.125")


async def test_nobody_else_sees_a_tenant_s_usage(world: World, admin: World):
    await admin.data("query Secret { viewer { name } }")
    other = world.as_("globex", Role.ADMIN)
    await other.data("query Public { viewer { name } }")

    assert set(named(await report(other))) == {"Public"}
    assert set(named(await report(admin))) == {"Secret", "Report"} - {"Report"}
    for role in (Role.VIEWER, Role.MEMBER, Role.MANAGER, Role.PLATFORM):
        caller = world.as_(None if role is Role.PLATFORM else "acme", role)
        assert (await caller.execute(REPORT, **TODAY)).codes == ["FORBIDDEN"]
    for caller in (admin, other):
        assert (await caller.execute(OF_TENANT, slug="globex", **TODAY)).codes == ["FORBIDDEN"]


async def test_the_platform_sees_all_tenants(world: World, admin: World):
    await admin.data(PROJECTS)
    await flushed(world)
    operator = world.as_(None, Role.PLATFORM)
    one = (await operator.data(OF_TENANT, slug="acme", **TODAY))["tenantUsage"]
    assert one["totals"]["operations"] == 1
    assert [operation["name"] for operation in one["operations"]] == ["Projects"]

    world.guard.forget_calls()
    data = await operator.data(OF_ALL, month="2026-11-01")
    assert [call.operation for call in world.guard.calls] == ["Query"] * 3
    found = {edge["node"]["slug"]: edge["node"]["usage"] for edge in data["tenants"]["edges"]}
    assert found["acme"]["totals"] == {"operations": 1, "points": one["totals"]["points"]}
    assert Decimal(found["acme"]["cost"]["total"]) > 0 == Decimal(found["globex"]["cost"]["total"])
    for slug in ("nobody", "T#acme"):
        assert (await operator.execute(OF_TENANT, slug=slug, **TODAY)).codes == ["NOT_FOUND"]


@pytest.mark.parametrize(
    ("first", "last", "resolution"),
    [
        ("2026-11-21", "2026-11-20", "DAILY"),
        ("2026-01-01", "2026-04-03", "DAILY"),
        ("2026-11-01", "2026-11-08", "HOURLY"),
        ("1999-12-31", "2000-01-01", "DAILY"),
        ("9999-12-31", "9999-12-31", "DAILY"),
    ],
)
async def test_a_period_is_bounded(admin: World, first: str, last: str, resolution: str):
    answer = await admin.execute(REPORT, **{"from": first, "to": last, "resolution": resolution})
    assert answer.codes == ["BAD_USER_INPUT"]


async def test_the_longest_period_is_a_query_for_each_month(admin: World):
    await admin.data(PROJECTS)
    longest = {"from": "2026-01-31", "to": "2026-05-02"}
    assert await admin.calls(REPORT, **longest) == ["Query"] * 10


async def test_the_points_of_a_month_are_one_query(world: World, admin: World, clock: Clock):
    for month in range(2):
        await admin.data(PROJECTS)
        await flushed(world)
        clock.at += timedelta(days=30 * (month + 1))
    family = tenant_family("acme")
    ledger = Ledger(world.services.sources.control(family, Deadline.after(10)), family)
    world.guard.forget_calls()
    assert await ledger.points_in_month(NOON.date()) == 1
    assert [call.operation for call in world.guard.calls] == ["Query"]


async def test_a_refused_operation_is_counted_and_costs_no_points(admin: World):
    await admin.execute(
        "query Dear { users(first: 100) { edges { node { tasks(first: 100) { edges { cursor } } } } } }"
    )
    usage = named(await report(admin))
    ((_, dear),) = usage.items()
    assert (dear["operations"], dear["errors"], dear["points"]) == (1, 1, 0)


async def test_a_flush_runs_beside_an_operation_with_the_rights_of_whose_figures_they_are(
    world: World, admin: World, monkeypatch: pytest.MonkeyPatch
):
    await world.as_("globex", Role.VIEWER).data("query Public { viewer { name } }")
    await admin.data(PROJECTS)
    monkeypatch.setattr(world.services.usage, "_flush_seconds", 10.0)
    world.guard.forget_calls()
    await admin.data(PROJECTS)
    calls = Counter((call.operation, call.principal) for call in world.guard.calls)
    acme, globex = TenantSession("acme"), TenantSession("globex")
    assert calls == {("TransactWriteItems", acme): 1, ("TransactWriteItems", globex): 1, ("Query", acme): 1}
    world.guard.forget_calls()
    await admin.data(PROJECTS)
    assert [call.operation for call in world.guard.calls] == ["Query"]
