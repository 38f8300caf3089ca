"""Credentials that can reach one principal's keys and no other's: a role session for each tenant.

The functions' own roles cannot read a tenant's items. A call is signed with a session of the tenant role that
is tagged with the tenant, and the role's policy admits only keys that begin with the tag.
"""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Self, cast

from aiobotocore.credentials import AioCredentials, AioRefreshableCredentials
from aiobotocore.session import AioSession
from botocore.credentials import ReadOnlyCredentials

from graphql_api.settings import Settings
from graphql_api.store.keys import CONNECTIONS, PLATFORM, Family, tenant_of

if TYPE_CHECKING:
    from types_aiobotocore_sts.client import STSClient

SESSION_SECONDS = 3600  # The most that a role may give which was assumed by a role.
REFRESH_SECONDS = 300  # From here on the first caller fetches the next session, the others use this one.
LAST_SECONDS = 60  # From here on nobody signs before the next session is there.
MAX_SESSIONS = 1000  # of a process; the one used longest ago is forgotten
# A refusal ends a session of that age: it may have been revoked. A younger one is refused for what it asks.
RENEWABLE_SECONDS = 60
TAG = "tenant"

_EXPIRED = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class Roles:
    """ARNs of what is assumed for a tenant's keys, and for the platform's."""

    tenant: str
    platform: str

    @classmethod
    def of(cls, settings: Settings) -> Self | None:
        """None where every call is made with the process's own credentials: on one machine."""
        if settings.tenant_role_arn is None or settings.platform_role_arn is None:
            return None
        return cls(settings.tenant_role_arn, settings.platform_role_arn)

    def request(self, family: Family) -> dict[str, Any]:
        """Arguments of AssumeRole for the owner of that key family."""
        if family == PLATFORM:
            return {"RoleArn": self.platform, "RoleSessionName": "platform"}
        tenant = tenant_of(family)
        return {
            "RoleArn": self.tenant,
            "RoleSessionName": f"tenant-{tenant}",
            "Tags": [{"Key": TAG, "Value": tenant}],
        }


class Vending:
    """What an SDK session asks for credentials (its component `credential_provider`).

    `principal` tells whose call is being signed; without one there are no credentials.
    """

    def __init__(
        self, roles: Roles, sts: "STSClient", own: AioSession, principal: Callable[[], Family | None]
    ) -> None:
        self._roles = roles
        self._sts = sts
        self._own = own
        self._principal = principal
        self._sessions: OrderedDict[Family, _Session] = OrderedDict()

    async def load_credentials(self) -> AioCredentials:
        """Once for a client; which session signs is decided call by call."""
        return _PrincipalCredentials(self._frozen)

    async def _frozen(self) -> ReadOnlyCredentials:
        family = self._principal()
        if family is None:
            raise RuntimeError("a call to the store names no principal")
        if family == CONNECTIONS:
            own = await self._own.get_credentials()
            return await cast("AioCredentials", own).get_frozen_credentials()
        return await self._session(family).credentials.get_frozen_credentials()

    def renew(self, family: Family) -> bool:
        """Forget a session that was refused; whether the next call of the family is signed by another."""
        session = self._sessions.get(family)
        if session is None or time.time() - session.begun_at < RENEWABLE_SECONDS:
            return False
        del self._sessions[family]
        return True

    def _session(self, family: Family) -> "_Session":
        if family not in self._sessions:
            self._sessions[family] = _Session(self._credentials(family), time.time())
        self._sessions.move_to_end(family)
        if len(self._sessions) > MAX_SESSIONS:
            self._sessions.popitem(last=False)
        return self._sessions[family]

    def _credentials(self, family: Family) -> AioRefreshableCredentials:
        """Of a session that is assumed when it first signs; whoever else signs then waits for it."""

        async def assume() -> dict[str, str]:
            request = self._roles.request(family)
            answer = await self._sts.assume_role(**request, DurationSeconds=SESSION_SECONDS)
            given = answer["Credentials"]
            return {
                "access_key": given["AccessKeyId"],
                "secret_key": given["SecretAccessKey"],
                "token": given["SessionToken"],
                "expiry_time": given["Expiration"].isoformat(),
            }

        return AioRefreshableCredentials(
            access_key="",
            secret_key="",
            token="",
            expiry_time=_EXPIRED,
            refresh_using=assume,
            method="tenant-role",
            advisory_timeout=REFRESH_SECONDS,
            mandatory_timeout=LAST_SECONDS,
        )


class _Session(NamedTuple):
    """One principal's, and when the process began to use it, in Unix time."""

    credentials: AioRefreshableCredentials
    begun_at: float


class _PrincipalCredentials(AioCredentials):
    """Empty in themselves; frozen anew for every signature."""

    def __init__(self, frozen: Callable[[], Awaitable[ReadOnlyCredentials]]) -> None:
        super().__init__(access_key="", secret_key="", method="tenant-role")
        self._frozen = frozen

    async def get_frozen_credentials(self) -> ReadOnlyCredentials:
        return await self._frozen()
