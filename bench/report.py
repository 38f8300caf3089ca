"""The findings as text."""

import os
import platform
from collections.abc import Iterator, Mapping
from importlib.metadata import version

from bench.contenders import BARE, NAMES, OURS, STOCK
from bench.observation import Calls, Observation
from bench.timing import Case, Spread

_PACKAGES = (
    "strawberry-graphql",
    "graphql-core",
    "starlette",
    "mangum",
    "orjson",
    "pyjwt",
    "cryptography",
    "aiobotocore",
)
_TITLE = 32
_CELLS = (6, 9, 8, 20, 20, 20)


def machine(*, quick: bool) -> Iterator[str]:
    """What the figures were taken with, and how busy the machine was."""
    yield f"$ python -m bench{' --quick' if quick else ''}"
    yield f"Python {platform.python_version()}; " + ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    busy = " ".join(f"{load:.1f}" for load in os.getloadavg())
    yield f"{os.cpu_count()} processors, load {busy}"
    yield "Medians of process CPU time; ratios of the same round, with the least and the greatest."


def cpu(cases_by_door: Mapping[str, list[Case]]) -> Iterator[str]:
    """µs of each contender, and how they compare."""
    ours, bare, stock = (NAMES.index(name) for name in (OURS, BARE, STOCK))
    for door, cases in cases_by_door.items():
        rounds = len(cases[0].seconds[0])
        yield f"\n{door} (CPU per request in µs, {rounds} rounds)"
        yield _row("", BARE, OURS, STOCK, f"{OURS} / {BARE}", f"{STOCK} / {BARE}", f"{OURS} / {STOCK}")
        for case in cases:
            times = (f"{case.microseconds(number):,.0f}" for number in (bare, ours, stock))
            ratios = (_spread(case.ratio(a, to=b)) for a, b in ((ours, bare), (stock, bare), (ours, stock)))
            yield _row(case.title, *times, *ratios)


def calls(observation: Observation) -> Iterator[str]:
    """The DynamoDB calls of everything that was executed."""
    yield "\nDynamoDB calls of one request (the caller's membership being known)"
    yield f"  {'':{_TITLE}}" + "".join(f"{name:26}" for name in (OURS, BARE, STOCK)).rstrip()
    for title, made in observation.workloads.items():
        cells = "".join(f"{_calls(made[name]):26}" for name in (OURS, BARE, STOCK))
        yield f"  {title:{_TITLE}}{cells.rstrip()}"
    for title, made in observation.operations.items():
        yield f"  {title:{_TITLE}}{_calls(made)}"


def _row(title: str, *cells: str) -> str:
    return f"  {title:{_TITLE}}" + "".join(
        f"{cell:>{width}}" for cell, width in zip(cells, _CELLS, strict=True)
    )


def _spread(ratio: Spread) -> str:
    return f"{ratio.middle:.3g} ({ratio.low:.3g}-{ratio.high:.3g})"


def _calls(made: Calls) -> str:
    return " + ".join(f"{count} {name}" for name, count in sorted(made.items())) or "none"
