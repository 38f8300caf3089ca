"""A response map in, its JSON in UTF-8 out, unless it is too large to make."""

import json
from collections.abc import Collection
from typing import cast

import orjson

_LONGEST_SCALAR = 64  # Numbers, booleans and dates end long before.
_CONTAINERS = (dict, list)
_LONGEST_ESCAPE = 6  # `\u0000` for one character.


def encode(payload: object) -> bytes:
    """JSON in UTF-8; what orjson refuses (a lone surrogate, an integer beyond 64 bits) the slow way."""
    try:
        return orjson.dumps(payload)
    except TypeError:
        text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
        # Only a lone surrogate has no UTF-8, and Python writes its escape as JSON does.
        return text.encode("utf-8", "backslashreplace")


def encode_within(payload: object, max_bytes: int) -> bytes | None:
    """The same, or None if it is over `max_bytes`.

    Ten thousand rows may share one text of ten kilobytes: encoded, they would take a hundred megabytes.
    """
    if _is_surely_within(payload, max_bytes) or _is_within(payload, max_bytes):
        return encode(payload)
    return None


def _is_surely_within(payload: object, max_bytes: int) -> bool:
    """By a generous estimate that costs an ordinary answer some percent of what its execution took."""
    size = 0
    waiting = [payload]
    while waiting and size <= max_bytes:
        container = waiting.pop()
        members: Collection[object] = (container,)
        if isinstance(container, dict):
            names = cast("dict[str, object]", container)
            size += len("".join(names))
            members = names.values()
        elif isinstance(container, list):
            members = cast("list[object]", container)
        size += _LONGEST_SCALAR * len(members)
        for member in members:
            if isinstance(member, str):
                size += _LONGEST_ESCAPE * len(member)
            elif isinstance(member, _CONTAINERS):
                waiting.append(cast("object", member))
    return size <= max_bytes


def _is_within(payload: object, max_bytes: int) -> bool:
    """To the byte, scalar by scalar, until the sum is over the bound."""
    size = 0
    waiting = [payload]
    while waiting and size <= max_bytes:
        value = waiting.pop()
        if isinstance(value, dict):
            members = cast("dict[str, object]", value)
            # A response name is plain ASCII: two quotes, a colon and a comma.
            size += 2 + 4 * len(members) - bool(members) + len("".join(members))
            waiting += members.values()
        elif isinstance(value, list):
            items = cast("list[object]", value)
            size += 2 + len(items) - bool(items)
            waiting += items
        else:
            size += len(encode(value))
    return size <= max_bytes
