"""Signs the heads of logs on one machine, with an ES256 key that never leaves the state directory."""

from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from jwt.algorithms import ECAlgorithm

from graphql_api.audit.heads import ALGORITHM
from graphql_api.local.keys import thumbprint

_ALGORITHM = ECAlgorithm(ECAlgorithm.SHA256)


class LocalSigner:
    """What a key of AWS KMS does on AWS."""

    def __init__(self, key: EllipticCurvePrivateKey) -> None:
        self._key = key
        self._jwk: dict[str, Any] = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
        self.key_id = thumbprint(self._jwk)

    async def sign(self, message: bytes) -> bytes:
        """The ES256 signature: r and s."""
        return _ALGORITHM.sign(message, self._key)

    async def public_key(self) -> dict[str, Any]:
        """The public half as a JWK."""
        return {**self._jwk, "kid": self.key_id, "use": "sig", "alg": ALGORITHM}

    async def close(self) -> None:
        return
