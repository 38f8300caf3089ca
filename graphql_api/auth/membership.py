"""Claims in, Identity out: what the tenant's own records say of a caller today."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from graphql_api.auth.identity import Identity, Role, TenantSettings
from graphql_api.auth.plan import Allowance
from graphql_api.auth.tokens import Claims
from graphql_api.errors import ForbiddenError

TTL = 30.0
RENEWED = 1.0  # seconds, for who was refused something that a better plan allows
CAPACITY = 10_000


@dataclass(frozen=True, slots=True)
class Membership:
    """One user's standing in one tenant, and the tenant's own, with what its plan allows and how it wants
    things done.
    """

    role: Role
    active: bool
    tenant_active: bool
    allowance: Allowance | None = None
    settings: TenantSettings = field(default_factory=TenantSettings)


class StrangerError(ForbiddenError):
    """The tenant knows nobody of that name: what this person does is none of the tenant's business."""


class Memberships:
    """Membership records, each read at most once per `ttl` and (tenant, subject), whoever asks at once.

    A suspension or demotion takes effect within `ttl` seconds. A missing record is not remembered, so
    an invitation takes effect at once. A failed read is the caller's failure: nobody passes on old data.
    `read` takes tenant and subject; `clock` is wall time, which goes on while Lambda freezes the process.
    """

    def __init__(
        self,
        read: Callable[[str, str], Awaitable[Membership | None]],
        ttl: float = TTL,
        clock: Callable[[], float] = time.time,
        capacity: int = CAPACITY,
    ) -> None:
        self._read = read
        self._ttl = ttl
        self._clock = clock
        self._capacity = capacity
        self._records: dict[tuple[str, str], tuple[float, Membership]] = {}
        self._flights: dict[tuple[str, str], asyncio.Task[Membership | None]] = {}

    async def identify(self, claims: Claims) -> Identity:
        """The caller these claims name, with the lower of both roles; ForbiddenError if there is none."""
        if claims.tenant is None:
            return Identity(claims.subject, claims.role, None, claims.expires_at)
        record = _standing(await self._membership(claims.tenant, claims.subject, self._ttl))
        role = claims.role if record.role.covers(claims.role) else record.role
        return Identity(
            claims.subject, role, claims.tenant, claims.expires_at, record.allowance, record.settings
        )

    async def renewed(self, identity: Identity) -> Identity:
        """The caller with what the tenant's plan allows now, as of a second ago at the most."""
        if identity.tenant is None:
            return identity
        record = await self._membership(identity.tenant, identity.subject, RENEWED)
        return identity if record is None else replace(identity, allowance=record.allowance)

    def forget(self, tenant: str, subject: str | None = None) -> None:
        """Read a person's record, or those of a whole tenant, anew when they are next asked for."""
        for key in [key for key in self._records if key[0] == tenant and subject in (None, key[1])]:
            del self._records[key]

    async def _membership(self, tenant: str, subject: str, ttl: float) -> Membership | None:
        key = (tenant, subject)
        read_at, record = self._records.get(key, (0.0, None))
        if record is not None and 0 <= self._clock() - read_at < ttl:
            return record
        if key not in self._flights:
            self._flights[key] = flight = asyncio.create_task(self._fetch(key))
            flight.add_done_callback(lambda _: self._flights.pop(key))
        # Shielded: a caller that gives up must not fail those who wait with it.
        return await asyncio.shield(self._flights[key])

    async def _fetch(self, key: tuple[str, str]) -> Membership | None:
        started = self._clock()
        record = await self._read(*key)
        self._records.pop(key, None)
        if record is not None:
            self._records[key] = (started, record)
            if len(self._records) > self._capacity:
                del self._records[next(iter(self._records))]  # the longest held
        return record


def _standing(record: Membership | None) -> Membership:
    """The record of a member who may come in. Raises ForbiddenError for anybody else."""
    # PLATFORM stands outside every tenant, so a record that grants it is corrupt.
    if record is None or record.role is Role.PLATFORM:
        raise StrangerError("You are not a member of this tenant.")
    if not record.tenant_active:
        raise ForbiddenError("This tenant is suspended.")
    if not record.active:
        raise ForbiddenError("This account is suspended.")
    return record
