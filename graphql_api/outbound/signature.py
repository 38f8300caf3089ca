"""Signatures of the Standard Webhooks specification: HMAC-SHA256 over id, time and body, version v1."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence

PREFIX = "whsec_"
SECRET_BYTES = 32  # The specification asks for 24 to 64.


def new_secret() -> str:
    """A secret as its owner is shown it: the prefix, and random bytes in base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signed_headers(secrets_: Sequence[str], message_id: str, seconds: int, body: bytes) -> Mapping[str, str]:
    """The three headers of a message sent at that Unix time, with a signature by each secret."""
    content = b".".join((message_id.encode(), str(seconds).encode(), body))
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(seconds),
        "webhook-signature": " ".join(f"v1,{_signature(secret, content)}" for secret in secrets_),
    }


def _signature(secret: str, content: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(PREFIX))
    return base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
