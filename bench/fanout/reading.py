"""What is found of one event: counts that do not depend on the machine, and CPU that does."""

from collections.abc import Mapping
from dataclasses import dataclass

from bench.timing import Case

OURS, UNSENT, PEER = range(3)  # places in a row's case


@dataclass(frozen=True, slots=True)
class Observed:
    """Executions, DynamoDB calls by operation, and the bytes of their requests' and answers' bodies."""

    executions: int
    calls: Mapping[str, int]
    bytes: int


@dataclass(frozen=True, slots=True)
class Row:
    """One event to so many subscribers. Of the peer there is nothing where it did not run.

    `first` is an event when no subscriber's membership is known, which is read once in four seconds.
    """

    subscribers: int
    title: str
    ours: Observed
    first: Observed
    peer: Observed | None
    cpu: Case
