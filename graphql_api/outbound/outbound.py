"""POST to a URL that somebody registered, to addresses of the internet alone, without redirects or proxies.

RefusedUrlError      the URL is of a form that is never called
RefusedAddressError  its host has an address that is not the internet's
"""

import asyncio
import ipaddress
import re
import socket
import ssl
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from graphql_api.outbound.address import Network, is_public, is_within

POST_SECONDS = 10.0  # for a call: names, connection, TLS and answer
MAX_URL = 2048
MAX_RESPONSE_BYTES = 1024  # of what a receiver answers
PORTS = (443, 8443)
_PRINTABLE = re.compile(r"\A[!-~]+\Z")
_HOST = re.compile(r"\A(?!-)[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})*\Z")
_LOCAL = ("internal", "local", "localhost")
_NUMBER = re.compile(r"\A(0x[0-9a-f]*|[0-9]+)\Z")

# The addresses of a host, as socket.getaddrinfo tells them.
Lookup = Callable[[str, int], Awaitable[Sequence[tuple[int, Any, int, str, tuple[Any, ...]]]]]


class RefusedUrlError(ValueError):
    """What is wrong with the URL, for people."""


class RefusedAddressError(OSError):
    """The host has an address that no stranger may have called."""


@dataclass(frozen=True, slots=True)
class Reply:
    """How a call ended: with the receiver's status and the first bytes it said, or with a problem."""

    milliseconds: int
    status: int | None = None
    text: str = ""
    problem: str | None = None

    @property
    def is_success(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


async def system_lookup(host: str, port: int) -> Sequence[Any]:
    """What this machine's resolver says."""
    return await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)


class Outbound:
    """What may be called and how; holds no connection.

    `networks` may be called although they are not the internet's, also without TLS and on any port if
    `is_development`.
    """

    def __init__(
        self,
        networks: Sequence[Network] = (),
        *,
        is_development: bool = False,
        lookup: Lookup = system_lookup,
    ) -> None:
        self._networks = networks
        self._is_development = is_development
        self._lookup = lookup

    def require(self, url: str) -> str:
        """The URL, if it may be called as far as it tells itself. Raises RefusedUrlError."""
        if len(url) > MAX_URL or not _PRINTABLE.match(url):
            raise RefusedUrlError(f"is at most {MAX_URL} characters of printable ASCII")
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise RefusedUrlError("is no URL") from None
        schemes = ("https", "http") if self._is_development else ("https",)
        if parts.scheme not in schemes:
            raise RefusedUrlError("begins with https://")
        if parts.username is not None or parts.password is not None or parts.fragment:
            raise RefusedUrlError("has no credentials and no fragment")
        if not self._is_development and (443 if port is None else port) not in PORTS:
            raise RefusedUrlError(f"has port {' or '.join(map(str, PORTS))}")
        self._require_host(parts.hostname or "")
        return url

    @asynccontextmanager
    async def session(self) -> AsyncGenerator["Calls"]:
        """Calls one after another; their connections are closed when it ends."""
        connector = aiohttp.TCPConnector(
            resolver=_CheckedResolver(self._lookup, self._require_address),
            use_dns_cache=False,
            ssl=self._tls,
            socket_factory=self._socket,
            limit=1,
        )
        async with aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=POST_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
        ) as session:
            yield Calls(session)

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context()

    def _require_host(self, host: str) -> None:
        try:
            self._require_address(host)
        except ValueError:
            # The system's resolver reads 127.1 and 0x7f000001 as addresses; a name does not end in a number.
            name = host.removesuffix(".")
            _, dot, last = name.rpartition(".")
            is_local = not self._is_development and (not dot or last in _LOCAL)
            if not _HOST.match(name) or _NUMBER.match(last) or is_local:
                raise RefusedUrlError("has a host of the internet") from None
        except RefusedAddressError:
            raise RefusedUrlError("has a host of the internet") from None

    def _require_address(self, text: str) -> None:
        """Raises RefusedAddressError, and ValueError for what is no address."""
        address = ipaddress.ip_address(text.partition("%")[0])
        if not is_within(address, self._networks) and not is_public(address):
            raise RefusedAddressError(f"{address} is not an address of the internet")

    def _socket(self, info: tuple[Any, Any, int, str, tuple[Any, ...]]) -> socket.socket:
        """Every connection is made through here, whoever said what the address is."""
        family, kind, protocol, _, place = info
        self._require_address(place[0])
        return socket.socket(family, kind, protocol)


class Calls:
    """Calls of one session."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """How the call ended, within POST_SECONDS."""
        started = time.monotonic()
        status, text, problem = None, "", None
        try:
            async with self._session.post(
                URL(url, encoded=True), data=body, headers=headers, allow_redirects=False
            ) as response:
                status = response.status
                said = await response.content.read(MAX_RESPONSE_BYTES)
                text = said.decode(errors="replace")
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            # A status whose body breaks off stands: the receiver has said what it wanted.
            problem = None if status is not None else _problem(error)
        return Reply(round((time.monotonic() - started) * 1000), status, text, problem)


class _CheckedResolver(AbstractResolver):
    """Answers with addresses that may be called, or not at all."""

    def __init__(self, lookup: Lookup, require: Callable[[str], None]) -> None:
        self._lookup = lookup
        self._require = require

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._lookup(host, port)
        for *_, place in found:
            self._require(place[0])
        return [
            ResolveResult(
                hostname=host,
                host=place[0],
                port=port,
                family=family,
                proto=protocol,
                flags=socket.AI_NUMERICHOST,
            )
            for family, _, protocol, _, place in found
        ]

    async def close(self) -> None:
        return


def _problem(error: Exception) -> str:
    """What its owner is told: nothing of the network that the call was made from."""
    causes = (error, getattr(error, "os_error", None), error.__cause__)
    match error:
        case _ if any(isinstance(cause, RefusedAddressError) for cause in causes):
            return "The host has an address that is not called."
        case TimeoutError():
            return f"There was no answer within {POST_SECONDS:.0f} s."
        case aiohttp.ClientConnectorDNSError():
            return "The host has no address."
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientSSLError():
            return "TLS could not be agreed on, or the certificate is not valid."
        case aiohttp.ClientConnectorError():
            return "There was no connection."
        case _:
            return "The connection broke off, or what came was no HTTP."
