"""Text from outside, bounded and normalised before anything else sees it."""

import re
import unicodedata
from collections.abc import Callable
from itertools import groupby
from typing import Any, TypeVar

from strawberry import Some

from graphql_api.errors import InvalidInputError

T = TypeVar("T")
MAX_LINE, MAX_TEXT, MAX_EMAIL = 200, 10_000, 254  # characters; RFC 5321 §4.5.3.1.3 for the address
MAX_IDEMPOTENCY_KEY = 255
MAX_MARKS = 30  # combining marks on one letter (UAX #15 §13); to order a row of them takes quadratic time
_LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"  # RFC 1123 §2.1
_DOMAIN = re.compile(rf"\A{_LABEL}(?:\.{_LABEL})+\Z")
_EMAIL = re.compile(rf"\A[^@\s#\x00-\x1f\x7f]{{1,64}}@{_LABEL}(?:\.{_LABEL})+\Z")
# Controls, surrogates, and the bidirectional overrides that make text read as something else.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
_LINE_BREAK = re.compile("[\t\n\u2028\u2029]")
# Joiners, direction marks and tags shape words and emoji; anything else of category Cf only disguises a text.
_SHAPING = "\u200c\u200d\u200e\u200f\u061c" + "".join(map(chr, range(0xE0020, 0xE0080)))


def line(value: str, field: str, *, most: int = MAX_LINE) -> str:
    """One non-empty line of at most `most` characters, trimmed, in NFC."""
    cleaned = text(value, field, most=most)
    if not cleaned.strip(_SHAPING) or _LINE_BREAK.search(cleaned):
        raise InvalidInputError(f"{field} must be one line with something in it.", field)
    if _is_disguised(cleaned):
        raise InvalidInputError(f"{field} has characters that cannot be stored.", field)
    return cleaned


def _is_disguised(value: str) -> bool:
    return any(c not in _SHAPING and unicodedata.category(c) == "Cf" for c in value if not c.isascii())


def text(value: str, field: str, *, most: int = MAX_TEXT) -> str:
    """Text of at most `most` characters, trimmed, in NFC, without controls but line feed and tab.

    Line ends of other systems become line feeds.
    """
    too_long = InvalidInputError(f"{field} must be at most {most} characters.", field)
    if len(value) > most:
        raise too_long
    value = value.replace("\r\n", "\n").replace("\r", "\n")
    if _UNPRINTABLE.search(value) or _piles_up_marks(value):
        raise InvalidInputError(f"{field} has characters that cannot be stored.", field)
    cleaned = unicodedata.normalize("NFC", value).strip()
    if len(cleaned) > most:  # a few letters have no composed form and come out as several
        raise too_long
    return cleaned


def _piles_up_marks(value: str) -> bool:
    if value.isascii():
        return False
    rows = groupby(value, _is_mark)
    return any(is_mark and sum(1 for _ in row) > MAX_MARKS for is_mark, row in rows)


def _is_mark(character: str) -> bool:
    # Three marks (U+0F73, U+0F75, U+0F81) have class 0 themselves and fall apart into marks that do not.
    return unicodedata.combining(unicodedata.normalize("NFD", character)[0]) > 0


def email(value: str, field: str = "email") -> str:
    """An e-mail address in lower case, so that one mailbox is one user."""
    # NFKC: full-width and other compatible letters are the same mailbox to whoever reads the address.
    cleaned = unicodedata.normalize("NFKC", value[: MAX_EMAIL + 1]).strip().lower()
    is_safe = not _UNPRINTABLE.search(cleaned) and not any(unicodedata.category(c) == "Cf" for c in cleaned)
    if max(len(value), len(cleaned)) > MAX_EMAIL or not is_safe or not _EMAIL.match(cleaned):
        raise InvalidInputError(f"{field} must be an e-mail address.", field)
    return cleaned


def domain(value: str, field: str) -> str:
    """A domain name of at least two labels, in lower case."""
    cleaned = value[: MAX_EMAIL + 1].strip().lower()
    if len(value) > MAX_EMAIL or not _DOMAIN.match(cleaned):
        raise InvalidInputError(f"{field} must be a domain name, such as example.com.", field)
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


def present(value: T | None, field: str) -> T:
    """The value of a field that may be left out of a PATCH, and not emptied."""
    if value is None:
        raise InvalidInputError(f"{field} cannot be null.", field)
    return value


def patch(**fields: tuple[Some[Any] | None, Callable[[Any], object]]) -> dict[str, Any]:
    """The changes a PATCH asks for: each field given is cleaned; one left out is not in the result."""
    return {name: clean(given.value) for name, (given, clean) in fields.items() if given is not None}


def prose(value: str, field: str, *, most: int = MAX_TEXT) -> str:
    """Text that is not empty."""
    cleaned = text(value, field, most=most)
    if not cleaned:
        raise InvalidInputError(f"{field} must not be empty.", field)
    return cleaned
