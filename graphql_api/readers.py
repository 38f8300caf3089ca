"""What the tables say of those who come: members, keys, tenants; each read with the rights of its owner."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

from graphql_api.auth.api_keys import KeyRecord
from graphql_api.auth.identity import TenantSettings
from graphql_api.auth.membership import Membership
from graphql_api.auth.plan import DEFAULTS, Tier
from graphql_api.deadline import Deadline
from graphql_api.features.api_keys.api_key import KeySecret
from graphql_api.features.plans import Plan
from graphql_api.features.tenants import Tenant, TenantRegistration
from graphql_api.features.users import User, UserStatus
from graphql_api.store.client import Database
from graphql_api.store.codec import decode
from graphql_api.store.entity import Entity, key_of
from graphql_api.store.keys import PLATFORM, Family, tenant_family, tenant_of
from graphql_api.store.loader import ItemLoader
from graphql_api.store.repository import together
from graphql_api.store.table import Table

# A membership is read before the request's own deadline starts to matter.
READ_SECONDS = 5.0


class MembershipReader:
    """What the registry and the tenant say of members, each read with its own rights.

    Whoever is asked for at the same moment is read together: a tenant's thousand subscribers in ten calls.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._loaders: dict[Family, ItemLoader] = {}

    async def read(self, tenant: str, subject: str) -> Membership | None:
        """None where the tenant or the user does not exist, or has not accepted an invitation yet."""
        # All plans beside the registration: which of them it is, is known only when it has been read.
        registration, user, itself, *plans = await together(
            (
                self._find(PLATFORM, TenantRegistration, tenant),
                self._find(tenant_family(tenant), User, subject),
                self._find(tenant_family(tenant), Tenant, tenant),
                *(self._find(PLATFORM, Plan, tier) for tier in Tier),
            )
        )
        if not isinstance(registration, TenantRegistration) or not isinstance(user, User):
            return None
        if user.status is UserStatus.INVITED:
            return None
        edited = {plan.allowance.tier: plan.allowance for plan in plans if isinstance(plan, Plan)}
        return Membership(
            role=user.role,
            active=user.status is UserStatus.ACTIVE,
            tenant_active=registration.is_open,
            allowance=edited.get(registration.plan, DEFAULTS[registration.plan]),
            settings=itself.settings if isinstance(itself, Tenant) else TenantSettings(),
        )

    async def _find(self, family: Family, cls: type[Entity], uid: str) -> Entity | None:
        item = await self._loader(family).load(key_of(family, cls, uid))
        return None if item is None else decode(cls, item)

    def _loader(self, family: Family) -> ItemLoader:
        """One for all who ask before the loop goes round: what it has read must not be read from it later."""
        if family not in self._loaders:
            table = Table(self._database, family, Deadline.after(READ_SECONDS))
            self._loaders[family] = ItemLoader(table, consistent=True)
            asyncio.get_running_loop().call_soon(self._loaders.pop, family)
        return self._loaders[family]


class KeyReader:
    """What is stored of an API key, read with the rights of the tenant that its text names."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, tenant: str, uid: str) -> KeyRecord | None:
        """None where there is no such key, or none any more."""
        family = tenant_family(tenant)
        key = key_of(family, KeySecret, uid)
        table = Table(self._database, family, Deadline.after(READ_SECONDS))
        item = (await table.batch_get([key], consistent=True)).get(key)
        secret = None if item is None else decode(KeySecret, item)
        if secret is None or secret.deleted_at is not None:
            return None
        until = _seconds(secret.valid_until)
        former = min(filter(None, (_seconds(secret.former_until), until)), default=0)
        digests = ((secret.digest, until), (secret.former_digest or "", former))
        return KeyRecord(secret.user_uid, secret.role, digests)


def _seconds(at: datetime | None) -> int | None:
    return None if at is None else int(at.timestamp())


async def erased(database: Database, families: Sequence[Family], deadline: Deadline) -> list[Family]:
    """Those of the tenants that are being erased, or were."""
    keys = {key_of(PLATFORM, TenantRegistration, tenant_of(family)): family for family in families}
    found = await Table(database, PLATFORM, deadline).batch_get(list(keys))
    return [keys[key] for key, item in found.items() if decode(TenantRegistration, item).erasure_begun_at]
