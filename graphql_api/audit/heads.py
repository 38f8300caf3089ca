"""Where a tenant's log ended on a day, signed: what no one who can write the tables can make up later.

T#<tenant>#LOG#SIGNED / <day>     the signed head of that day (UTC)

A signed head is a compact JWS (ES256, RFC 7515) over JSON: tenant, epoch, sequence, hash, at. It covers every
change of the log up to `sequence`, by the chain of hashes. Entries of the audit log are no part of the chain.
"""

import base64
import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

import jwt

from graphql_api.changes.head import LogHead
from graphql_api.store.codec import Item, decode, encode
from graphql_api.store.keys import FIRST, LAST, Family, Key, partition, tenant_of
from graphql_api.store.schema import EXPIRY, SORT
from graphql_api.store.table import Table
from graphql_api.store.writes import Put

ALGORITHM = "ES256"
MAX_BYTES = 2048  # of a signed head

_lines = logging.getLogger("audit")


class Signer(Protocol):
    """Holds the private key of signed heads, or may ask for its signatures."""

    async def sign(self, message: bytes) -> bytes:
        """The ES256 signature (RFC 7518 §3.4): r and s, 32 bytes each."""
        ...

    async def public_key(self) -> dict[str, Any]:
        """The public key as a JWK with its `kid`."""
        ...

    async def close(self) -> None: ...

    @property
    def key_id(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedPlace:
    """What a signed head says: at that time the tenant's log ended there."""

    tenant: str
    epoch: str
    sequence: int
    hash: str
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredHead:
    """The item of a day."""

    sequence: int
    signed: str


class BadSignatureError(ValueError):
    """No signed head, or one that none of the keys has signed."""


class Heads:
    """The signed heads of one tenant, through the control table with the tenant's rights."""

    def __init__(
        self,
        table: Table,
        family: Family,
        signer: Signer,
        *,
        now: Callable[[], datetime],
        retention: timedelta,
    ) -> None:
        self._table = table
        self._family = family
        self._signer = signer
        self._now = now
        self._retention = retention
        self._partition = partition(family, "LOG", "SIGNED")

    async def sign(self, head: LogHead) -> str | None:
        """The signed head of today; None where there is one, or the log has not moved since the last."""
        now = self._now()
        day = now.date().isoformat()
        items = await self._table.read(self._partition, FIRST, LAST, 1, newest_first=True)
        if items and (items[0][SORT]["S"] >= day or decode(StoredHead, items[0]).sequence == head.sequence):
            return None
        signed = await self._signed(head, now)
        # First the line: a head that is in the table is in the log for sure.
        _lines.info("Signed head.", extra={"head": signed, "tenant": tenant_of(self._family)})
        expires_at = int((now + self._retention).timestamp())
        stored = encode(StoredHead(sequence=head.sequence, signed=signed))
        item: Item = stored | {EXPIRY: {"N": str(expires_at)}}
        try:
            await self._table.commit([Put(Key(self._partition, day), item, _signed_meanwhile)])
        except SignedMeanwhileError:
            return None
        return signed

    async def _signed(self, head: LogHead, now: datetime) -> str:
        place = SignedPlace(
            tenant=tenant_of(self._family),
            epoch=head.epoch,
            sequence=head.sequence,
            hash=head.hash,
            at=now.isoformat(timespec="seconds"),
        )
        header = {"alg": ALGORITHM, "kid": self._signer.key_id, "typ": "log-head+jws"}
        message = f"{_encoded(_json(header))}.{_encoded(_json(asdict(place)))}"
        return f"{message}.{_encoded(await self._signer.sign(message.encode()))}"


class SignedMeanwhileError(Exception):
    """Somebody else has signed the head of this day."""


def verified_head(text: str, keys: list[dict[str, Any]]) -> SignedPlace:
    """What a signed head says. Raises BadSignatureError unless one of the keys (JWKs) has signed it."""
    try:
        key_id = jwt.get_unverified_header(text)["kid"] if len(text) <= MAX_BYTES else None
        (key,) = (key for key in keys if key.get("kid") == key_id)
        payload = jwt.PyJWS().decode(text, jwt.PyJWK(key, ALGORITHM), algorithms=[ALGORITHM])
        return SignedPlace(**json.loads(payload))
    except (jwt.PyJWTError, ValueError, TypeError, KeyError) as reason:
        raise BadSignatureError("it is no head that was signed by this key") from reason


def _signed_meanwhile(_: Item | None) -> Exception:
    return SignedMeanwhileError()


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
