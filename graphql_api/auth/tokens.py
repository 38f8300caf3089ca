"""JWT in, Claims out: the signature, the standard claims, then a strict claim model (RFC 8725)."""

import base64
import json
import re
import time
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol, cast

import jwt
from jwt.types import Options

from graphql_api.auth.identity import SUBJECT, TENANT_SLUG, Role
from graphql_api.auth.keys import KEY_ID
from graphql_api.errors import UnauthenticatedError

INVALID_TOKEN = "The token is not valid."  # noqa: S105 -- a message, not a secret
EXPIRED_TOKEN = "The token has expired."  # noqa: S105 -- a message as well
MAX_TOKEN_BYTES = 8 * 1024
MAX_AGE = 24 * 3600
LEEWAY = 10

_COMPACT_JWS = re.compile(r"\A[0-9A-Za-z_-]+\.[0-9A-Za-z_-]+\.[0-9A-Za-z_-]+\Z")
_MAX_CONTAINERS = 256  # objects and arrays in one segment; bounds its depth, which Python's JSON does not

_TYPES = ("JWT", "at+jwt")
# A key, or where to find one, is never taken from the token; no extension is understood.
_REFUSED_HEADERS = frozenset({"b64", "crit", "jku", "jwk", "x5c", "x5u", "zip"})

_OPTIONS: Options = {"require": ["iss", "aud", "exp", "sub", "iat"], "enforce_minimum_key_length": True}
_ANY_TIME: Options = {**_OPTIONS, "verify_exp": False}
_REFUSALS = (jwt.PyJWTError, ValueError, TypeError, ArithmeticError, RecursionError)


class KeySource(Protocol):
    """Where verification keys come from, by key id alone."""

    async def find(self, key_id: str) -> jwt.PyJWK | None: ...


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified token says. `role` is the highest it names; `tenant` is None for PLATFORM alone.

    `expires_at`: epoch seconds, the token's own expiry or its greatest age, whichever comes first.
    `key`: the uid of the API key that stood in place of a token.
    ValueError for a combination no token may carry.
    """

    subject: str
    role: Role
    tenant: str | None
    expires_at: int
    key: str | None = None

    def __post_init__(self) -> None:
        if not SUBJECT.match(self.subject):
            raise ValueError("sub is malformed")
        if self.role is Role.PLATFORM:
            if self.tenant is not None:
                raise ValueError("PLATFORM belongs to no tenant")
        elif self.tenant is None or not TENANT_SLUG.match(self.tenant):
            raise ValueError("tenant is missing or malformed")


class ExpiredTokenError(UnauthenticatedError):
    """A token that is good but for its time; `claims` is what it says."""

    def __init__(self, claims: Claims) -> None:
        super().__init__(INVALID_TOKEN)
        self.claims = claims


class TokenVerifier:
    """Verifies access tokens of one issuer for one audience; `subject_claim` says who somebody is."""

    def __init__(self, keys: KeySource, issuer: str, audience: str, subject_claim: str = "sub") -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._subject_claim = subject_claim
        self._decoder = _Decoder(_OPTIONS)

    async def verify(self, token: str) -> Claims:
        """The token's claims. Whatever is wrong with it: one UnauthenticatedError, its cause the reason; an
        ExpiredTokenError where nothing but its time is.
        """
        try:
            key = await self._keys.find(_key_id(token))
            if key is None:
                raise jwt.InvalidKeyError("the key is unknown")
            try:
                return self._decoded(token, key, _OPTIONS)
            except jwt.ExpiredSignatureError as reason:
                raise ExpiredTokenError(self._decoded(token, key, _ANY_TIME)) from reason
        except _REFUSALS as reason:
            raise UnauthenticatedError(INVALID_TOKEN) from reason

    def _decoded(self, token: str, key: jwt.PyJWK, options: Options) -> Claims:
        payload = self._decoder.decode(
            token,
            key,
            algorithms=[key.algorithm_name],
            options=options,
            issuer=self._issuer,
            audience=self._audience,
            leeway=LEEWAY,
        )
        is_timed = options is not _ANY_TIME
        return _claims(payload, payload.get(self._subject_claim), is_timed=is_timed)


class _Decoder(jwt.PyJWT):
    """PyJWT, reading the payload strictly; the method is its documented point of extension."""

    def _decode_payload(self, decoded: dict[str, Any]) -> dict[str, Any]:
        return _json_object(decoded["payload"])


def _key_id(token: str) -> str:
    """The key id an acceptable header names; bounds and form are checked before anything is parsed."""
    if len(token) > MAX_TOKEN_BYTES or not _COMPACT_JWS.match(token):
        raise jwt.DecodeError("not a compact JWS")
    segment = token.partition(".")[0]
    header = _json_object(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    if not _REFUSED_HEADERS.isdisjoint(header) or header.get("typ", "JWT") not in _TYPES:
        raise jwt.DecodeError("the header is not acceptable")
    key_id = header.get("kid")
    if not isinstance(key_id, str) or not KEY_ID.match(key_id):
        raise jwt.DecodeError("kid is missing or malformed")
    return key_id


def _claims(payload: dict[str, Any], subject: object, *, is_timed: bool) -> Claims:
    """The strict claim model; PyJWT has compared issuer, audience and times, but converts as it reads."""
    issued, expires = _integer(payload, "iat"), _integer(payload, "exp")
    if "nbf" in payload:
        _integer(payload, "nbf")
    if is_timed and issued < time.time() - MAX_AGE:
        raise jwt.ExpiredSignatureError("older than any token may be")
    tenant = payload.get("tenant")
    if tenant is not None and not isinstance(tenant, str):
        raise TypeError("tenant is not a string")
    if not isinstance(subject, str):
        raise TypeError("the subject is not a string")
    role = _highest_role(payload.get("roles"))
    return Claims(subject, role, tenant, expires_at=min(expires, issued + MAX_AGE))


def _integer(payload: dict[str, Any], name: str) -> int:
    value = payload[name]
    if type(value) is not int:  # a bool is an int to isinstance
        raise TypeError(f"{name} is not an integer")
    return value


def _highest_role(names: object) -> Role:
    if not isinstance(names, list) or not names:
        raise TypeError("roles is not a list of names")
    roles = [Role(name) for name in cast("list[Any]", names)]
    if len(set(roles)) != len(roles) or (Role.PLATFORM in roles and len(roles) > 1):
        raise ValueError("roles repeat or contradict each other")
    return next(role for role in reversed(Role) if role in roles)


def _json_object(raw: bytes) -> dict[str, Any]:
    """A JSON object in UTF-8 with unique member names and finite numbers, nested within reason."""
    if raw.count(b"{") + raw.count(b"[") > _MAX_CONTAINERS:
        raise ValueError("nested too deeply")
    value = _JSON.decode(raw.decode("utf-8"))
    if not isinstance(value, dict):
        raise TypeError("not a JSON object")
    return cast("dict[str, Any]", value)


def _unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member name repeats")
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_JSON = json.JSONDecoder(object_pairs_hook=_unique_members, parse_constant=_refuse_constant)
