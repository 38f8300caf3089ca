"""A round over all tenants, some each minute: whose sinks are behind, and whose log has no signed head today.

P#ROUND / ROUND     the last tenant that was looked at
"""

import asyncio
import logging
from collections.abc import Sequence

from graphql_api.audit.heads import Heads, Signer
from graphql_api.deadline import Deadline
from graphql_api.features.tenants import REGISTRATIONS, TenantRegistration
from graphql_api.sinks.giving import Giving
from graphql_api.sinks.sink import Sink
from graphql_api.sources import Sources
from graphql_api.store.codec import Item, decode
from graphql_api.store.keys import LAST, PLATFORM, Key, after, partition, tenant_family
from graphql_api.store.repository import together
from graphql_api.store.table import UNANSWERED, Table
from graphql_api.store.writes import ANYTHING, Put
from graphql_api.telemetry import log_fields

MAX_TENANTS = 100  # of a run
MAX_AT_ONCE = 10
_ROUND = Key(partition(PLATFORM, "ROUND"), "ROUND")

_log = logging.getLogger(__name__)


class Rounds:
    """A run's part of the round, for one invocation. What fails for a tenant, the next round does."""

    def __init__(
        self, sources: Sources, sinks: Sequence[Sink], signer: Signer | None, deadline: Deadline
    ) -> None:
        self._sources = sources
        self._sinks = sinks
        self._signer = signer
        self._deadline = deadline
        self._control = sources.control(PLATFORM, deadline)
        self._registry = Table(sources.database, PLATFORM, deadline)

    async def run(self) -> int:
        """How many tenants were looked at. Raises StoreBusyError."""
        if not self._sinks and self._signer is None:
            return 0
        tenants = await self._next(await self._position())
        room = asyncio.Semaphore(MAX_AT_ONCE)

        async def look_at(tenant: str) -> None:
            async with room:
                await self._look_at(tenant)

        # To look at what is erased would be on its account, and so leave something of it.
        await together(look_at(each.uid) for each in tenants if each.erasure_begun_at is None)
        await self._passed(tenants[-1].uid if len(tenants) == MAX_TENANTS else "")
        return len(tenants)

    async def _next(self, position: str) -> list[TenantRegistration]:
        """The tenants behind a position, by slug; erased ones among them."""
        wanted = REGISTRATIONS
        path = partition(PLATFORM, *wanted.partitions[0])
        low = after(position) if position else wanted.low
        items = await self._registry.query(wanted.index, path, low, LAST, MAX_TENANTS)
        return [decode(TenantRegistration, item) for item in items]

    async def _look_at(self, tenant: str) -> None:
        family = tenant_family(tenant)
        with log_fields(tenant=tenant):
            try:
                head = await self._sources.change_log(family, self._deadline).head()
                if not head.sequence:
                    return
                await Giving(self._sources, self._sinks, family, self._deadline).run(head.sequence)
                if self._signer is not None:
                    table = self._sources.control(family, self._deadline)
                    now, retention = self._sources.now, self._sources.log_retention
                    await Heads(table, family, self._signer, now=now, retention=retention).sign(head)
            except UNANSWERED:
                _log.warning("A tenant waits for the next round.", exc_info=True)

    async def _position(self) -> str:
        item = (await self._control.batch_get([_ROUND], consistent=True)).get(_ROUND)
        return item["after"]["S"] if item else ""

    async def _passed(self, position: str) -> None:
        await self._control.commit([Put(_ROUND, {"after": {"S": position}}, _unconditional, ANYTHING)])


def _unconditional(_: Item | None) -> Exception:
    return AssertionError("a write under no condition cannot fail by it")
