"""Event cursors: a place in one tenant's log, sealed so that nobody can make one up."""

from dataclasses import dataclass

from graphql_api.errors import BadCursorError
from graphql_api.store.cursor import Seals
from graphql_api.store.keys import Family

_SEQUENCE_BYTES = 8
_SCOPE = "changes"


@dataclass(frozen=True, slots=True)
class EventCursor:
    """Everything up to `sequence` of the log's `epoch` has been seen; a log has no epoch before its first."""

    epoch: str
    sequence: int

    def seal(self, seals: Seals, family: Family) -> str:
        """The opaque text, good for that tenant alone."""
        payload = self.sequence.to_bytes(_SEQUENCE_BYTES, "big") + self.epoch.encode()
        return seals.seal(payload, (family, _SCOPE))

    @classmethod
    def open(cls, text: str, seals: Seals, family: Family) -> "EventCursor":
        """The cursor of a text. Raises BadCursorError for what was not sealed for this tenant."""
        payload = seals.open(text, (family, _SCOPE))
        if len(payload) < _SEQUENCE_BYTES:
            raise BadCursorError
        sequence = int.from_bytes(payload[:_SEQUENCE_BYTES], "big")
        return cls(payload[_SEQUENCE_BYTES:].decode(), sequence)
