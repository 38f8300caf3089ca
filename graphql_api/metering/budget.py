"""Cost points per tenant and second: a token bucket in the control table, leased to processes in slices.

A charge is taken from what the process has leased; only when that is used up does it cost a write. The
bucket is one number, the moment at which it would be full again (GCRA), so it fills by itself. A process that
was refused asks again after a while only: an overloaded tenant costs a few writes in a second, not one for
each request. If the table does not answer, the process grants itself slices, one in a second.

RateLimitedError    RATE_LIMITED    the bucket is empty; `retryAfter` in whole seconds
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil

from graphql_api.deadline import Deadline
from graphql_api.errors import RateLimitedError
from graphql_api.metering.bucket import Bucket, EmptyBucketError, Rate
from graphql_api.metering.month import Months
from graphql_api.store.keys import Family
from graphql_api.store.table import UNANSWERED

SLICE_SECONDS = 1.0  # of a tenant's rate; leases are renewed about as often
SLICES_IN_BURST = 10  # A slice is at most that part of the burst, so that several processes get one.
LEASE_SECONDS = 10.0  # What is not used by then is gone; the bucket has filled meanwhile.
PATIENCE_SECONDS = 0.5  # The table's time to answer, before the process grants itself a slice.
MAX_REFUSAL_SECONDS = 1.0  # How long a refusal is repeated without asking.
MAX_TENANTS = 10_000

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a tenant's budget stands: points it may use at once, and seconds until it is full again."""

    limit: int
    remaining: int
    reset: int


@dataclass(slots=True)
class _Purse:
    """What a process holds of one tenant's bucket; times are those of the clock, in seconds."""

    rate: Rate | None = None
    points: int = 0
    expires_at: float = 0.0
    refused_until: float = 0.0
    left: float = 0.0  # in the bucket, when it was last asked
    asked_at: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Budgets:
    """All tenants' budgets, as one process sees them. `bucket` is the shared one; `clock` is wall time in
    seconds, which goes on while Lambda freezes the process; `months` know what was used since the first.
    """

    def __init__(
        self,
        bucket: Callable[[Family, Deadline], Bucket],
        clock: Callable[[], float],
        months: Months | None = None,
    ) -> None:
        self._months = months
        self._bucket = bucket
        self._clock = clock
        self._purses: OrderedDict[Family, _Purse] = OrderedDict()

    async def require_month(self, family: Family, limit: int, deadline: Deadline) -> None:
        """Raises QuotaExceededError where the points of the calendar month are used up."""
        if self._months is not None:
            await self._months.require(family, limit, deadline)

    async def charge(self, family: Family, rate: Rate, points: int, deadline: Deadline) -> None:
        """Take so many points of the tenant's. Raises RateLimitedError."""
        purse = self._purse(family)
        async with purse.lock:
            now = self._clock()
            if purse.expires_at <= now:
                purse.points = 0
            if purse.rate != rate:
                purse.rate, purse.points = rate, min(purse.points, rate.burst)
                purse.refused_until = 0.0
            if purse.points < max(points, 1):
                self._require_patience(purse, now)
                await self._lease(purse, family, rate, max(points, 1) - purse.points, deadline)
            purse.points -= points

    def refund(self, family: Family, rate: Rate, points: int) -> Standing:
        """Give back what was charged and not used; where the tenant stands then."""
        purse = self._purse(family)
        purse.points += points
        return self._standing(purse, rate)

    def _purse(self, family: Family) -> _Purse:
        purse = self._purses.setdefault(family, _Purse())
        self._purses.move_to_end(family)
        if len(self._purses) > MAX_TENANTS:
            self._purses.popitem(last=False)
        return purse

    def _require_patience(self, purse: _Purse, now: float) -> None:
        if now < purse.refused_until:
            raise refusal(purse.refused_until - now)

    async def _lease(
        self, purse: _Purse, family: Family, rate: Rate, needed: int, deadline: Deadline
    ) -> None:
        wanted = max(needed, min(ceil(rate.per_second * SLICE_SECONDS), rate.burst // SLICES_IN_BURST))
        patience = min(deadline, Deadline.after(PATIENCE_SECONDS), key=lambda one: one.at)
        try:
            granted = await self._bucket(family, patience).take(wanted, needed, rate)
        except EmptyBucketError as empty:
            purse.refused_until = self._clock() + min(empty.seconds, MAX_REFUSAL_SECONDS)
            raise refusal(empty.seconds) from None
        except UNANSWERED:
            _log.warning("A budget could not be asked for; the process grants itself a slice.", exc_info=True)
            purse.refused_until = self._clock() + SLICE_SECONDS
            purse.points += wanted
        else:
            purse.points += granted.points
            purse.left, purse.asked_at = granted.left, self._clock()
        purse.expires_at = self._clock() + LEASE_SECONDS

    def _standing(self, purse: _Purse, rate: Rate) -> Standing:
        filled = purse.left + (self._clock() - purse.asked_at) * rate.per_second
        remaining = min(rate.burst, int(filled) + purse.points)
        return Standing(rate.burst, remaining, ceil((rate.burst - remaining) / rate.per_second))


def refusal(
    seconds: float, message: str = "Your tenant has used up its budget; try again later."
) -> RateLimitedError:
    """What somebody is told who has to wait so long."""
    return RateLimitedError(message, retryAfter=max(1, ceil(seconds)))
