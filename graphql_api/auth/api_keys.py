"""API key in, Claims out, wherever a JWT may stand."""

import asyncio
import hmac
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from graphql_api.auth.identity import Role
from graphql_api.auth.secret_text import API_KEY, SecretText
from graphql_api.auth.tokens import INVALID_TOKEN, MAX_AGE, Claims
from graphql_api.errors import RateLimitedError, UnauthenticatedError

TTL = 30.0
CAPACITY = 10_000
# Look-ups of keys that this process does not know as good: at once, and then in a second.
BURST_OF_TENANT, RATE_OF_TENANT = 200, 50.0
BURST_OF_PROCESS, RATE_OF_PROCESS = 1000, 200.0
MAX_TENANTS = 1000


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What is stored of a key: whose it is, the most it may do, and which digests open it until when.

    Times in epoch seconds; None: until it is revoked.
    """

    subject: str
    role: Role
    digests: tuple[tuple[str, int | None], ...] = field(repr=False)


class ApiKeyVerifier:
    """Verifies API keys. A text that is malformed, unknown, expired or revoked: one UnauthenticatedError.

    What was found of a text, good or not, is remembered for TTL seconds under its digest, which the tenant is
    part of; so a revocation takes effect within that. Texts not known as good are looked up at a bounded
    rate, beyond which a RateLimitedError says nothing of the key; one that was good is always looked up.
    `read` takes tenant and key uid, and reads with that tenant's rights alone. `clock` is wall time.
    """

    def __init__(
        self,
        read: Callable[[str, str], Awaitable[KeyRecord | None]],
        clock: Callable[[], float] = time.time,
        capacity: int = CAPACITY,
    ) -> None:
        self._read = read
        self._clock = clock
        self._capacity = capacity
        self._known: dict[str, tuple[float, Claims | None]] = {}
        self._flights: dict[str, asyncio.Task[Claims | None]] = {}
        self._process = _Bucket(BURST_OF_PROCESS, RATE_OF_PROCESS)
        self._tenants: dict[str, _Bucket] = {}

    async def verify(self, text: str) -> Claims:
        """The claims of a key: its user, its role, its tenant."""
        secret = SecretText.parse(API_KEY, text)
        claims = None if secret is None else await self._claims(secret)
        if claims is None or claims.expires_at <= self._clock():
            raise UnauthenticatedError(INVALID_TOKEN)
        return claims

    async def stands(self, claims: Claims) -> bool:
        """Whether the key behind some claims, if one is, still stands; read now."""
        if claims.key is None or claims.tenant is None:
            return True
        return await self._read(claims.tenant, claims.key) is not None

    async def _claims(self, secret: SecretText) -> Claims | None:
        digest = secret.digest
        read_at, claims = self._known.get(digest, (0.0, None))
        if digest in self._known and 0 <= self._clock() - read_at < TTL:
            return claims
        if digest not in self._flights:
            if claims is None:
                self._require_room(secret.tenant)
            self._flights[digest] = flight = asyncio.create_task(self._look_up(secret, digest))
            flight.add_done_callback(lambda _: self._flights.pop(digest))
        # Shielded: a caller that gives up must not fail those who wait with it.
        return await asyncio.shield(self._flights[digest])

    async def _look_up(self, secret: SecretText, digest: str) -> Claims | None:
        started = self._clock()
        record = await self._read(secret.tenant, secret.uid)
        claims = None if record is None else _opened(record, secret, digest, started)
        self._known.pop(digest, None)
        self._known[digest] = (started, claims)
        if len(self._known) > self._capacity:
            del self._known[next(iter(self._known))]  # the longest held
        return claims

    def _require_room(self, tenant: str) -> None:
        now = self._clock()
        bucket = self._tenants.pop(tenant, None) or _Bucket(BURST_OF_TENANT, RATE_OF_TENANT)
        self._tenants[tenant] = bucket
        if len(self._tenants) > MAX_TENANTS:
            del self._tenants[next(iter(self._tenants))]
        if not (bucket.take(now) and self._process.take(now)):
            raise RateLimitedError("Too many unknown API keys were sent; try again in a moment.")


class _Bucket:
    """So many at once, then so many a second."""

    def __init__(self, burst: float, rate: float) -> None:
        self._burst = self._left = burst
        self._rate = rate
        self._at: float | None = None

    def take(self, now: float) -> bool:
        gained = 0.0 if self._at is None else max(0.0, now - self._at) * self._rate
        self._left, self._at = min(self._burst, self._left + gained), now
        if self._left < 1:
            return False
        self._left -= 1
        return True


def _opened(record: KeyRecord, secret: SecretText, digest: str, now: float) -> Claims | None:
    for stored, until in record.digests:
        if hmac.compare_digest(stored, digest):
            expires_at = int(now) + MAX_AGE if until is None else until
            return Claims(record.subject, record.role, secret.tenant, expires_at, secret.uid)
    return None
