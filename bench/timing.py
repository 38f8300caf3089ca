"""CPU time per request: slices of all contenders in turn, so that whatever disturbs one disturbs all."""

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

Repeat = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class Pace:
    """Rounds over everything, CPU seconds of a slice, and wall seconds after which it stops early."""

    rounds: int
    slice_seconds: float
    max_seconds: float
    min_rounds: int = 5


THOROUGH = Pace(rounds=21, slice_seconds=0.05, max_seconds=40)
QUICK = Pace(rounds=1, slice_seconds=0.001, max_seconds=5, min_rounds=1)


@dataclass(frozen=True, slots=True)
class Spread:
    """Median, least and greatest."""

    middle: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        return cls(median(values), min(values), max(values))


@dataclass(frozen=True, slots=True)
class Case:
    """The contenders' CPU seconds per request, a list per contender with one entry per round."""

    title: str
    seconds: Sequence[Sequence[float]]

    def microseconds(self, contender: int) -> float:
        return median(self.seconds[contender]) * 1e6

    def ratio(self, contender: int, to: int) -> Spread:
        """How many times the CPU of `to`, compared within each round."""
        pairs = zip(self.seconds[contender], self.seconds[to], strict=True)
        return Spread.of([mine / other for mine, other in pairs])


def measure(cases: Sequence[tuple[str, Sequence[Repeat]]], pace: Pace) -> list[Case]:
    """Time the contenders of every case, each as a function that makes so many requests."""
    stop = time.monotonic() + pace.max_seconds
    turns = [
        (case, number, repeat, _requests_per_slice(repeat, pace))
        for case, (_, repeats) in enumerate(cases)
        for number, repeat in enumerate(repeats)
    ]
    seconds = [[list[float]() for _ in repeats] for _, repeats in cases]
    gc.collect()
    gc.freeze()  # Collections during the slices see the requests' own garbage, not every module's objects.
    try:
        for round_number in range(pace.rounds):
            if round_number >= pace.min_rounds and time.monotonic() > stop:
                break
            for case, contender, repeat, requests in turns[:: -1 if round_number % 2 else 1]:
                seconds[case][contender].append(_cpu_seconds(repeat, requests) / requests)
    finally:
        gc.unfreeze()
    return [Case(title, timed) for (title, _), timed in zip(cases, seconds, strict=True)]


def _requests_per_slice(repeat: Repeat, pace: Pace) -> int:
    _cpu_seconds(repeat, 1)
    requests, spent = 1, 0.0
    # Doubling warms up as well: the interpreter specialises its code while it runs.
    while (spent := _cpu_seconds(repeat, requests)) < pace.slice_seconds:
        requests *= 2
    return max(1, round(requests * pace.slice_seconds / spent))


def _cpu_seconds(repeat: Repeat, requests: int) -> float:
    started = time.process_time()
    repeat(requests)
    return time.process_time() - started
