"""How many pairs of fields validation will compare: those of one response name in one selection set.

A pair costs one comparison, and those of what is below both (GraphQL §5.3.2). Compare a field with itself in
this sense and call the cost its square: then two fields f and g cost at most √(f²·g²), by Cauchy and Schwarz,
so the sum of the roots says of all fields of one name what they cost among each other.
"""

from collections.abc import Iterable, Mapping
from math import sqrt
from typing import NamedTuple

from graphql_api.metering.limits import COUNT_CEILING

_NO_ROOTS: Mapping[str, float] = {}


class Overlap(NamedTuple):
    """A selection, or a set of them, by response name; `done` is the part of the square that is not compared
    again in the set this one is part of.
    """

    roots: Mapping[str, float] = _NO_ROOTS
    square: float = 0.0
    done: float = 0.0

    @property
    def comparisons(self) -> int:
        """What the set costs itself; the sets below its fields are counted on their own."""
        return min(round((self.square - self.done) / 2), COUNT_CEILING)

    def as_fragment(self) -> "Overlap":
        """Spread elsewhere, its fields are compared with others, but not with each other again."""
        return self._replace(done=self.square)


def of_field(response_name: str, below: Overlap) -> Overlap:
    """The overlap of one field with what is selected below it."""
    square = 1 + below.square
    return Overlap({response_name: sqrt(square)}, square, square)


def of_selections(parts: Iterable[Overlap]) -> Overlap:
    """The overlap of the selections of one set; time goes with the names that stand in several of them."""
    roots: dict[str, float] = {}
    square = done = 0.0
    for part in parts:
        shared = {name: (roots[name], part.roots[name]) for name in roots.keys() & part.roots.keys()}
        square += part.square + 2 * sum(ours * theirs for ours, theirs in shared.values())
        done += part.done
        roots.update(part.roots)
        roots.update({name: ours + theirs for name, (ours, theirs) in shared.items()})
    return Overlap(roots, square, done)
