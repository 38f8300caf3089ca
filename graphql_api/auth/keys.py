"""The issuer's public keys: fetched by URL, cached, and asked for no more often than the issuer can bear."""

import asyncio
import json
import logging
import re
import ssl
import time
from collections.abc import Callable
from contextlib import closing
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, cast
from urllib.parse import SplitResult, urlsplit

import jwt

from graphql_api.settings import SettingsError

LIFESPAN = 300.0
COOLDOWN = 30.0
COLD_COOLDOWN = 5.0
STALE_LIMIT = 3600.0
FETCH_TIMEOUT = 2.0
MAX_DOCUMENT_BYTES = 256 * 1024

# Issuers use UUIDs, hex, thumbprints and standard base64 (so + / =), never a path that climbs.
KEY_ID = re.compile(r"\A(?!.*\.\.)[0-9A-Za-z._:+/=-]{1,128}\Z")

# Asymmetric, one algorithm per family: what a key may verify is never the token's choice (RFC 8725 §3.1).
_FAMILIES = (("RSA", None, "RS256"), ("EC", "P-256", "ES256"), ("OKP", "Ed25519", "EdDSA"))

_logger = logging.getLogger(__name__)


class JwksKeys:
    """The key set (RFC 7517) at one URL.

    - A set serves for LIFESPAN seconds; so a key the issuer removed is refused within 5 minutes.
    - An unknown key id fetches anew, at most once per COOLDOWN whatever arrives, so an issuer publishes
      a key that long before it signs with it. Concurrent callers share one fetch, `timeout` at most.
    - While the issuer cannot be reached, or answers with no key set, the last set serves until it is
      STALE_LIMIT seconds old; then no key is known and every token is refused.
    - Before the first set was ever fetched, a failure is tried again after COLD_COOLDOWN.

    `clock` is wall time: a monotonic one may stand still while Lambda freezes the process.
    """

    def __init__(
        self, url: str, *, timeout: float = FETCH_TIMEOUT, clock: Callable[[], float] = time.time
    ) -> None:
        self._url = _checked(url)
        self._timeout = timeout
        self._clock = clock
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at = self._attempted_at = float("-inf")
        self._flight: asyncio.Task[None] | None = None

    async def find(self, key_id: str) -> jwt.PyJWK | None:
        """The verification key of this id, or None; never raises for what the issuer does."""
        if key_id not in self._keys or not self._within(LIFESPAN, self._fetched_at):
            await self._refresh()
        return self._keys.get(key_id) if self._within(STALE_LIMIT, self._fetched_at) else None

    def _within(self, seconds: float, since: float) -> bool:
        return 0 <= self._clock() - since < seconds

    async def _refresh(self) -> None:
        if self._flight is None or self._flight.done():
            cooldown = COOLDOWN if self._fetched_at > float("-inf") else COLD_COOLDOWN
            if self._within(cooldown, self._attempted_at):
                return
            self._flight = asyncio.create_task(self._fetch())
        # Shielded: a caller that gives up must not fail those who wait with it.
        await asyncio.shield(self._flight)

    async def _fetch(self) -> None:
        self._attempted_at = started = self._clock()
        try:
            async with asyncio.timeout(self._timeout):
                document = await asyncio.to_thread(_download, self._url, self._timeout)
            self._keys = verification_keys(document)
            self._fetched_at = started
        except (OSError, HTTPException, ValueError, RecursionError, jwt.PyJWTError) as error:
            _logger.warning("no key set from %s: %s", self._url.hostname, type(error).__name__)


def verification_keys(document: object) -> dict[str, jwt.PyJWK]:
    """The keys of a JWK Set that may verify a token, by key id.

    Symmetric, private, weak, encryption and foreign-algorithm keys are left out. An empty set is an
    answer (everything revoked); PyJWKSetError: this is no key set.
    """
    members = cast("dict[str, Any]", document).get("keys") if isinstance(document, dict) else None
    if not isinstance(members, list):
        raise jwt.PyJWKSetError("not a JWK Set")
    usable = [member for member in cast("list[Any]", members) if _may_verify(member)]
    keys = jwt.PyJWKSet(usable).keys if usable else []
    return {key.key_id: key for key in keys if key.key_id and not key.Algorithm.check_key_length(key.key)}


def _may_verify(member: object) -> bool:
    if not isinstance(member, dict):
        return False
    jwk = cast("dict[str, Any]", member)
    family = (jwk.get("kty"), jwk.get("crv"))
    algorithm = next((name for kty, crv, name in _FAMILIES if (kty, crv) == family), None)
    key_id = jwk.get("kid")
    return (
        algorithm is not None
        and jwk.get("alg", algorithm) == algorithm
        and jwk.get("use", "sig") == "sig"
        and "d" not in jwk
        and isinstance(key_id, str)
        and KEY_ID.match(key_id) is not None
    )


def _checked(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port  # is parsed, and may be refused, when it is read
    except ValueError as malformed:
        raise SettingsError(f"JWKS_URL: {malformed}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SettingsError("JWKS_URL must be an http or https URL")
    return parts


def _download(url: SplitResult, timeout: float) -> object:
    """The JSON document at `url`. A redirect is an error: the host is the configured one."""
    with closing(_connection(url, timeout)) as connection:
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        connection.request("GET", target, headers={"Accept": "application/json"})
        response = connection.getresponse()
        body = response.read(MAX_DOCUMENT_BYTES + 1)
    if response.status != HTTPStatus.OK or len(body) > MAX_DOCUMENT_BYTES:
        raise ValueError("not a JWK Set")
    return json.loads(body)


def _connection(url: SplitResult, timeout: float) -> HTTPConnection:
    host = url.hostname or ""
    if url.scheme == "https":
        return HTTPSConnection(host, url.port, timeout=timeout, context=ssl.create_default_context())
    return HTTPConnection(host, url.port, timeout=timeout)
