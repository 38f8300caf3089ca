"""A token issuer for one machine: its signing key, its key set, its tokens."""

import base64
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from jwt.algorithms import ECAlgorithm

from graphql_api.auth.identity import Role
from graphql_api.auth.tokens import MAX_AGE, Claims
from graphql_api.settings import Profile, SettingsError

KEY_FILE = "signing-key.pem"
LIFETIME = 12 * 3600


class DevelopmentIssuer:
    """Signs tokens with an ES256 key that never leaves the state directory."""

    def __init__(self, key: EllipticCurvePrivateKey) -> None:
        self._key = key
        self._jwk: dict[str, Any] = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
        self.key_id = thumbprint(self._jwk)

    @classmethod
    def open(cls, directory: Path, profile: Profile) -> "DevelopmentIssuer":
        """The issuer of this state directory; its key is made on first use, once among many processes.

        SettingsError under the production profile, or when the file holds no such key.
        """
        if profile is not Profile.DEVELOPMENT:
            raise SettingsError("the development signing key is for the development profile only")
        return cls(open_key(directory / KEY_FILE))

    def jwks(self) -> dict[str, Any]:
        """The JWK Set (RFC 7517) to serve at `/.well-known/jwks.json`."""
        return {"keys": [{**self._jwk, "kid": self.key_id, "use": "sig", "alg": "ES256"}]}

    def mint_token(
        self,
        *,
        issuer: str,
        audience: str,
        subject: str,
        roles: Sequence[Role],
        tenant: str | None = None,
        lifetime: int = LIFETIME,
    ) -> str:
        """A signed token valid for `lifetime` seconds; ValueError where no verifier would accept it."""
        if not roles or len(set(roles)) != len(roles) or not 0 < lifetime <= MAX_AGE:
            raise ValueError("a token needs distinct roles and a lifetime of up to 24 hours")
        now = int(time.time())
        for role in roles:
            Claims(subject, role, tenant, expires_at=now + lifetime)
        payload = {"iss": issuer, "aud": audience, "sub": subject, "iat": now, "exp": now + lifetime}
        payload |= {"roles": [role.value for role in roles]} | ({"tenant": tenant} if tenant else {})
        return jwt.encode(payload, self._key, algorithm="ES256", headers={"kid": self.key_id})


def open_key(path: Path) -> EllipticCurvePrivateKey:
    """The P-256 key in that file, made on first use, once among many processes. Raises SettingsError."""
    if not path.exists():
        _create_key(path)
    return _load_key(path)


def _create_key(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    key = generate_private_key(SECP256R1())
    # The draft is made 0600; linking it is atomic and loses to whoever was first.
    with tempfile.NamedTemporaryFile(dir=path.parent) as draft:
        draft.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        draft.flush()
        with suppress(FileExistsError):
            os.link(draft.name, path)


def _load_key(path: Path) -> EllipticCurvePrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP256R1):
        raise SettingsError(f"{path} holds no P-256 signing key; remove it and a new one is made")
    return key


def thumbprint(jwk: dict[str, Any]) -> str:
    """RFC 7638: the same key has the same id on every start."""
    canonical = json.dumps({name: jwk[name] for name in ("crv", "kty", "x", "y")}, separators=(",", ":"))
    return base64.urlsafe_b64encode(hashlib.sha256(canonical.encode()).digest()).decode().rstrip("=")
