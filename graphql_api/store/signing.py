"""A signing key in AWS KMS: the private half never leaves it."""

import hashlib
from contextlib import AsyncExitStack
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_public_key
from jwt.algorithms import ECAlgorithm

from graphql_api.settings import Settings
from graphql_api.store.client import aws_client

_HALF = 32  # bytes of r and of s, on P-256


class KmsSigner:
    """Signs with an ECC_NIST_P256 key of KMS; its client is made when it first signs."""

    def __init__(self, settings: Settings, key_arn: str) -> None:
        self.key_id = key_arn.rpartition("/")[2]
        self._settings = settings
        self._key_arn = key_arn
        self._resources = AsyncExitStack()
        self._client: Any = None

    async def sign(self, message: bytes) -> bytes:
        """The ES256 signature: r and s."""
        answer = await (await self._opened()).sign(
            KeyId=self._key_arn,
            Message=hashlib.sha256(message).digest(),
            MessageType="DIGEST",
            SigningAlgorithm="ECDSA_SHA_256",
        )
        r, s = decode_dss_signature(answer["Signature"])
        return r.to_bytes(_HALF, "big") + s.to_bytes(_HALF, "big")

    async def public_key(self) -> dict[str, Any]:
        """The public half as a JWK, for who may ask KMS for it."""
        answer = await (await self._opened()).get_public_key(KeyId=self._key_arn)
        key = load_der_public_key(answer["PublicKey"])
        assert isinstance(key, EllipticCurvePublicKey), "the template makes it on P-256"
        jwk: dict[str, Any] = ECAlgorithm.to_jwk(key, as_dict=True)
        return {**jwk, "kid": self.key_id, "use": "sig", "alg": "ES256"}

    async def close(self) -> None:
        self._client = None
        await self._resources.aclose()

    async def _opened(self) -> Any:
        if self._client is None:
            client = aws_client("kms", self._settings)
            self._client = await self._resources.enter_async_context(client)
        return self._client
