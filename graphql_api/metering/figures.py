"""What is counted of a tenant's use: whole numbers by name, which add up over operations and hours.

operations, errors       of its clients; an operation with any entry in `errors` is one that failed
points                   cost points, of what was returned
microseconds             from the operation's arrival in the pipeline to its encoded answer
bytes                    of those answers
read_halves, write_halves    consumed capacity of DynamoDB, in halves of a unit
pushes, push_steps, pushed_bytes    frames to subscribers, the 32 KB that each began, and their bytes
connection_seconds       of its sockets, counted when they end
webhook_calls            calls of its webhooks, repetitions included
ms00 …                   durations by bucket (see `metering.latency`)
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from graphql_api.metering.latency import bucket

Figures = Mapping[str, int]

STEP_BYTES = 32 * 1024  # of a WebSocket message, by which API Gateway counts
# What no operation of GraphQL can be called.
ANONYMOUS, OTHER, INVALID = "(anonymous)", "(other)", "(invalid)"
CONNECTIONS, WEBHOOKS, BACKGROUND = "(connections)", "(webhooks)", "(background)"


def of_operation(
    *, failed: bool, points: int, seconds: float, size: int, read: float, write: float
) -> dict[str, int]:
    """The figures of one operation."""
    return {
        "operations": 1,
        "errors": int(failed),
        "points": points,
        "microseconds": round(seconds * 1_000_000),
        "bytes": size,
        **of_capacity(read, write),
        bucket(seconds * 1000): 1,
    }


def of_capacity(read: float, write: float) -> dict[str, int]:
    """The figures of units of capacity."""
    return {"read_halves": round(2 * read), "write_halves": round(2 * write)}


def of_pushes(sizes: Iterable[int]) -> dict[str, int]:
    """The figures of frames of so many bytes."""
    counted = list(sizes)
    return {
        "pushes": len(counted),
        "push_steps": sum(-(-size // STEP_BYTES) for size in counted),
        "pushed_bytes": sum(counted),
    }


def total(many: Iterable[Figures]) -> Counter[str]:
    """All of them, added up."""
    result: Counter[str] = Counter()
    for figures in many:
        result.update(figures)
    return result
