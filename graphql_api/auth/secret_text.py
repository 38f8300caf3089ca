"""Secrets that a tenant gives out, as text: what kind it is, whose, which one, and a checksum."""

import hashlib
import re
import secrets
import zlib
from dataclasses import dataclass, field
from typing import Self

API_KEY, INVITATION = "gapi_key", "gapi_invite"
_PARTS = re.compile(
    r"\A(gapi_key|gapi_invite)_([a-z0-9][a-z0-9-]{1,38}[a-z0-9])_([0-9A-Za-z-]{1,64})_([0-9a-f]{64})_([0-9a-f]{8})\Z"
)


@dataclass(frozen=True, slots=True)
class SecretText:
    """One secret. What it says of a tenant is believed only once its digest is found with that tenant.

    `value` is 256 bits in hex; it is in no `repr`.
    """

    prefix: str
    tenant: str
    uid: str
    value: str = field(repr=False)

    @classmethod
    def new(cls, prefix: str, tenant: str, uid: str) -> Self:
        return cls(prefix, tenant, uid, random_value())

    @classmethod
    def parse(cls, prefix: str, text: str) -> Self | None:
        """The secret that a text of this kind holds; None for anything that was never given out."""
        parts = _PARTS.match(text)
        if parts is None or parts[1] != prefix:
            return None
        parsed = cls(*parts.groups()[:4])
        return parsed if parsed.text == text else None

    @property
    def text(self) -> str:
        """What its owner keeps and sends."""
        told = f"{self.prefix}_{self.tenant}_{self.uid}_{self.value}"
        return f"{told}_{zlib.crc32(told.encode()):08x}"

    @property
    def digest(self) -> str:
        """What is stored of it: SHA-256 of the whole text. 256 random bits need no slow hash."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def random_value() -> str:
    return secrets.token_hex(32)
