"""What a sink is: somebody who takes a tenant's log, entry by entry, from where it stopped."""

from collections.abc import Sequence
from typing import Protocol

from graphql_api.changes.log import LogEntry
from graphql_api.store.event_bus import BusEvent
from graphql_api.store.keys import Family


class Sink(Protocol):
    """`name` says which place in the log is its own; it never changes."""

    @property
    def name(self) -> str: ...

    async def take(self, family: Family, entries: Sequence[LogEntry]) -> None:
        """Take all of them; they can come again. Raises NotTakenError."""
        ...

    async def close(self) -> None: ...


class Bus(Protocol):
    """Where events go: EventBridge, or what stands for it on one machine."""

    async def put(self, events: Sequence[BusEvent]) -> None:
        """Raises NotTakenError."""
        ...

    async def close(self) -> None: ...
