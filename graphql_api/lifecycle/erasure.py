"""Taking away all that a tenant has: sockets first, then the log's head, then whatever the inventory lists.

The registration stays as a tombstone. Once it says that erasure has begun nobody is let in, and no log is
begun; who was in before may go on for as long as a request takes and a membership is remembered. So nothing
is over before SHUT_OUT has passed, and then only once two looks, apart, have found nothing.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from graphql_api.deadline import Deadline
from graphql_api.features.jobs.job import ErasureProgress
from graphql_api.features.tenants import TenantRegistration
from graphql_api.realtime.connections import Connections
from graphql_api.realtime.services import RealtimeServices
from graphql_api.store.codec import Item
from graphql_api.store.idempotency import UNMARKED
from graphql_api.store.inventory import some_of
from graphql_api.store.keys import Key, partition, tenant_family
from graphql_api.store.repository import Repository, together
from graphql_api.store.table import Table
from graphql_api.store.writes import ANYTHING, PRESENT, Delete

# A membership is remembered for 30 s, a request takes 28 at most, a batch of the stream 60.
SHUT_OUT = timedelta(seconds=90)
APART = timedelta(seconds=10)  # Between the two looks: an index follows its table within a second as a rule.
MAX_SOCKETS = 50
_OF_A_SHARD = 15  # items at once


class _GoneError(Exception):
    """The item is not there any more."""


class Eraser:
    """One tenant's erasure, for one invocation; what a step did is in the progress it returns."""

    def __init__(
        self,
        services: RealtimeServices,
        platform: Repository,
        slug: str,
        begun: datetime,
        deadline: Deadline,
    ) -> None:
        sources = services.sources
        self._slug = slug
        self._family = tenant_family(slug)
        self._platform = platform
        self._begun = begun
        self._now = sources.now
        self._control = sources.control(self._family, deadline)
        self._tables = (self._control, Table(sources.database, self._family, deadline))
        self._connections = Connections(services, deadline)
        self._usage = services.usage

    async def step(self, progress: ErasureProgress) -> ErasureProgress | None:
        """Take some away; None where it is too early to look again."""
        self._usage.forget(self._family)
        if await self._disconnect():
            return replace(progress, empty_at=None)
        # Without a head the stream's function begins no log, so that what it is still told is not logged.
        await self._control.commit([Delete(Key(partition(self._family, "LOG"), "HEAD"), ANYTHING, _gone)])
        for table in self._tables:
            if keys := await some_of(table, self._family, _OF_A_SHARD):
                erased = sum(await together(_erase(table, key) for key in keys))
                return replace(progress, erased=progress.erased + erased, empty_at=None)
        return await self._found_nothing(progress)

    async def _disconnect(self) -> bool:
        """Close some of the tenant's sockets; whether there were any."""
        census = self._connections.sockets.census(self._slug)
        owners = await census.everybody()
        counted = [(socket.id, owner.subject) for owner in owners for socket in owner.sockets][:MAX_SOCKETS]
        await together(self._connections.drop(connection_id) for connection_id, _ in counted)
        # Of one that is known no more nothing else is left.
        await together(census.part(connection_id, subject) for connection_id, subject in counted)
        return bool(counted)

    async def _found_nothing(self, progress: ErasureProgress) -> ErasureProgress | None:
        now = self._now()
        if now < self._begun + SHUT_OUT:
            return None
        if progress.empty_at is None:
            return replace(progress, empty_at=now)
        if now < progress.empty_at + APART:
            return None
        await self._bury(progress.erased)
        self._usage.forget(self._family)
        return replace(progress, is_over=True)

    async def _bury(self, erased: int) -> None:
        """Leave of the registration that there was such a tenant, and nothing of whom."""
        registration = await self._platform.fresh().get(TenantRegistration, self._slug)
        if registration.erased_at is not None:
            return
        await self._platform.update(
            registration,
            lambda now: replace(
                now,
                name=now.uid,
                admin_uid="",
                erased_at=self._now(),
                erased_items=erased,
            ),
            expected_version=None,
            mark=UNMARKED,
        )


async def _erase(table: Table, key: Key) -> bool:
    """Whether it was there: the index shows for a moment what is gone."""
    try:
        await table.commit([Delete(key, PRESENT, _gone)])
    except _GoneError:
        return False
    return True


def _gone(_: Item | None) -> Exception:
    return _GoneError()
