"""A small thing to store, and a store for it: the real client, table and engine, guarded as everywhere."""

import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar

from graphql_api.auth.identity import Identity, Role
from graphql_api.deadline import Deadline
from graphql_api.settings import Settings
from graphql_api.store.client import Database
from graphql_api.store.codec import Item, encode
from graphql_api.store.cursor import CursorCodec, Seals
from graphql_api.store.entity import Entity, Placement, key_of, to_item
from graphql_api.store.idempotency import Mark, mark
from graphql_api.store.keys import Family, Key, sort_key, tenant_family
from graphql_api.store.page import ListRange
from graphql_api.store.provision import create_tables
from graphql_api.store.repository import Repository, Stamp
from graphql_api.store.schema import Index, control_definition, table_definition
from graphql_api.store.table import Table
from graphql_api.store.uid import new_uid
from graphql_api.store.writes import Put
from tests.iam.guard import PolicyGuard
from tests.reliability.network import Network, network_of
from tests.world import principal, settings

ACME = tenant_family("acme")
SHELVES = ("a", "b", "c")


@dataclass(kw_only=True)
class Note(Entity):
    """Stands in one list by its rank, and with all others in a sharded one."""

    kind: ClassVar[str] = "NOTE"
    noun: ClassVar[str] = "Note"

    text: str = ""
    count: int = 0
    rank: str = "m"
    shelf: str = "a"
    tag: str | None = None
    readers: list[str] = field(default_factory=list[str])

    def placement(self) -> Placement:
        return Placement(
            listing_pk=("SHELF", self.shelf),
            project_pk=("TAG", self.tag) if self.tag else None,
            agenda_sk=sort_key(self.rank, self.uid),
            position_sk=sort_key(self.rank, self.uid),
        )


def shelf(name: str) -> ListRange:
    return ListRange(Index.LISTING, (("SHELF", name),))


def shelves(*names: str) -> ListRange:
    """Several shelves as one list."""
    return ListRange(Index.LISTING, tuple(("SHELF", name) for name in names))


ALL_SHELVES = shelves(*SHELVES)


class NoteStore:
    """One table, as the requests of one process use it."""

    def __init__(self, database: Database, guard: PolicyGuard, network: Network, settings: Settings) -> None:
        self.database = database
        self.guard = guard
        self.network = network
        self.settings = settings
        self.now: Callable[[], datetime] = lambda: datetime.now(UTC)
        self._cursors = CursorCodec(Seals([b"the secret of these tests, long enough"]), lambda: 1)

    def table(self, *, seconds: float = 10.0, family: Family = ACME) -> Table:
        return Table(self.database, family, Deadline.after(seconds))

    def repository(self, subject: str = "ada", *, seconds: float = 10.0, tenant: str = "acme") -> Repository:
        """What one request of a member sees."""
        family = tenant_family(tenant)
        actor = Identity(subject, Role.ADMIN, tenant, 0)
        stamp = Stamp(actor, uuid.uuid4().hex, self.now, new_uid)
        return Repository(self.table(seconds=seconds, family=family), family, self._cursors, stamp)

    def mark(self, key: str | None, payload: object = "input", subject: str = "ada") -> Mark:
        return mark(ACME, subject, "writeNote", key, payload, self.now())

    async def add(self, *notes: Note) -> None:
        """Store notes, whatever else is going on."""
        repository = self.repository()
        await repository.commit(*map(repository.put, notes), leaves=notes)

    async def written(self, count: int = 1, **attributes: Any) -> list[Note]:
        """New notes that are stored."""
        repository = self.repository()
        notes = [repository.new(Note, **attributes) for _ in range(count)]
        await self.add(*notes)
        return notes

    async def current(self, note: Note) -> Note | None:
        """The note as it is stored now."""
        return await self.repository().fresh().find(Note, note.uid)


def key(note: Note, family: Family = ACME) -> Key:
    return key_of(family, Note, note.uid)


def item(note: Note) -> Item:
    return to_item(ACME, note)


def put(note: Note, error: Exception) -> Put:
    return Put(key(note), encode(note), lambda _: error)


@asynccontextmanager
async def open_store(endpoint: str) -> AsyncIterator[NoteStore]:
    chosen = settings(endpoint)
    database = await Database(chosen).open()
    async with network_of(database.client) as network:
        await create_tables(database)
        guard = PolicyGuard(
            [table_definition(chosen.table_name), control_definition(chosen.control_table_name)], principal
        )
        guard.watch(database.client)
        yield NoteStore(database, guard, network, chosen)
    await database.close()
    assert not guard.refused
