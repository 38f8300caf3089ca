"""Chance that can be repeated: every random schedule is made from a number that its failure prints."""

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager


def chance(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - a schedule, not a secret


def seeds(share: float = 1.0) -> range:
    """As many as FAULT_SCHEDULES asks for, 200 by default; `share` is this test's part of them."""
    return range(max(1, round(int(os.environ.get("FAULT_SCHEDULES", "200")) * share)))


@contextmanager
def naming(seed: object) -> Iterator[None]:
    """Say which schedule it was that failed."""
    # The store's and the SDK's jitter draw from here.
    random.seed(repr(seed))
    try:
        yield
    except Exception as failure:
        failure.add_note(f"schedule: {seed}")
        raise
