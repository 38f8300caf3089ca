"""Which of the two response media types the client wants."""

from enum import StrEnum


class MediaType(StrEnum):
    """GraphQL-over-HTTP: the modern type carries status codes, the legacy one answers 200 to most errors."""

    GRAPHQL = "application/graphql-response+json"
    JSON = "application/json"


# JSON first: it wins a tie, and the spec wants it for `*/*` and for a missing header.
_OFFERED = (MediaType.JSON, MediaType.GRAPHQL)
_WILDCARDS = ("application/*", "*/*")
MAX_ACCEPT = 1024  # characters; browsers send 150


def negotiate(accept: str | None) -> MediaType | None:
    """The best offered type by RFC 9110 §12.5.1, None when the client accepts neither, or too much."""
    if not accept or not accept.strip():
        return MediaType.JSON
    if len(accept) > MAX_ACCEPT:
        return None
    ranges = _parse(accept)
    best: tuple[float, int, MediaType] | None = None
    for offered in _OFFERED:
        name = next((name for name in (offered, *_WILDCARDS) if name in ranges), None)
        if name is None:
            continue
        quality, position = ranges[name]
        # Equal qualities: the client's own order decides, as clients expect who list the modern type first.
        if quality > 0 and (best is None or (quality, -position) > best[:2]):
            best = (quality, -position, offered)
    return best[2] if best else None


def _parse(accept: str) -> dict[str, tuple[float, int]]:
    """Media range → (quality, position); parameters other than q do not tell our two types apart."""
    ranges: dict[str, tuple[float, int]] = {}
    for position, part in enumerate(accept.lower().split(",")):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        ranges.setdefault(name, (_quality(parameters), position))
    return ranges


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value) if 0 <= float(value) <= 1 else 0.0
            except ValueError:
                return 0.0
    return 1.0
