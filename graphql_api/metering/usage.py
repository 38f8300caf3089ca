"""What tenants use, collected in the process and written now and then, beside an operation that runs anyway.

Collecting is adding to numbers in memory, by tenant, hour and operation. A flush writes what waits as one
transaction for each tenant and hour, under a token: one whose answer was lost is repeated with the same token
by the next flush, for which DynamoDB has no second effect. Once that window is over it is given up: a figure
may be lost, and is never counted twice. What a process had not flushed when it was killed is lost as well.
"""

import asyncio
import logging
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextvars import Context
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from graphql_api.deadline import Deadline
from graphql_api.metering.figures import BACKGROUND, OTHER, Figures, of_capacity
from graphql_api.metering.ledger import MAX_OPERATIONS, SHARDS, tallies
from graphql_api.store.capacity import Consumed, Meter
from graphql_api.store.keys import CONNECTIONS, PLATFORM, Family
from graphql_api.store.table import UNANSWERED, Table
from graphql_api.store.writes import Tally

FLUSH_SECONDS = 10.0  # between two flushes of a process
REST_SECONDS = 1.0  # the same where one flush could not take all
PATIENCE_SECONDS = 0.5  # The longest that a flush may outlast the operation beside which it runs.
MAX_BATCHES = 20  # of one flush, side by side
MAX_NAMES = 100  # of a tenant's operations in a day, by process; the rest are one
MAX_WAITING = 20_000  # entries; more come only while nothing can be written
MAX_TENANTS = 10_000
LATE_HOURS = 1  # Older figures are booked in the present hour, so that what is over stays as it is.
LATE_SECONDS = 60.0  # Who has waited longer may have been erased meanwhile.
GONE_SECONDS = 300.0  # What erases a tenant, and what is told of it afterwards, is on nobody's account.
MAX_LATE = 100  # keys of a BatchGetItem
TOKEN_SECONDS = 540.0  # DynamoDB knows a token for ten minutes.
_SECONDS = 3600
_PAUSE = 0.02

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Batch:
    """Writes of one tenant and hour, and until when they may be repeated under their token."""

    family: Family
    writes: Sequence[Tally]
    token: str
    until: float


class _Overhead:
    """What is consumed for a tenant, but for no operation of its clients."""

    def __init__(self, usage: "Usage", family: Family) -> None:
        self._usage = usage
        self._family = family

    def add(self, read: float, write: float) -> None:
        self._usage.count(self._family, BACKGROUND, of_capacity(read, write))


class Usage:
    """All tenants' use, as one process has seen it. `table` is the control table with a tenant's rights."""

    def __init__(
        self,
        table: Callable[[Family, Deadline], Table],
        now: Callable[[], datetime],
        flush_seconds: float = FLUSH_SECONDS,
        erased: Callable[[Sequence[Family], Deadline], Awaitable[Collection[Family]]] | None = None,
    ) -> None:
        self._table = table
        self._now = now
        self._erased = erased
        self._since: dict[Family, float] = {}
        self._gone: dict[Family, float] = {}
        self._flush_seconds = flush_seconds
        self._waiting: dict[Family, dict[int, dict[str, Counter[str]]]] = {}
        self._entries = 0
        self._names: OrderedDict[Family, tuple[int, set[str]]] = OrderedDict()
        self._unsettled: list[_Batch] = []
        self._flushed_at = 0.0
        self._is_flushing = False
        self._lost = 0

    def count(self, family: Family, operation: str, figures: Figures) -> None:
        """Add to a tenant's figures of the present hour."""
        now = self._now().timestamp()
        if self._gone.get(family, 0.0) > now:
            return
        hour = int(now) // _SECONDS
        self._since.setdefault(family, now)
        operations = self._waiting.setdefault(family, {}).setdefault(hour, {})
        counted = operations.get(operation)
        if counted is None:
            counted = self._entry(family, hour, operation, operations)
        for name, amount in figures.items():
            if amount:
                counted[name] += amount

    def overhead(self, family: Family) -> Meter:
        """The meter of what is consumed for a tenant, but for no operation of its clients."""
        return Consumed() if family in (PLATFORM, CONNECTIONS) else _Overhead(self, family)

    @property
    def is_due(self) -> bool:
        """Whether a flush should begin."""
        age = self._now().timestamp() - self._flushed_at
        is_much = len(self._waiting) > MAX_BATCHES or self._entries > MAX_WAITING // 2
        wait = min(REST_SECONDS, self._flush_seconds) if is_much else self._flush_seconds
        return bool(self._waiting or self._unsettled) and not self._is_flushing and not 0 <= age < wait

    def begin_flush(self) -> asyncio.Task[None] | None:
        """A flush that runs from now on if one is due, for somebody to await before a response leaves."""
        if not self.is_due:
            return None
        # It works for other tenants too: nothing of the request in hand, its log fields first, is its own.
        return asyncio.get_running_loop().create_task(self.flush(), context=Context())

    async def flush(self, seconds: float = PATIENCE_SECONDS) -> None:
        """Write what waits, as much as a flush takes. What fails is kept for the next one, and not raised."""
        if self._is_flushing:
            return
        self._is_flushing, self._flushed_at = True, self._now().timestamp()
        try:
            self._give_up()
            await self._forget_erased(Deadline.after(seconds))
            self._unsettled += self._drained(MAX_BATCHES - len(self._unsettled))
            deadline = Deadline.after(seconds)
            settling = (self._settle(batch, deadline) for batch in list(self._unsettled))
            for failure in filter(None, await asyncio.gather(*settling, return_exceptions=True)):
                _log.warning("Usage could not be written; it is tried again.", exc_info=failure)
        finally:
            self._is_flushing = False

    def forget(self, family: Family) -> None:
        """Drop what waits of a tenant that is no more, and count nothing of it for a while."""
        self._gone[family] = self._now().timestamp() + GONE_SECONDS
        self._since.pop(family, None)
        for operations in self._waiting.pop(family, {}).values():
            self._entries -= len(operations)
        self._unsettled = [batch for batch in self._unsettled if batch.family != family]

    async def flush_all(self, seconds: float) -> None:
        """The same until nothing waits: at a process's end."""
        deadline = Deadline.after(seconds)
        while (self._waiting or self._unsettled) and deadline.remaining() > 0:
            await self.flush(deadline.remaining())
            await asyncio.sleep(_PAUSE)  # for a flush that was under way already

    def _entry(
        self, family: Family, hour: int, operation: str, operations: dict[str, Counter[str]]
    ) -> Counter[str]:
        name = self._bounded(family, hour, operation)
        if name not in operations:
            if self._entries >= MAX_WAITING:
                self._lost += 1
                return Counter()
            self._entries += 1
        return operations.setdefault(name, Counter())

    def _bounded(self, family: Family, hour: int, operation: str) -> str:
        """The name itself, or that of the rest where the tenant has used many today."""
        if operation.startswith("("):
            return operation
        day, names = self._names.get(family, (0, set[str]()))
        if day != hour // 24:
            day, names = hour // 24, set[str]()
        self._names[family] = (day, names)
        self._names.move_to_end(family)
        if len(self._names) > MAX_TENANTS:
            self._names.popitem(last=False)
        if operation not in names and len(names) >= MAX_NAMES:
            return OTHER
        names.add(operation)
        return operation

    def _drained(self, most: int) -> Iterator[_Batch]:
        """Take so many tenants' figures from what waits, as batches; who has waited longest comes first."""
        now = self._now().timestamp()
        for family in list(self._waiting)[: max(most, 0)]:
            self._since.pop(family, None)
            for hour, operations in self._waiting.pop(family).items():
                self._entries -= len(operations)
                booked = max(hour, int(now) // _SECONDS - LATE_HOURS)
                named = [(name, figures) for name, figures in operations.items() if figures]
                for start in range(0, len(named), MAX_OPERATIONS):
                    part: Mapping[str, Figures] = dict(named[start : start + MAX_OPERATIONS])
                    token = uuid4()
                    writes = tallies(family, booked, part, shard=token.int % SHARDS)
                    yield _Batch(family, writes, str(token), now + TOKEN_SECONDS)

    async def _forget_erased(self, deadline: Deadline) -> None:
        """Who was frozen with figures of a tenant may wake when that is erased: nothing is written of it."""
        before = self._now().timestamp() - LATE_SECONDS
        late = [family for family, since in self._since.items() if since < before]
        if not late or self._erased is None:
            return
        try:
            erased = await self._erased(late[:MAX_LATE], deadline)
        except UNANSWERED as error:
            _log.warning("Whether tenants are erased could not be read.", exc_info=error)
            return
        for family in erased:
            self.forget(family)

    async def _settle(self, batch: _Batch, deadline: Deadline) -> None:
        await self._table(batch.family, deadline).commit(batch.writes, batch.token)
        self._unsettled.remove(batch)

    def _give_up(self) -> None:
        """Forget batches whose token DynamoDB may not know any more: they could count twice."""
        if self._lost:
            _log.error("Usage is lost that could not be kept.", extra={"figures": self._lost})
            self._lost = 0
        now = self._now().timestamp()
        lost = [batch for batch in self._unsettled if batch.until <= now]
        for batch in lost:
            _log.error("Usage is lost that could not be written in time.", extra={"owner": batch.family})
            self._unsettled.remove(batch)
