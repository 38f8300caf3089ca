"""Identifiers that sort by the time they were made, and their mirror image that sorts newest first."""

import re
import secrets
import time

ALPHABET = "0123456789abcdefghijklmnopqrstuv"  # RFC 4648 base32hex: its character order is its numeric order
UID = re.compile(r"\A[0-9a-v]{26}\Z")
_MIRROR = str.maketrans(ALPHABET, ALPHABET[::-1])


def new_uid() -> str:
    """A UUIDv7 (RFC 9562 §5.7, with sub-millisecond time in rand_a) as 26 base32hex characters."""
    milliseconds, nanoseconds = divmod(time.time_ns(), 1_000_000)
    fraction = (nanoseconds << 12) // 1_000_000
    random = secrets.randbits(62)
    return encode(milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | random)


def encode(number: int) -> str:
    """A 128-bit number in 26 characters whose order is the number's."""
    return "".join(ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5))


def mirrored(sortable: str) -> str:
    """A string of ALPHABET whose ascending order is the descending order of the original."""
    return sortable.translate(_MIRROR)


def between(low: str, high: str | None) -> str:
    """A string that sorts strictly between `low` and `high` (None: above `low`); fractional indexing.

    `low` sorts below `high`, and neither ends in the lowest digit; nor does the result, so there is
    always room again.
    """
    shared = 0
    while high is not None and _digit(low, shared) == _digit(high, shared):
        shared += 1
    prefix = "" if high is None else high[:shared]
    below = _digit(low, shared)
    above = len(ALPHABET) if high is None else _digit(high, shared)
    if above - below > 1:
        return prefix + ALPHABET[(below + above) // 2]
    return prefix + ALPHABET[below] + between(low[shared + 1 :], None)


def _digit(text: str, position: int) -> int:
    return ALPHABET.index(text[position]) if position < len(text) else 0
