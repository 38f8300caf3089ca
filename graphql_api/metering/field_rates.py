"""How often mutations may be asked for that are costly, or that somebody could guess with.

A mutation says so where it is declared: `metadata={"rates": [FieldRate(Per.USER, burst=20, per_minute=10)]}`.
Each use in a document counts, under whatever alias, before anything is executed. A bucket is an item of the
control table; where it cannot be asked, the mutation does not happen.

RateLimitedError    RATE_LIMITED    too often; `retryAfter` in whole seconds
"""

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from graphql_api.auth.identity import Identity
from graphql_api.deadline import Deadline
from graphql_api.errors import RateLimitedError
from graphql_api.metering.bucket import Bucket, EmptyBucketError, Rate
from graphql_api.metering.budget import refusal
from graphql_api.store.keys import PLATFORM, Family, tenant_family

IPV6_NETWORK = 64  # bits that one customer has to itself as a rule (RFC 6177 §2)

# The family that a bucket is in, and the rest of its path there but the field.
Owner = tuple[Family, *tuple[str, ...]]


class Per(StrEnum):
    """Who shares a bucket: one person, all of a tenant, all behind one network address, or everybody."""

    USER = "USER"
    TENANT = "TENANT"
    ADDRESS = "ADDRESS"
    INSTALLATION = "INSTALLATION"


@dataclass(frozen=True, slots=True)
class FieldRate:
    """So many uses at once, and so many in each minute on and on."""

    per: Per
    burst: int
    per_minute: float

    @property
    def rate(self) -> Rate:
        return Rate(self.per_minute / 60, self.burst)


@dataclass(frozen=True, slots=True)
class Uses:
    """How often a document asks for a field that has rates."""

    rates: Sequence[FieldRate]
    number: int


class Asking(Protocol):
    """Who asks, from where, and until when an answer is of use."""

    @property
    def identity(self) -> Identity | None: ...
    @property
    def address(self) -> str | None: ...
    @property
    def deadline(self) -> Deadline: ...


class FieldRates:
    """All callers'. `bucket` is that of a path in a family, asked with the family's rights."""

    def __init__(self, bucket: Callable[[Family, tuple[str, ...], Deadline], Bucket]) -> None:
        self._bucket = bucket

    async def charge(self, uses: Mapping[str, Uses], asking: Asking) -> None:
        """Count these uses, by field. Raises RateLimitedError, or StoreBusyError."""
        for field, used in uses.items():
            for rate in used.rates:
                if (owner := _owner(rate.per, asking)) is not None:
                    await self._take(field, used.number, rate, owner, asking.deadline)

    async def _take(
        self,
        field: str,
        number: int,
        of: FieldRate,
        owner: Owner,
        deadline: Deadline,
    ) -> None:
        if number > of.burst:
            raise RateLimitedError(f"{field} may be asked for {of.burst} times at once.", retryAfter=60)
        family, *whose = owner
        try:
            await self._bucket(family, (field, *whose), deadline).take(number, number, of.rate)
        except EmptyBucketError as empty:
            raise refusal(empty.seconds, f"Too much of {field}; try again later.") from None


def _owner(per: Per, asking: Asking) -> Owner | None:
    """None for who is no member, and will be refused for that."""
    if per is Per.INSTALLATION:
        return (PLATFORM,)
    if per is Per.ADDRESS:
        return PLATFORM, network_of(asking.address)
    caller = asking.identity
    if caller is None or caller.tenant is None:
        return None
    family = tenant_family(caller.tenant)
    return (family, caller.subject) if per is Per.USER else (family,)


def network_of(address: str | None) -> str:
    """The network that somebody at this address has to itself, in the words of `ipaddress`."""
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return "unknown"
    bits = IPV6_NETWORK if parsed.version == 6 else parsed.max_prefixlen
    return str(ipaddress.ip_network((parsed, bits), strict=False))
