"""Plausible bugs that let one tenant reach, see or feel another, each planted in the product for a test.

What a mutant remembers lives as long as its planting, as in one process.
"""

from tests.isolation.mutants import memory, oracles, reach, realtime
from tests.isolation.mutants.mass_assignment import mass_assignment
from tests.isolation.stage import Plant

MUTANTS: tuple[Plant, ...] = (
    mass_assignment,
    *reach.MUTANTS,
    *memory.MUTANTS,
    *oracles.MUTANTS,
    *realtime.MUTANTS,
)
