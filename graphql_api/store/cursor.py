"""Cursors: opaque, tamper-proof, good for one scope; those of lists for a day."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Sequence

from graphql_api.errors import BadCursorError

LIFETIME_HOURS = 24
_MAC_BYTES = 16
_HOUR_BYTES = 4
MAX_CURSOR_LENGTH = 2048  # a sort key is at most 1,024 bytes (DynamoDB)


class Seals:
    """Bytes in, text out that nobody else can make: base64url(bytes | HMAC-SHA256 truncated to 128 bits).

    The MAC also covers the scope. The first secret signs, every secret verifies; without any, nothing does.
    """

    def __init__(self, secrets: Sequence[bytes]) -> None:
        self._secrets = tuple(secrets)

    def renew(self, secrets: Sequence[bytes]) -> None:
        """Go on with these."""
        self._secrets = tuple(secrets)

    def seal(self, payload: bytes, scope: Sequence[str]) -> str:
        sealed = payload + _mac(self._secrets[0], payload, scope)
        return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()

    def open(self, text: str, scope: Sequence[str]) -> bytes:
        """The sealed bytes. Raises BadCursorError for anything that was not sealed for this scope."""
        sealed = _from_base64(text)
        payload, mac = sealed[:-_MAC_BYTES], sealed[-_MAC_BYTES:]
        if not any(hmac.compare_digest(mac, _mac(secret, payload, scope)) for secret in self._secrets):
            raise BadCursorError
        return payload


class CursorCodec:
    """Seals the sort key at which a page ended, with the hour it was sealed in.

    The scope is the list it belongs to: the tenant, the index partition and the range. `hours` is the clock,
    in whole hours of Unix time.
    """

    def __init__(self, seals: Seals, hours: Callable[[], int]) -> None:
        self._seals = seals
        self._hours = hours

    def seal(self, position: str, scope: Sequence[str]) -> str:
        return self._seals.seal(self._hours().to_bytes(_HOUR_BYTES, "big") + position.encode(), scope)

    def open(self, cursor: str, scope: Sequence[str]) -> str:
        """The sealed position. Raises BadCursorError for anything but an unexpired cursor of this scope."""
        payload = self._seals.open(cursor, scope)
        if len(payload) <= _HOUR_BYTES:
            raise BadCursorError
        if self._hours() - int.from_bytes(payload[:_HOUR_BYTES], "big") > LIFETIME_HOURS:
            raise BadCursorError
        return payload[_HOUR_BYTES:].decode()


def _from_base64(cursor: str) -> bytes:
    if len(cursor) > MAX_CURSOR_LENGTH:
        raise BadCursorError
    try:
        sealed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise BadCursorError from None
    # Base64 has several spellings of some byte strings; only the one that was issued is good.
    if base64.urlsafe_b64encode(sealed).rstrip(b"=").decode() != cursor:
        raise BadCursorError
    return sealed


def _mac(secret: bytes, payload: bytes, scope: Sequence[str]) -> bytes:
    # Length prefixes keep ("a", "bc") and ("ab", "c") apart.
    parts = [part.encode() for part in scope]
    framed = b"".join(len(part).to_bytes(4, "big") + part for part in (*parts, payload))
    return hmac.new(secret, framed, hashlib.sha256).digest()[:_MAC_BYTES]
