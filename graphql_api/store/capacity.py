"""What calls consumed of DynamoDB's capacity, as its answers say it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, cast


class Meter(Protocol):
    """Who is told what a call consumed, in read and write units."""

    def add(self, read: float, write: float) -> None: ...


@dataclass(slots=True)
class Consumed:
    """A sum of read and write units; a unit of reading comes in halves."""

    read: float = 0.0
    write: float = 0.0

    def add(self, read: float, write: float) -> None:
        self.read += read
        self.write += write


def measure(answer: Mapping[str, Any], meter: Meter) -> None:
    """Add what a call consumed that asked for ReturnConsumedCapacity.

    A transaction says which of it was reading (a repetition under the same token is) and which writing; a
    single call does not, and is one of both.
    """
    reported = answer.get("ConsumedCapacity", [])
    reads = "Items" in answer or "Responses" in answer
    for one in cast("list[Mapping[str, float]]", reported if isinstance(reported, list) else [reported]):
        units = one.get("CapacityUnits", 0.0)
        written = 0.0 if reads or "ReadCapacityUnits" in one else units
        meter.add(
            one.get("ReadCapacityUnits", units if reads else 0.0), one.get("WriteCapacityUnits", written)
        )
