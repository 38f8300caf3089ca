"""What a tenant used and what that cost, in the form in which it is shown."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

import strawberry

from graphql_api.context import Info
from graphql_api.errors import InvalidInputError
from graphql_api.metering import prices
from graphql_api.metering.figures import Figures, total
from graphql_api.metering.latency import percentile
from graphql_api.metering.ledger import Ledger, Period, month_of
from graphql_api.store.keys import tenant_family

MAX_DAYS, MAX_DAYS_BY_HOUR = 92, 7
MAX_MONTHS = 5  # that 92 days can touch: a Query for each
TOP = 20
_EARLIEST, _LATEST = date(2000, 1, 1), date(2999, 12, 31)
_NOTHING: Figures = {}


@strawberry.type(
    description="What was used. Numbers are whole unless said otherwise; many are beyond an Int's 32 bits."
)
class Usage:
    operations: float = strawberry.field(description="Operations of clients, refused ones included.")
    errors: float = strawberry.field(description="Those whose answer had an entry in `errors`.")
    error_rate: float = strawberry.field(description="From 0 to 1.")
    points: float = strawberry.field(description="Cost points.")
    p50_ms: float | None = strawberry.field(
        description="Milliseconds within which half of the operations were answered, to within 10 %."
    )
    p95_ms: float | None = strawberry.field(description="The same of 95 in 100.")
    response_bytes: float
    read_units: float = strawberry.field(description="Consumed read capacity of DynamoDB, in halves.")
    write_units: float = strawberry.field(description="Consumed write capacity of DynamoDB, in halves.")
    pushes: float = strawberry.field(description="Events sent to subscribers.")
    pushed_bytes: float
    connection_minutes: float = strawberry.field(
        description="Of WebSockets, counted when they end; fractions of a minute included."
    )
    webhook_calls: float


@strawberry.type(description="One position of a bill. Amounts are decimals in text, so that they stay exact.")
class CostLine:
    item: str
    quantity: str
    unit: str
    unit_price: str = strawberry.field(description="For one unit.")
    amount: str = strawberry.field(description="Rounded to the billionth.")


@strawberry.type(description="What usage costs by the list prices of AWS; docs/usage.md has the table.")
class UsageCost:
    currency: str
    total: str = strawberry.field(description="The sum of the lines' amounts, a decimal in text.")
    lines: list[CostLine] = strawberry.field(metadata={"list_size": len(prices.PRICES)})


@strawberry.type(description="An hour or a day.")
class UsagePoint:
    at: datetime = strawberry.field(description="When it began, in UTC.")
    usage: Usage


@strawberry.type(description="What was used by one operation, by its name in the documents of clients.")
class OperationUsage:
    name: str = strawberry.field(
        description="In brackets what has none: (anonymous), (other) beyond a hundred names in a day, "
        "(invalid) where none could be read; and what is done besides: (connections), (background)."
    )
    usage: Usage


@strawberry.type(description="What was used in a calendar month of UTC.")
class MonthlyUsage:
    totals: Usage
    cost: UsageCost


@strawberry.type(description="What was used in a period; the last minute may be missing.")
class UsageReport:
    first: date = strawberry.field(name="from")
    last: date = strawberry.field(name="to")
    totals: Usage
    cost: UsageCost
    series: list[UsagePoint] = strawberry.field(
        description="Every day or hour of the period, in order.",
        metadata={"list_size": 24 * MAX_DAYS_BY_HOUR},
    )
    ledger: strawberry.Private[Ledger]

    @strawberry.field(
        description=f"The {TOP} that used most cost points.",
        metadata={"list_size": TOP, "query": MAX_MONTHS},
    )
    async def operations(self, info: Info) -> list[OperationUsage]:
        found = await self.ledger.by_operation(Period(self.first, self.last))
        dearest = sorted(found.items(), key=lambda item: (-item[1]["points"], item[0]))
        return [OperationUsage(name=name, usage=shown(figures)) for name, figures in dearest[:TOP]]


def own_ledger(info: Info) -> Ledger:
    """The use of the caller's tenant."""
    return Ledger(info.context.control, info.context.repository.family)


def ledger_of(info: Info, slug: str) -> Ledger:
    """A tenant's use, for a platform operator."""
    return Ledger(info.context.control_of(slug), tenant_family(slug))


def period(first: date, last: date, most: int) -> Period:
    """The days from one to the other. Raises InvalidInputError where they are more than `most`, or none."""
    if not _EARLIEST <= first <= last <= _LATEST:
        raise InvalidInputError("`from` must not be after `to`, and both lie from 2000 to 2999.", "from")
    wanted = Period(first, last)
    if wanted.days > most:
        raise InvalidInputError(f"A period has {most} days at most at this resolution.", "to")
    return wanted


async def daily(ledger: Ledger, wanted: Period) -> UsageReport:
    """The report with a point for each day."""
    found = await ledger.by_day(wanted)
    days = [wanted.first + timedelta(days=number) for number in range(wanted.days)]
    points = [(datetime.combine(day, time(), UTC), found.get(day.isoformat(), _NOTHING)) for day in days]
    return _report(ledger, wanted, points)


async def hourly(ledger: Ledger, wanted: Period) -> UsageReport:
    """The report with a point for each hour."""
    found = await ledger.by_hour(wanted)
    begins = datetime.combine(wanted.first, time(), UTC)
    hours = [begins + timedelta(hours=number) for number in range(24 * wanted.days)]
    return _report(ledger, wanted, [(at, found.get(f"{at:%Y-%m-%dT%H}", _NOTHING)) for at in hours])


async def monthly(ledger: Ledger, day: date) -> MonthlyUsage:
    """What was used in the calendar month of that day: one Query. Raises InvalidInputError."""
    figures = total((await ledger.by_day(month_of(period(day, day, 1).first))).values())
    return MonthlyUsage(totals=shown(figures), cost=cost_of(figures))


def shown(figures: Figures) -> Usage:
    """Figures as they are shown."""

    def number(name: str) -> float:
        return float(figures.get(name, 0))

    operations = number("operations")
    return Usage(
        operations=operations,
        errors=number("errors"),
        error_rate=number("errors") / operations if operations else 0.0,
        points=number("points"),
        p50_ms=percentile(figures, 0.5),
        p95_ms=percentile(figures, 0.95),
        response_bytes=number("bytes"),
        read_units=number("read_halves") / 2,
        write_units=number("write_halves") / 2,
        pushes=number("pushes"),
        pushed_bytes=number("pushed_bytes"),
        connection_minutes=number("connection_seconds") / 60,
        webhook_calls=number("webhook_calls"),
    )


def cost_of(figures: Figures) -> UsageCost:
    """What figures cost, line by line."""
    lines = prices.bill(figures)
    return UsageCost(
        currency=prices.CURRENCY,
        total=prices.written(prices.dollars(lines)),
        lines=[
            CostLine(
                item=line.price.item,
                quantity=prices.written(line.quantity),
                unit=line.price.unit,
                unit_price=f"{line.price.dollars:f}",
                amount=prices.written(line.amount),
            )
            for line in lines
        ],
    )


def _report(ledger: Ledger, wanted: Period, points: Sequence[tuple[datetime, Figures]]) -> UsageReport:
    figures = total(figures for _, figures in points)
    return UsageReport(
        first=wanted.first,
        last=wanted.last,
        totals=shown(figures),
        cost=cost_of(figures),
        series=[UsagePoint(at=at, usage=shown(figures)) for at, figures in points],
        ledger=ledger,
    )
