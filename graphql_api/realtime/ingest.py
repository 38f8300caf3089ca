"""A batch of stream records in; out come log entries, frames, and the first record that has to come again."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from graphql_api.changes.change import Change, MalformedRecordError, change_of
from graphql_api.deadline import Deadline
from graphql_api.errors import ApiError
from graphql_api.features.tenants import TenantRegistration
from graphql_api.features.webhooks.webhook import Webhook
from graphql_api.realtime.access import Access, decides_access
from graphql_api.realtime.endpoints import Endpoints
from graphql_api.realtime.fanout import Fanout
from graphql_api.realtime.services import RealtimeServices
from graphql_api.sinks.giving import Giving
from graphql_api.store.codec import decode
from graphql_api.store.entity import key_of
from graphql_api.store.keys import PLATFORM, tenant_family, tenant_of
from graphql_api.store.table import Table
from graphql_api.telemetry import log_fields

Record = Mapping[str, Any]

_log = logging.getLogger(__name__)


class _Placed(NamedTuple):
    """A change and where in the batch its record stands."""

    position: int
    change: Change


class _ErasedError(Exception):
    """The tenant is being erased, or was: what its stream still tells must not begin a log anew."""


class Ingest:
    """Logs and pushes one batch, for one invocation."""

    def __init__(self, services: RealtimeServices, deadline: Deadline) -> None:
        self._services = services
        self._deadline = deadline
        self._access = Access(services, deadline)
        self._endpoints = Endpoints(services, deadline)

    async def run(self, records: Sequence[Record]) -> int | None:
        """The position of the first record that is not done with, None if all are.

        What stands before it is logged and pushed; of what follows some may be, and is known when it comes
        again. A record that cannot be read stops the batch there, so that a bisected batch isolates it.
        """
        by_tenant: dict[str, list[_Placed]] = defaultdict(list)
        malformed: int | None = None
        for position, record in enumerate(records):
            try:
                self._sort(position, record, by_tenant)
            except MalformedRecordError:
                _log.exception("A stream record cannot be read.")
                malformed = position
                break
        failed = await asyncio.gather(*(self._tenant(*item) for item in by_tenant.items()))
        positions = [position for position in (*failed, malformed) if position is not None]
        return min(positions, default=None)

    def _sort(self, position: int, record: Record, by_tenant: dict[str, list[_Placed]]) -> None:
        found = change_of(record)
        if found is None:
            return
        family, change = found
        if family == PLATFORM and change.kind != TenantRegistration.kind:
            return
        tenant = change.uid if family == PLATFORM else tenant_of(family)
        by_tenant[tenant].append(_Placed(position, change))

    async def _tenant(self, tenant: str, placed: Sequence[_Placed]) -> int | None:
        """The position of the first of a tenant's records, if they have to come again."""
        with log_fields(tenant=tenant):
            try:
                await self._log_and_push(tenant, [one.change for one in placed])
            except ApiError as error:
                _log.warning("A batch comes again.", extra={"code": error.code})
                return placed[0].position
            except Exception:  # noqa: BLE001 - the retry, and at last the on-failure queue, are the boundary
                _log.exception("A batch failed unexpectedly, and comes again.")
                return placed[0].position
        return None

    async def _log_and_push(self, tenant: str, changes: Sequence[Change]) -> None:
        # Before anything is pushed: who was suspended hears of nothing that came after.
        for change in filter(decides_access, changes):
            await self._access.follow(tenant, change)
        own = [change for change in changes if change.kind != TenantRegistration.kind]
        if not own:
            return
        services, family = self._services, tenant_family(tenant)
        log = services.sources.change_log(family, self._deadline)
        try:
            added = await log.append(own, before_beginning=lambda: self._require_kept(tenant))
        except _ErasedError:
            services.usage.forget(family)
            await self._follow(tenant, own)  # What lists webhooks is not all in the tenant's inventory.
            return
        await self._follow(tenant, own)
        until = added[-1].sequence if added else (await log.head()).sequence
        await Fanout(services, tenant, self._deadline).push(until, added)
        await Giving(services.sources, services.sinks, family, self._deadline).run(until, added)

    async def _follow(self, tenant: str, changes: Sequence[Change]) -> None:
        for change in changes:
            if change.kind == Webhook.kind:
                await self._endpoints.follow(tenant, change)

    async def _require_kept(self, tenant: str) -> None:
        key = key_of(PLATFORM, TenantRegistration, tenant)
        registry = Table(self._services.sources.database, PLATFORM, self._deadline)
        item = (await registry.batch_get([key], consistent=True)).get(key)
        if item is not None and decode(TenantRegistration, item).erasure_begun_at is not None:
            raise _ErasedError
