"""How long operations took, kept as counts in buckets, from which any percentile can be told.

A bucket's end is 1.2 times its beginning, and a percentile is told as the geometric mean of both: it is off
by 9.6 % at most. What took less than a millisecond is told as one.
"""

from collections.abc import Mapping
from math import ceil, log, sqrt

RATIO = 1.2
LAST = 58  # begins at 32 s, which no request takes
_PREFIX = "ms"
_LOG_RATIO = log(RATIO)


def bucket(milliseconds: float) -> str:
    """The name under which a duration is counted."""
    if milliseconds < 1:
        return f"{_PREFIX}00"
    return f"{_PREFIX}{min(int(log(milliseconds) / _LOG_RATIO) + 1, LAST):02}"


def is_bucket(name: str) -> bool:
    """Whether durations are counted under that name."""
    return name.startswith(_PREFIX)


def percentile(figures: Mapping[str, int], share: float) -> float | None:
    """The milliseconds within which that share of the counted durations was; None without any."""
    counts = sorted((name, count) for name, count in figures.items() if is_bucket(name))
    rank = ceil(share * sum(count for _, count in counts))
    for name, count in counts:
        rank -= count
        if rank <= 0:
            return _middle(int(name.removeprefix(_PREFIX)))
    return None


def _middle(number: int) -> float:
    return 1.0 if number == 0 else RATIO**number / sqrt(RATIO)
