"""Which suite has found which planted bug, at which turn and how fast."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tests.isolation.party import IsolationError
from tests.isolation.stage import Plant

# Looks for a planted bug; the number is its turn.
Suite = Callable[[Plant, int], None]


@dataclass
class Search:
    """One suite's search for one mutant; `found` is what gave it away, at the last of its turns."""

    turns: int = 0
    seconds: float = 0.0
    found: str | None = None

    def take_turn(self, suite: Suite, plant: Plant) -> None:
        started = time.perf_counter()
        try:
            suite(plant, self.turns)
        except IsolationError as error:
            self.found = str(error)
        except BaseExceptionGroup as several:
            # Hypothesis wraps what it cannot repeat, as a mutant's memory makes runs differ.
            error = _first(several)
            if error is None:
                raise
            self.found = str(error)
        self.turns += 1
        self.seconds += time.perf_counter() - started

    def __str__(self) -> str:
        verdict = "found" if self.found else "-" if self.turns else "not asked"
        return f"{verdict} in turn {self.turns}, {self.seconds:.1f} s" if self.found else verdict


@dataclass
class Proof:
    """The searches for one mutant, by suite."""

    mutant: str
    searches: Mapping[str, Search] = field(default_factory=dict)

    @property
    def succeeded(self) -> bool:
        return any(search.found for search in self.searches.values())


PROOFS: list[Proof] = []


def report() -> list[str]:
    """The table, a line for each mutant."""
    lines: list[str] = []
    for proof in PROOFS:
        evidence = next((s.found for s in proof.searches.values() if s.found), "NOT FOUND")
        found = "".join(f"{name}: {search!s:<26}" for name, search in proof.searches.items())
        lines.append(f"{proof.mutant:<36}{found}{evidence.splitlines()[0][:60]}")
    return lines


def _first(several: BaseExceptionGroup[BaseException]) -> IsolationError | None:
    matching = several.subgroup(IsolationError)
    while isinstance(matching, BaseExceptionGroup):
        matching = matching.exceptions[0]
    return matching if isinstance(matching, IsolationError) else None
