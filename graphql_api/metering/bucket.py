"""A tenant's token bucket: one item of the control table, one number, one conditional write.

The number is the moment, in milliseconds of Unix time, at which the bucket would be full again (the
theoretical arrival time of GCRA). To take points moves it into the future; it may not come to lie further
ahead than the burst lasts. Where the tenant has come to another rate, what was missing goes on missing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from uuid import uuid4

from graphql_api.store.codec import Item
from graphql_api.store.contention import pause
from graphql_api.store.keys import Family, Key, partition
from graphql_api.store.schema import EXPIRY
from graphql_api.store.table import StoreBusyError, Table
from graphql_api.store.writes import ABSENT, Add, Condition, Update

MAX_CONTENTION = 8
FORGOTTEN_AFTER = 24 * 3600  # seconds; a bucket that is gone is a full one
_FULL_AT, _RATE = "full_at", "per_second"


@dataclass(frozen=True, slots=True)
class Rate:
    """Points that a bucket gains in a second, and how many it holds."""

    per_second: float
    burst: int

    def milliseconds(self, points: float) -> int:
        """How long the bucket takes to gain so many."""
        return ceil(points * 1000 / self.per_second)


@dataclass(frozen=True, slots=True)
class Granted:
    """Points that were taken, and what was left in the bucket then."""

    points: int
    left: float


class EmptyBucketError(Exception):
    """There is less in the bucket than is needed; there will be enough in `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class _Level:
    """The item: when the bucket would be full, in milliseconds, at a rate in points a second."""

    full_at: int
    per_second: float

    def missing(self, now: int) -> float:
        """Points that it lacks."""
        return max(0, self.full_at - now) * self.per_second / 1000


class _StandsOtherwiseError(Exception):
    """The bucket is not as it was taken for; `level` is None where it has none yet."""

    def __init__(self, level: _Level | None) -> None:
        super().__init__(level)
        self.level = level


class Bucket:
    """The tenant's, or another one of a path in its family; `now` is Unix time in milliseconds."""

    def __init__(
        self, table: Table, family: Family, now: Callable[[], int], path: tuple[str, ...] = ()
    ) -> None:
        self._table = table
        self._key = Key(partition(family, "BUDGET", *path), "BUDGET")
        self._is_kept_for_a_while = bool(path)
        self._now = now

    async def take(self, wanted: int, needed: int, rate: Rate) -> Granted:
        """As many as are wanted if they are there, else fewer, but not fewer than are needed.

        Raises EmptyBucketError, or StoreBusyError.
        """
        for attempt in range(MAX_CONTENTION):
            now, size, cost = self._now(), rate.milliseconds(rate.burst), rate.milliseconds(wanted)
            try:
                full_at = await self._later(now, cost, now + size - cost, rate)
            except _StandsOtherwiseError as standing:
                level = standing.level
                missing = level.missing(now) if level else 0.0
                if missing + wanted > rate.burst:
                    wanted = _affordable(needed, rate, rate.burst - missing)
                    continue
                full_at = now + rate.milliseconds(missing) + cost
                if not await self._anew(level, full_at, rate):
                    await pause(attempt)
                    continue
            return Granted(wanted, (now + size - full_at) * rate.per_second / 1000)
        raise StoreBusyError

    async def _later(self, now: int, cost: int, latest: int, rate: Rate) -> int:
        """Move the moment on, from one between now and `latest`. Raises _StandsOtherwiseError."""
        within = Condition(
            "#full BETWEEN :now AND :latest AND #rate = :rate",
            {"#full": _FULL_AT, "#rate": _RATE},
            {":now": {"N": str(now)}, ":latest": {"N": str(latest)}, ":rate": {"N": str(rate.per_second)}},
        )
        return await self._table.add(Add(self._key, _FULL_AT, cost, within, _stands_otherwise))

    async def _anew(self, level: _Level | None, full_at: int, rate: Rate) -> bool:
        """Begin to count from another moment, or at another rate; whether nobody else did meanwhile."""
        unmoved = ABSENT
        if level is not None:
            unmoved = Condition("#full = :old", {"#full": _FULL_AT}, {":old": {"N": str(level.full_at)}})
        # Two who begin in the same millisecond would write the same, and each take the other's for its own.
        unique = {"S": uuid4().hex}
        changes: Item = {_FULL_AT: {"N": str(full_at)}, _RATE: {"N": str(rate.per_second)}, "by": unique}
        if self._is_kept_for_a_while:
            changes[EXPIRY] = {"N": str(full_at // 1000 + FORGOTTEN_AFTER)}
        try:
            await self._table.commit([Update(self._key, changes, frozenset(), unmoved, _stands_otherwise)])
        except _StandsOtherwiseError:
            return False
        return True


def _affordable(needed: int, rate: Rate, there: float) -> int:
    """How many points to ask for of those that are there. Raises EmptyBucketError."""
    if there < needed:
        raise EmptyBucketError(rate.milliseconds(needed - there) / 1000)
    return int(there)


def _stands_otherwise(standing: Item | None) -> Exception:
    if not standing:
        return _StandsOtherwiseError(None)
    return _StandsOtherwiseError(_Level(int(standing[_FULL_AT]["N"]), float(standing[_RATE]["N"])))
