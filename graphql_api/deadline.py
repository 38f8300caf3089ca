"""How long a request may still take; every wait and every retry asks it first."""

import time
from dataclasses import dataclass

from graphql_api.errors import DeadlineExceededError


@dataclass(frozen=True, slots=True)
class Deadline:
    """A point on the monotonic clock, in seconds."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        return cls(time.monotonic() + seconds)

    def remaining(self) -> float:
        """Seconds left, negative once it has passed."""
        return self.at - time.monotonic()

    def require(self, seconds: float = 0.0) -> None:
        """Raise DeadlineExceededError unless more than `seconds` are left."""
        if self.remaining() <= seconds:
            raise DeadlineExceededError
