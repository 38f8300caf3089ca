"""What a receiver does with a message, written from the text of the Standard Webhooks specification."""

import hashlib
import hmac
from base64 import b64decode, b64encode
from collections.abc import Mapping

TOLERANCE = 5 * 60  # seconds


class UnverifiedError(Exception):
    """The message is not from whom it says, or is too old."""


def verify(secret: str, headers: Mapping[str, str], body: bytes, now: float) -> None:
    """Raise UnverifiedError unless one of the signatures is of this secret."""
    stamp = headers["webhook-timestamp"]
    if abs(now - int(stamp)) > TOLERANCE:
        raise UnverifiedError("too old, or from the future")
    kind, _, encoded = secret.partition("_")
    if kind != "whsec":
        raise UnverifiedError("no symmetric secret")
    signed = ".".join([headers["webhook-id"], stamp, body.decode()]).encode()
    expected = b64encode(hmac.new(b64decode(encoded), signed, hashlib.sha256).digest()).decode()
    for signature in headers["webhook-signature"].split(" "):
        version, _, given = signature.partition(",")
        if version == "v1" and hmac.compare_digest(given, expected):
            return
    raise UnverifiedError("no signature of this secret")
