"""Cost points in a calendar month: what a tenant has used, as its usage says, against what its plan allows.

QuotaExceededError    QUOTA_EXCEEDED    the month's points are used up; `retryAfter` until the next one

Usage is written every few seconds, and read here once in a minute: so a tenant can use somewhat more than its
plan allows, by what it uses in that time. If it cannot be read, nobody is refused.
"""

import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from graphql_api.deadline import Deadline
from graphql_api.errors import QuotaExceededError
from graphql_api.store.keys import Family
from graphql_api.store.table import UNANSWERED

REMEMBERED = timedelta(seconds=60)
PATIENCE_SECONDS = 0.5
MAX_TENANTS = 10_000

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Known:
    points: int
    read_at: datetime


class Months:
    """All tenants' months, as one process knows them. `read` is the points used in the month of a day."""

    def __init__(
        self,
        read: Callable[[Family, date, Deadline], Awaitable[int]],
        now: Callable[[], datetime],
    ) -> None:
        self._read = read
        self._now = now
        self._known: OrderedDict[Family, _Known] = OrderedDict()

    async def require(self, family: Family, limit: int, deadline: Deadline) -> None:
        """Raises QuotaExceededError where the month's points are used up."""
        now = self._now()
        known = self._known.get(family)
        if known is None or not timedelta(0) <= now - known.read_at <= REMEMBERED:
            known = await self._asked(family, now, deadline)
        if known.points >= limit:
            message = "Your plan's cost points of this month are used up."
            raise QuotaExceededError(message, limit, retryAfter=_seconds_left(now))

    def forget(self, family: Family) -> None:
        """Read it anew when it is next asked for."""
        self._known.pop(family, None)

    async def _asked(self, family: Family, now: datetime, deadline: Deadline) -> _Known:
        patience = min(deadline, Deadline.after(PATIENCE_SECONDS), key=lambda one: one.at)
        try:
            known = _Known(await self._read(family, now.date(), patience), now)
        except UNANSWERED:
            _log.warning("What a tenant used this month could not be read.", exc_info=True)
            known = _Known(0, now)
        self._known[family] = known
        self._known.move_to_end(family)
        if len(self._known) > MAX_TENANTS:
            self._known.popitem(last=False)
        return known


def _seconds_left(now: datetime) -> int:
    """Until the next month begins (UTC)."""
    first = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    following = (first + timedelta(days=32)).replace(day=1)
    return max(1, int((following - now).total_seconds()))
