"""Text from outside, bounded and normalised before anything else sees it."""

import re
import unicodedata
from collections.abc import Callable
from typing import Any

from strawberry import Some

from graphql_api.errors import InvalidInputError

MAX_LINE, MAX_TEXT, MAX_EMAIL = 200, 10_000, 254  # characters; RFC 5321 §4.5.3.1.3 for the address
MAX_IDEMPOTENCY_KEY = 255
_EMAIL = re.compile(r"\A[^@\s#\x00-\x1f\x7f]{1,64}@[a-z0-9-]+(\.[a-z0-9-]+)+\Z")
# Controls, surrogates, and the bidirectional overrides that make text read as something else.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")


def line(value: str, field: str, *, most: int = MAX_LINE) -> str:
    """One non-empty line of at most `most` characters, trimmed, in NFC."""
    cleaned = text(value, field, most=most)
    if not cleaned or "\n" in cleaned or "\t" in cleaned:
        raise InvalidInputError(f"{field} must be one line with something in it.", field)
    return cleaned


def text(value: str, field: str, *, most: int = MAX_TEXT) -> str:
    """Text of at most `most` characters, trimmed, in NFC, without controls but line feed and tab."""
    if len(value) > most:
        raise InvalidInputError(f"{field} must be at most {most} characters.", field)
    if _UNPRINTABLE.search(value):
        raise InvalidInputError(f"{field} has characters that cannot be stored.", field)
    return unicodedata.normalize("NFC", value).strip()


def email(value: str, field: str = "email") -> str:
    """An e-mail address in lower case, so that one mailbox is one user."""
    cleaned = unicodedata.normalize("NFC", value).strip().lower()
    if len(cleaned) > MAX_EMAIL or _UNPRINTABLE.search(cleaned) or not _EMAIL.match(cleaned):
        raise InvalidInputError(f"{field} must be an e-mail address.", field)
    return cleaned


def idempotency_key(value: str | None) -> str | None:
    """A client's key for one attempt at a mutation, 1 to 255 characters."""
    if value is not None and not 1 <= len(value) <= MAX_IDEMPOTENCY_KEY:
        raise InvalidInputError(
            f"idempotencyKey must be 1 to {MAX_IDEMPOTENCY_KEY} characters.", "idempotencyKey"
        )
    return value


def optional_text(value: str | None, field: str, *, most: int = MAX_TEXT) -> str | None:
    """Text, with None for an empty one."""
    return None if value is None else text(value, field, most=most) or None


def patch(**fields: tuple[Some[Any] | None, Callable[[Any], object]]) -> dict[str, Any]:
    """The changes a PATCH asks for: each field given is cleaned; one left out is not in the result."""
    return {name: clean(given.value) for name, (given, clean) in fields.items() if given is not None}


def prose(value: str, field: str, *, most: int = MAX_TEXT) -> str:
    """Text that is not empty."""
    cleaned = text(value, field, most=most)
    if not cleaned:
        raise InvalidInputError(f"{field} must not be empty.", field)
    return cleaned
