"""What use costs: figures in, lines of a bill out, in exact decimals of US dollars.

The list prices of AWS in us-east-1 as they were read in November 2026 (docs/usage.md says where each comes
from). They are applied to what is attributed to a tenant; free tiers, discounts and what is shared by all
tenants are not in them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from graphql_api.metering.figures import Figures

CURRENCY, REGION, AS_OF = "USD", "us-east-1", "2026-11"
FUNCTION_GB = Decimal(1769) / 1024  # of memory, which the template gives each function

_MILLION, _GB = Decimal(1_000_000), Decimal(1024**3)
_BILLIONTH = Decimal("0.000000001")


class Price(NamedTuple):
    """A thing that costs, its unit, and the dollars for one."""

    item: str
    unit: str
    dollars: Decimal


@dataclass(frozen=True, slots=True)
class Line:
    """So much of a thing, and what it costs, in dollars."""

    price: Price
    quantity: Decimal

    @property
    def amount(self) -> Decimal:
        """To the billionth of a dollar."""
        return (self.quantity * self.price.dollars).quantize(_BILLIONTH)


REQUESTS = Price("requests", "request", Decimal("1.00") / _MILLION)
INVOCATIONS = Price("function invocations", "invocation", Decimal("0.20") / _MILLION)
COMPUTE = Price("function time", "GB-second", Decimal("0.0000133334"))
READS = Price("table reads", "read unit", Decimal("0.125") / _MILLION)
WRITES = Price("table writes", "write unit", Decimal("0.625") / _MILLION)
PUSHES = Price("pushes", "32 KB message", Decimal("1.00") / _MILLION)
CONNECTED = Price("connections", "minute", Decimal("0.25") / _MILLION)
DATA_OUT = Price("data out", "GB", Decimal("0.09"))
PRICES = (REQUESTS, INVOCATIONS, COMPUTE, READS, WRITES, PUSHES, CONNECTED, DATA_OUT)


def bill(figures: Figures) -> Sequence[Line]:
    """A line for each price, in their order."""

    def number(name: str) -> Decimal:
        return Decimal(figures.get(name, 0))

    operations, sent = number("operations"), number("bytes") + number("pushed_bytes")
    quantities = (
        operations,
        operations + number("webhook_calls"),
        number("microseconds") / _MILLION * FUNCTION_GB,
        number("read_halves") / 2,
        number("write_halves") / 2,
        number("push_steps"),
        number("connection_seconds") / 60,
        sent / _GB,
    )
    return [Line(price, quantity) for price, quantity in zip(PRICES, quantities, strict=True)]


def dollars(lines: Sequence[Line]) -> Decimal:
    """What they come to: the sum of the amounts as they are shown."""
    return sum((line.amount for line in lines), Decimal(0))


def written(amount: Decimal) -> str:
    """An amount or a quantity in plain digits, with nine behind the point."""
    return f"{amount:.9f}"
