"""billing-export as it is typed: statements of periods that are over, the same whenever asked for."""

import asyncio
import csv
import hashlib
import io
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from graphql_api.__main__ import main
from graphql_api.auth.identity import Role
from graphql_api.metering.figures import of_operation
from graphql_api.metering.ledger import Period, month_of
from graphql_api.metering.usage import Usage
from graphql_api.store.keys import tenant_family
from tests.features.builders import done
from tests.world import World

# Over for long, whatever the time of day.
MONTH = month_of(datetime.now(UTC).date().replace(day=1) - timedelta(days=40))


class Exports:
    """The command, typed beside a system that a test has a hand in."""

    def __init__(self, world: World, printed: pytest.CaptureFixture[str]) -> None:
        self.world = world
        self._printed = printed

    async def used(self, tenant: str, points: int) -> None:
        """Have a tenant use so many points in a month that is over, in one operation."""
        at = datetime(MONTH.first.year, MONTH.first.month, 15, 12, tzinfo=UTC)
        sources = self.world.services.sources
        process = Usage(sources.control, lambda: at)
        figures = of_operation(failed=False, points=points, seconds=0.1, size=2000, read=1.5, write=2)
        process.count(tenant_family(tenant), "Board", figures)
        await process.flush(5)

    async def typed(self, *more: str, period: Period = MONTH) -> tuple[str, str]:
        """What it prints and what it says besides."""
        days = ("--from", period.first.isoformat(), "--to", period.last.isoformat())
        await asyncio.to_thread(main, ["billing-export", *days, *more])
        captured = self._printed.readouterr()
        return captured.out, captured.err


@pytest.fixture
def exports(world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Exports:
    settings = world.services.settings
    for name, value in {
        "PROFILE": "development",
        "TABLE_NAME": settings.table_name,
        "CONTROL_TABLE_NAME": settings.control_table_name,
        "JWT_ISSUER": settings.issuer,
        "JWT_AUDIENCE": settings.audience,
        "JWKS_URL": settings.jwks_url,
        "CURSOR_SECRETS": settings.cursor_secrets[0].decode(),
        "DYNAMODB_ENDPOINT": settings.dynamodb_endpoint or "",
    }.items():
        monkeypatch.setenv(name, value)
    return Exports(world, capsys)


async def test_a_statement_says_what_was_used_and_what_it_costs(exports: Exports):
    await exports.used("acme", 7)
    await exports.used("acme", 5)
    await exports.used("globex", 1)
    text, said = await exports.typed()
    acme, globex = map(json.loads, text.splitlines())
    assert (acme["tenant"], globex["tenant"]) == ("acme", "globex")
    assert acme["figures"] == {
        "operations": 2,
        "points": 12,
        "microseconds": 200_000,
        "bytes": 4000,
        "read_halves": 6,
        "write_halves": 8,
    }
    assert (acme["from"], acme["to"]) == (MONTH.first.isoformat(), MONTH.last.isoformat())
    assert Decimal(acme["total"]) == sum(Decimal(line["amount"]) for line in acme["lines"]) > 0
    assert said == f"2 tenants, SHA-256 {hashlib.sha256(text.encode()).hexdigest()}\n"


@pytest.mark.parametrize("form", ["jsonl", "csv"])
async def test_the_same_period_is_the_same_to_the_byte(exports: Exports, tmp_path: Path, form: str):
    await exports.used("acme", 7)
    first, _ = await exports.typed("--format", form)
    # By whatever mistake; and a tenant that was not there.
    await exports.used("acme", 1000)
    operator = exports.world.as_(None, Role.PLATFORM)
    person = {"adminEmail": "a@umbrella.example", "adminName": "A"}
    await done(operator, "onboardTenant", "tenant { slug }", slug="umbrella", name="Umbrella", **person)
    again, _ = await exports.typed("--format", form)
    await exports.typed("--format", form, "--output", str(tmp_path / "bill"))
    assert first == again == (tmp_path / "bill").read_bytes().decode()
    assert "acme" in first
    assert "globex" not in first


async def test_as_csv_each_position_is_a_row(exports: Exports):
    await exports.used("acme", 7)
    lines, _ = await exports.typed()
    rows, _ = await exports.typed("--format", "csv")
    read = list(csv.DictReader(io.StringIO(rows)))
    told = json.loads(lines)
    assert [row["item"] for row in read] == [line["item"] for line in told["lines"]]
    assert {row["tenant"] for row in read} == {"acme"}
    assert sum(Decimal(row["amount"]) for row in read) == Decimal(told["total"])


async def test_two_exports_at_once_make_one_statement(exports: Exports):
    await exports.used("acme", 7)
    await asyncio.gather(*(exports.typed() for _ in range(3)))
    (line,) = (await exports.typed())[0].splitlines()
    assert json.loads(line)["figures"]["points"] == 7


@pytest.mark.parametrize(
    ("first", "last", "told"),
    [
        (-1, 0, "The period can be billed from "),
        (0, 0, "The period can be billed from "),
        (-500, -400, "Some of the period's figures have expired"),
        (0, -1, "A period has from 1 to 366 days."),
        (-400, 0, "A period has from 1 to 366 days."),
    ],
)
async def test_what_cannot_be_billed_is_refused_in_a_line(exports: Exports, first: int, last: int, told: str):
    today = datetime.now(UTC).date()
    period = Period(today + timedelta(days=first), today + timedelta(days=last))
    with pytest.raises(SystemExit) as refused:
        await exports.typed(period=period)
    assert str(refused.value).startswith(told)
