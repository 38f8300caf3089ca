"""A tenant's data, for one request: what cannot be reached from here does not exist for the caller."""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import merge
from itertools import islice
from typing import Any, TypeVar, cast

from graphql_api.auth.identity import Identity
from graphql_api.errors import ConflictError, NotFoundError
from graphql_api.store.codec import Item, decode
from graphql_api.store.cursor import CursorCodec
from graphql_api.store.entity import Entity, key_of, to_item
from graphql_api.store.idempotency import UNMARKED, Mark
from graphql_api.store.keys import Family, Key, after, partition
from graphql_api.store.loader import ItemLoader
from graphql_api.store.page import ListRange, Page
from graphql_api.store.schema import PARTITION, SORT
from graphql_api.store.table import Table
from graphql_api.store.writes import Condition, Put, Update, Write

E = TypeVar("E", bound=Entity)
T = TypeVar("T")
# Tries of a write whose caller named no version. A try fails only because another writer's succeeded, so
# this many writers of one entity at once all come through.
MAX_CONTENTION = 64


@dataclass(frozen=True, slots=True)
class Stamp:
    """Who writes, for which request, by which clock and with which ids."""

    actor: Identity
    request_id: str
    now: Callable[[], datetime]
    new_uid: Callable[[], str]


class StaleError(ConflictError):
    """The entity has changed since it was read; `current` is what it is now."""

    def __init__(self, current: Entity) -> None:
        super().__init__(f"{current.noun} was changed by somebody else in the meantime.", current)
        self.entity = current


class Repository:
    """Typed access to one key family. Reads go through the request's one loader."""

    def __init__(
        self,
        table: Table,
        family: Family,
        cursors: CursorCodec,
        stamp: Stamp,
        loader: ItemLoader | None = None,
    ) -> None:
        self.family = family
        self.stamp = stamp
        self.table = table
        self._cursors = cursors
        self._loader = loader or ItemLoader(table)

    def fresh(self) -> "Repository":
        """The same data by consistent reads, as a write must see them, none of them remembered."""
        loader = ItemLoader(self.table, feeds=self._loader)
        return Repository(self.table, self.family, self._cursors, self.stamp, loader)

    async def find(self, cls: type[E], uid: str) -> E | None:
        """The entity, deleted ones too; None if it never was."""
        item = await self._loader.load(key_of(self.family, cls, uid))
        return None if item is None else decode(cls, item)

    async def get(self, cls: type[E], uid: str) -> E:
        """The entity. Raises NotFoundError if it is absent or deleted."""
        entity = await self.find(cls, uid)
        if entity is None or entity.deleted_at is not None:
            raise NotFoundError(cls.noun)
        return entity

    async def known(self, cls: type[E], uid: str) -> E:
        """The entity, deleted or not. Raises NotFoundError if it never was."""
        entity = await self.find(cls, uid)
        if entity is None:
            raise NotFoundError(cls.noun)
        return entity

    async def page(self, cls: type[E], wanted: ListRange, first: int, cursor: str | None) -> Page[E]:
        """A page of a list: one Query for each of its partitions. Raises BadCursorError."""
        scope = wanted.scope(self.family)
        low = wanted.low if cursor is None else after(self._cursors.open(cursor, scope))
        items = await self._read(wanted, low, first + 1)
        shown = items[:first]
        self._loader.prime((_primary_key(item), item) for item in shown)
        positions = (item[wanted.index.value.sort]["S"] for item in shown)
        return Page(
            items=[decode(cls, item) for item in shown],
            cursors=[self._cursors.seal(position, scope) for position in positions],
            has_next=len(items) > first,
        )

    async def is_empty(self, wanted: ListRange) -> bool:
        """Whether a list holds nothing in the range."""
        return not await self._read(wanted, wanted.low, 1)

    def cursor_at(self, wanted: ListRange, position: str) -> str:
        """The cursor after a row whose sort key is known, for lists whose start a parent keeps."""
        return self._cursors.seal(position, wanted.scope(self.family))

    def new(self, cls: type[E], *, uid: str | None = None, **attributes: Any) -> E:
        """An entity stamped as made now by the caller; not stored yet."""
        now, actor = self.stamp.now(), self.stamp.actor.subject
        return cls(
            uid=uid or self.stamp.new_uid(),
            created_at=now,
            updated_at=now,
            created_by_uid=actor,
            updated_by_uid=actor,
            request_id=self.stamp.request_id,
            **attributes,
        )

    def put(self, entity: Entity, taken: Callable[[], Exception] | None = None) -> Put:
        """The write that stores a new entity; `taken` makes the error if its key is in use."""
        in_use = taken or (lambda: ConflictError(f"{entity.noun} exists already."))
        key = key_of(self.family, type(entity), entity.uid)
        return Put(key, to_item(self.family, entity), lambda _: in_use())

    def change(self, old: E, new: E, guard: str = "version") -> Update:
        """The write of what differs between two states, if `guard` still has its old value.

        Fails with StaleError, or NotFoundError where the entity is gone or deleted meanwhile.
        """
        before, later = to_item(self.family, old), to_item(self.family, new)
        return Update(
            key=key_of(self.family, type(old), old.uid),
            changes={name: value for name, value in later.items() if before.get(name) != value},
            removals=frozenset(before.keys() - later.keys()),
            condition=Condition("#guard = :guard", {"#guard": guard}, {":guard": before[guard]}),
            on_failure=lambda item: _stale(type(old), item),
        )

    def stamped(self, entity: E, **changes: Any) -> E:
        """The entity's next version, written now by the caller."""
        return dataclasses.replace(
            entity,
            **changes,
            version=entity.version + 1,
            updated_at=self.stamp.now(),
            updated_by_uid=self.stamp.actor.subject,
            request_id=self.stamp.request_id,
        )

    async def commit(self, *writes: Write, leaves: Sequence[Entity], mark: Mark = UNMARKED) -> None:
        """Apply all writes or none; `leaves` are the entities as they are afterwards, the first
        being the mutation's result. The mark's record is part of the same commit.
        """
        # The record first: that a mutation took effect before outweighs what its repetition runs into.
        await self.table.commit([*mark.record([entity.uid for entity in leaves]), *writes])
        states = [(key_of(self.family, type(e), e.uid), to_item(self.family, e)) for e in leaves]
        self._loader.prime(states, replace=True)

    async def update(
        self,
        entity: E,
        change: Callable[[E], E],
        *,
        expected_version: int | None,
        mark: Mark,
        also: Callable[[E], Sequence[Write]] = lambda _: (),
    ) -> E:
        """Apply `change`, a pure function of the entity's present state, as its next version.

        With an expected version a newer state is a ConflictError carrying it; without one the change
        is applied again to the newer state. A change that changes nothing leaves its mark at most.
        """
        for _ in range(MAX_CONTENTION):
            if expected_version not in (None, entity.version):
                raise StaleError(entity)
            changed = change(entity)
            if changed == entity:
                if records := mark.record([entity.uid]):
                    await self.table.commit(records)
                return entity
            updated = self.stamped(changed)
            try:
                await self.commit(self.change(entity, updated), *also(updated), leaves=[updated], mark=mark)
            except StaleError as stale:
                if expected_version is not None:
                    raise
                entity = cast("E", stale.entity)
            else:
                return updated
        raise StaleError(entity)

    async def close(self) -> None:
        """End what is still being read for this request."""
        await self._loader.close()

    async def _read(self, wanted: ListRange, low: str, limit: int) -> list[Item]:
        sort = wanted.index.value.sort
        lists = await together(
            self.table.query(wanted.index, partition(self.family, *path), low, wanted.high, limit)
            for path in wanted.partitions
        )
        return list(islice(merge(*lists, key=lambda item: item[sort]["S"]), limit))


def _primary_key(item: Item) -> Key:
    return Key(item[PARTITION]["S"], item[SORT]["S"])


def _stale(cls: type[Entity], item: Item | None) -> Exception:
    current = None if item is None else decode(cls, item)
    if current is None or current.deleted_at is not None:
        return NotFoundError(cls.noun)
    return StaleError(current)


async def together(calls: Iterable[Awaitable[T]]) -> list[T]:
    """All results in order; the first failure is raised only when every call has ended."""
    futures = [asyncio.ensure_future(call) for call in calls]
    await asyncio.gather(*futures, return_exceptions=True)
    return [future.result() for future in futures]
