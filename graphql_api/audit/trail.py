"""The audit entries of one tenant, or of the platform, as pages, the latest first."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from graphql_api.audit.entry import AuditEntry, AuditKind
from graphql_api.audit.recording import audit_partition
from graphql_api.store.codec import decode
from graphql_api.store.keys import FIRST, LAST, Family
from graphql_api.store.schema import SORT
from graphql_api.store.table import Table

# Rows looked at for one page where a filter passes over some; a page is one Query.
MAX_EXAMINED = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedEntries:
    """Which entries: of one kind, of one actor, that began in [since, until)."""

    kind: AuditKind | None = None
    actor: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def scope(self) -> tuple[str, ...]:
        """What a cursor of these entries is good for."""
        return tuple(map(repr, (self.kind and self.kind.value, self.actor, self.since, self.until)))

    @property
    def has_filter(self) -> bool:
        """Whether rows that are read can be others."""
        return self.kind is not None or self.actor is not None

    def includes(self, entry: AuditEntry) -> bool:
        return self.kind in (None, entry.kind) and self.actor in (None, entry.actor)


class FoundEntry(NamedTuple):
    """An entry and the position to continue behind it."""

    position: str
    entry: AuditEntry


class TrailPage(NamedTuple):
    """`resume` continues the list; None at its end."""

    rows: list[FoundEntry]
    resume: str | None


class Trail:
    """The entries themselves, through the control table with the family's rights."""

    def __init__(self, table: Table, family: Family) -> None:
        self._table = table
        self.family = family

    async def page(self, wanted: WantedEntries, position: str | None, limit: int) -> TrailPage:
        """Up to `limit` entries, the latest first, behind `position`."""
        low = _at(wanted.since) if wanted.since else FIRST
        high = _at(wanted.until) if wanted.until else LAST
        high = high if position is None else min(high, position)
        examined = MAX_EXAMINED if wanted.has_filter else limit
        # One for the row at `position`, which is read again, and one to see whether there are more.
        items = await self._table.read(
            audit_partition(self.family), low, high, examined + 2, newest_first=True
        )
        found = [
            FoundEntry(item[SORT]["S"], decode(AuditEntry, item))
            for item in items
            if position is None or item[SORT]["S"] < position
        ]
        looked_at = found[:examined]
        rows = [row for row in looked_at if wanted.includes(row.entry)]
        if len(rows) > limit:
            return TrailPage(rows[:limit], rows[limit - 1].position)
        has_more = len(found) > len(looked_at)
        return TrailPage(rows, looked_at[-1].position if has_more else None)


def _at(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="microseconds")
