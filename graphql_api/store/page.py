"""Lists: which part of which index is asked for, and the page that answers."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from graphql_api.store.keys import FIRST, LAST
from graphql_api.store.schema import Index

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ListRange:
    """One list and the part of it that is asked for: sort keys in [low, high].

    With several partitions the list is write-sharded: each is read and they are merged in order.
    """

    index: Index
    partitions: tuple[tuple[str, ...], ...]
    low: str = FIRST
    high: str = LAST

    def scope(self, family: str) -> tuple[str, ...]:
        """What a cursor of this list is good for."""
        return (family, self.index.index_name, *self.partitions[0], self.low, self.high)


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A page of rows in list order, each with the cursor that continues after it.

    `resume` continues a page that passed over rows behind its last one, or over all.
    """

    items: list[T]
    cursors: list[str]
    has_next: bool
    resume: str | None = None
