"""Which suite has found which planted bug, at which turn and how fast."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.isolation.party import IsolationError
from tests.isolation.stage import Plant


@dataclass(frozen=True)
class Suite:
    """`look` looks for a planted bug in one turn, whose number it is given; there are so many `turns`."""

    name: str
    look: Callable[[Plant, int], None]
    turns: int


@dataclass
class Search:
    """One suite's search for one mutant; `found` is what gave it away, at the last of its turns."""

    suite: Suite
    turns: int = 0
    seconds: float = 0.0
    found: str | None = None

    def run(self, plant: Plant) -> None:
        """Take turns until one finds the mutant, or all are taken."""
        while self.turns < self.suite.turns and not self.found:
            self.take_turn(plant)

    def take_turn(self, plant: Plant) -> None:
        started = time.perf_counter()
        try:
            self.suite.look(plant, self.turns)
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
        verdict = "found" if self.found else "not found"
        return f"{self.suite.name}: {verdict} in turn {self.turns}, {self.seconds:.1f} s"


@dataclass
class Proof:
    """The searches for one mutant, in the order in which they were made."""

    searches: list[Search] = field(default_factory=list[Search])

    @property
    def succeeded(self) -> bool:
        return any(search.found for search in self.searches)


# By mutant.
PROOFS: dict[str, Proof] = {}


def report() -> list[str]:
    """The table, a line for each mutant."""
    lines: list[str] = []
    for mutant, proof in PROOFS.items():
        evidence = next((search.found for search in proof.searches if search.found), "NOT FOUND")
        searches = "  ".join(f"{search!s:<50}" for search in proof.searches)
        lines.append(f"{mutant:<39}{searches}  {evidence.splitlines()[0][:60]}")
    return lines


def _first(several: BaseExceptionGroup[BaseException]) -> IsolationError | None:
    matching = several.subgroup(IsolationError)
    while isinstance(matching, BaseExceptionGroup):
        matching = matching.exceptions[0]
    return matching if isinstance(matching, IsolationError) else None
