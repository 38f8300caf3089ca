"""Recording audit events: while a request runs, and before its response leaves.

What is alike within a minute (actor, kind, outcome, field, code) is one entry of a process, written again at
its 2nd, 4th, 8th … occurrence: a thousand refusals cost ten writes. The use of a token is one entry an hour.
Each entry is also a line of the log, which is what the template streams to S3.
"""

import logging
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from uuid import NAMESPACE_OID, uuid5

from graphql_api.audit.address import network_of
from graphql_api.audit.entry import AuditEntry, AuditEvent, AuditKind
from graphql_api.deadline import Deadline
from graphql_api.errors import DeadlineExceededError
from graphql_api.store.codec import Item, encode
from graphql_api.store.keys import Family, Key, partition, sort_key
from graphql_api.store.repository import together
from graphql_api.store.schema import EXPIRY
from graphql_api.store.table import UNANSWERED, Table
from graphql_api.store.writes import ANYTHING, Put

ALIKE_SECONDS = 60
TOKEN_SECONDS = 3600
MAX_TALLIES = 10_000
MAX_PENDING = 100  # of a request; more kinds of refusal than any document has
PATIENCE_SECONDS = 0.4  # of a response, for entries that nothing depends on

_lines = logging.getLogger("audit")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Tally:
    """The first of those alike, in which minute (or hour) it was, and how many there are."""

    period: int
    id: str
    at: datetime
    count: int


class Audit:
    """The audit entries that a process writes; `control` is the control table with a family's rights."""

    def __init__(
        self,
        control: Callable[[Family, Deadline], Table],
        now: Callable[[], datetime],
        retention: timedelta,
    ) -> None:
        self._control = control
        self._now = now
        self._retention = retention
        self._tallies: OrderedDict[AuditEvent, _Tally] = OrderedDict()

    @asynccontextmanager
    async def request(self, request_id: str, address: str | None) -> AsyncGenerator["AuditedRequest"]:
        """What is noted inside is of this request, and is kept when it ends."""
        request = AuditedRequest(self, request_id, network_of(address))
        mark = _request.set(request)
        try:
            yield request
        finally:
            _request.reset(mark)
            await request.flush()

    def entry(self, event: AuditEvent, origin: str) -> AuditEntry:
        """A new entry, counted with nothing; nothing else of its kind and moment is of the same origin."""
        now = self._now()
        return _entry(event, _id(event, now, origin), now, 1)

    def counted(self, event: AuditEvent, origin: str = "") -> AuditEntry | None:
        """The entry that stands for this and those alike; None if it is not its turn to be written."""
        is_of_token = event.kind is AuditKind.TOKEN_USED
        now = self._now()
        period = int(now.timestamp()) // (TOKEN_SECONDS if is_of_token else ALIKE_SECONDS)
        known = self._tallies.pop(event, None)
        if known is None or known.period != period:
            tally = _Tally(period, _id(event, now, origin), now, 1)
        else:
            tally = replace(known, count=known.count + 1)
        self._tallies[event] = tally
        if len(self._tallies) > MAX_TALLIES:
            self._tallies.popitem(last=False)
        is_power_of_two = tally.count & (tally.count - 1) == 0
        if tally.count > 1 and (is_of_token or not is_power_of_two):
            return None
        return _entry(event, tally.id, tally.at, tally.count)

    async def keep(self, tenant: str | None, family: Family, entry: AuditEntry, deadline: Deadline) -> None:
        """Log the line, then store the entry in place of what it is the continuation of.

        Raises StoreBusyError.
        """
        _lines.info("Audit entry.", extra={"entry": {"tenant": tenant, **asdict(entry)}})
        key = Key(audit_partition(family), sort_key(_at(entry.at), entry.id))
        expires_at = int((entry.at + self._retention).timestamp())
        item: Item = encode(entry) | {EXPIRY: {"N": str(expires_at)}}
        await self._control(family, deadline).commit([Put(key, item, _unconditional, ANYTHING)])


class AuditedRequest:
    """What one request leaves in the audit log. `operation` is named once it is known."""

    def __init__(self, audit: Audit, request_id: str, address: str | None) -> None:
        self.operation: str | None = None
        self._audit = audit
        self._request_id = request_id
        self._address = address
        self._pending: dict[AuditEvent, None] = {}
        self._begun = 0

    def note(self, event: AuditEvent) -> None:
        """Have it kept before the response leaves; what is noted twice in a request is one occurrence."""
        if len(self._pending) < MAX_PENDING:
            self._pending[event] = None

    async def flush(self) -> None:
        """Keep what was noted. What the table does not take is in the log's lines alone."""
        pending, self._pending = self._pending, {}
        deadline = Deadline.after(PATIENCE_SECONDS)
        await together(self._keep_counted(event, deadline) for event in pending)

    async def begin(self, event: AuditEvent, deadline: Deadline) -> AuditEntry:
        """An act is about to happen. Raises StoreBusyError: what cannot be recorded does not happen."""
        self._begun += 1
        entry = self._of_this(self._audit.entry(event, f"{self._request_id} {self._begun}"))
        await self._audit.keep(event.tenant, event.family, entry, deadline)
        return entry

    async def end(self, event: AuditEvent, entry: AuditEntry) -> None:
        """It has happened, or not: `event` says how."""
        ended = replace(entry, outcome=event.outcome, code=event.code)
        await self._keep(event, ended, Deadline.after(PATIENCE_SECONDS))

    async def _keep_counted(self, event: AuditEvent, deadline: Deadline) -> None:
        entry = self._audit.counted(event, self._request_id)
        if entry is not None:
            await self._keep(event, self._of_this(entry), deadline)

    async def _keep(self, event: AuditEvent, entry: AuditEntry, deadline: Deadline) -> None:
        try:
            await self._audit.keep(event.tenant, event.family, entry, deadline)
        except (DeadlineExceededError, *UNANSWERED):
            _log.error("An audit entry could not be stored.", exc_info=True, extra={"kind": event.kind})

    def _of_this(self, entry: AuditEntry) -> AuditEntry:
        return replace(entry, operation=self.operation, request_id=self._request_id, address=self._address)


_request: ContextVar[AuditedRequest | None] = ContextVar("audited_request", default=None)


def audited_request() -> AuditedRequest | None:
    """The request that runs; None where none of the doors is behind this."""
    return _request.get()


def note(event: AuditEvent) -> None:
    """Have an event of the request that runs kept."""
    if (request := _request.get()) is not None:
        request.note(event)


def name_operation(name: str | None) -> None:
    """Tell what the client calls the operation of the request that runs."""
    if (request := _request.get()) is not None:
        request.operation = name


def audit_partition(family: Family) -> str:
    """Where the entries of a tenant, or the platform's own, are kept; they sort by time."""
    return partition(family, "AUDIT")


def _entry(event: AuditEvent, id: str, at: datetime, count: int) -> AuditEntry:
    return AuditEntry(
        id=id,
        at=at,
        kind=event.kind,
        outcome=event.outcome,
        count=count,
        actor=event.actor,
        field=event.field,
        code=event.code,
    )


def _id(event: AuditEvent, at: datetime, origin: str) -> str:
    return uuid5(NAMESPACE_OID, repr((event, at, origin))).hex


def _at(time: datetime) -> str:
    return time.isoformat(timespec="microseconds")


def _unconditional(_: Item | None) -> Exception:
    return AssertionError("a write under no condition cannot fail by it")
