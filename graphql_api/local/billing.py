"""billing-export: what each tenant is billed for a period that is over, as CSV or as lines of JSON."""

import argparse
import asyncio
import csv
import hashlib
import io
import json
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from graphql_api.changes.reconcile import listed
from graphql_api.deadline import Deadline
from graphql_api.features.tenants import REGISTRATIONS
from graphql_api.local.log_commands import LONGEST_SECONDS, services_here
from graphql_api.metering.ledger import Period
from graphql_api.metering.statement import NotBillableError, statement
from graphql_api.store.keys import PLATFORM, tenant_family
from graphql_api.store.table import Table

MAX_DAYS = 366
_COLUMNS = ("tenant", "from", "to", "item", "quantity", "unit", "unitPrice", "amount", "currency", "prices")


def describe(exporting: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    exporting.add_argument("--from", dest="first", type=_day, required=True, metavar="DAY", help="2026-11-01")
    exporting.add_argument("--to", dest="last", type=_day, required=True, metavar="DAY", help="included")
    exporting.add_argument("--format", choices=["csv", "jsonl"], default="jsonl", help="default: %(default)s")
    exporting.add_argument("--output", type=Path, metavar="FILE", help="default: standard output")
    exporting.set_defaults(run=export)


def export(arguments: argparse.Namespace) -> None:
    """Write the statements, by slug, and their digest to standard error. SystemExit for a period that cannot
    be billed.
    """
    period = Period(arguments.first, arguments.last)
    if not 1 <= period.days <= MAX_DAYS:
        raise SystemExit(f"A period has from 1 to {MAX_DAYS} days.")
    try:
        statements = asyncio.run(_statements(period))
    except NotBillableError as error:
        raise SystemExit(str(error)) from None
    text = _csv(statements) if arguments.format == "csv" else "".join(f"{line}\n" for line in statements)
    if arguments.output is None:
        print(text, end="")
    else:
        arguments.output.write_text(text, encoding="utf-8", newline="")
    digest = hashlib.sha256(text.encode()).hexdigest()
    print(f"{len(statements)} tenants, SHA-256 {digest}", file=sys.stderr)


async def _statements(period: Period) -> list[str]:
    async with services_here() as services:
        sources, deadline = services.sources, Deadline.after(LONGEST_SECONDS)
        registry = Table(sources.database, PLATFORM, deadline)
        families = [
            tenant_family(registration.uid)
            async for registration in listed(registry, PLATFORM, REGISTRATIONS)
        ]
        found = [
            await statement(sources.control(each, deadline), each, period, sources.now()) for each in families
        ]
        return [line for line in found if line is not None]


def _csv(statements: Sequence[str]) -> str:
    """A row for each position."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(_COLUMNS)
    for line in statements:
        told: dict[str, Any] = json.loads(line)
        for position in told["lines"]:
            row = {**told, **position}
            rows.writerow([row[column] for column in _COLUMNS])
    return text.getvalue()


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError("a day is like 2026-11-01") from None
