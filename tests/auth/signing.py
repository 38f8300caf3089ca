"""Key pairs as an issuer holds them, and tokens as an attacker would write them."""

import base64
import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import get_default_algorithms

_GENERATE = {
    "ES256": lambda: generate_ec(SECP256R1()),
    "RS256": lambda: generate_rsa(public_exponent=65537, key_size=2048),
    "EdDSA": Ed25519PrivateKey.generate,
}


def segment(value: object) -> str:
    """base64url of the bytes given, or of the value's JSON."""
    raw = value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


@dataclass
class KeyPair:
    key_id: str
    algorithm: str = "ES256"
    private: Any = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.private = self.private or _GENERATE[self.algorithm]()

    @cached_property
    def jwk(self) -> dict[str, Any]:
        """The public key as an issuer publishes it."""
        public = get_default_algorithms()[self.algorithm].to_jwk(self.private.public_key(), as_dict=True)
        return {**public, "kid": self.key_id, "alg": self.algorithm, "use": "sig"}

    @property
    def public_pem(self) -> bytes:
        return self.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def sign(self, payload: object, header: object = None) -> str:
        """A token over exactly this payload and header, whatever they are; bytes go in as they stand."""
        usual = {"alg": self.algorithm, "kid": self.key_id, "typ": "JWT"}
        return self.sign_raw(f"{segment(usual if header is None else header)}.{segment(payload)}")

    def sign_raw(self, signed: str) -> str:
        signature = get_default_algorithms()[self.algorithm].sign(signed.encode(), self.private)
        return f"{signed}.{segment(signature)}"
