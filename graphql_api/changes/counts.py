"""How many tasks, projects and people tenants have, as one process knows it.

The head of a tenant's log counts them, so that nothing is written for it. It follows the data within a second
or so: what this process has made since is added, and what another one makes in that second may come on top.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from graphql_api.changes.head import LogHead
from graphql_api.changes.log import ChangeLog
from graphql_api.store.keys import Family

REMEMBERED = timedelta(seconds=10)
NEAR = 0.8  # of a limit: from there the log is asked each time.
LOGGED_WITHIN = timedelta(seconds=60)
MAX_TENANTS = 10_000


@dataclass(frozen=True, slots=True)
class _Making:
    at: datetime
    kind: str
    number: int


@dataclass(slots=True)
class _Known:
    head: LogHead
    read_at: datetime
    making: list[_Making] = field(default_factory=list[_Making])

    def count(self, kind: str) -> int:
        return self.head.count(kind) + sum(made.number for made in self.making if made.kind == kind)


class Counts:
    """All tenants'. `now` is the clock of the process."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._known: OrderedDict[Family, _Known] = OrderedDict()

    async def take(self, log: ChangeLog, kind: str, wanted: int, limit: int) -> int:
        """How many of those wanted the limit leaves room for; they count from now on."""
        known = self._known.get(log.family)
        is_old = known is None or self._now() - known.read_at > REMEMBERED
        if known is None or is_old or known.count(kind) + wanted > limit * NEAR:
            known = self._remember(log.family, await log.head())
        taken = max(0, min(wanted, limit - known.count(kind)))
        if taken:
            known.making.append(_Making(self._now(), kind, taken))
        return taken

    def give_back(self, family: Family, kind: str, number: int) -> None:
        """What was taken and not made."""
        if known := self._known.get(family):
            known.making.append(_Making(self._now(), kind, -number))

    def _remember(self, family: Family, head: LogHead) -> _Known:
        earlier, now = self._known.pop(family, None), self._now()
        since = max(head.logged_at or now - LOGGED_WITHIN, now - LOGGED_WITHIN)
        making = [made for made in earlier.making if made.at > since] if earlier else []
        self._known[family] = known = _Known(head, now, making)
        if len(self._known) > MAX_TENANTS:
            self._known.popitem(last=False)
        return known
