"""Bugs of real time: of the log, of who listens to it, and of what they are sent."""

import dataclasses
from collections import defaultdict
from contextlib import aclosing
from typing import Any

from graphql_api.changes.cursor import EventCursor
from graphql_api.changes.history import History
from graphql_api.changes.log import ChangeLog
from graphql_api.realtime.delivery import Delivery
from graphql_api.realtime.fanout import Fanout
from graphql_api.realtime.heartbeat import Heartbeat
from graphql_api.realtime.ingest import Ingest
from graphql_api.realtime.protocol import Protocol
from graphql_api.realtime.replay import Replay
from graphql_api.realtime.socket import Socket
from graphql_api.realtime.subscribing import Subscribing
from graphql_api.realtime.subscriptions import Groups
from graphql_api.store import keys
from graphql_api.store.keys import Family, Key
from graphql_api.store.loader import ItemLoader
from tests.isolation.mutants.reach import Patch

ANY = Family("T#any")


def groups_kept_without_the_tenant(patch: Patch) -> None:
    """A group that a process knows from one tenant is not written down for another."""
    find, keep = Groups.find, Groups.keep
    patch.setattr(Groups, "find", lambda self, _, group: find(self, ANY, group))
    patch.setattr(Groups, "keep", lambda self, _, group, *rest: keep(self, ANY, group, *rest))


def rows_found_by_topic_alone(patch: Patch) -> None:
    _in_one_family(patch, "graphql_api.realtime.subscriptions", "TOPIC")


def one_log_for_all(patch: Patch) -> None:
    _in_one_family(patch, "graphql_api.changes.log", "LOG")


def one_progress_for_all(patch: Patch) -> None:
    """How far the log has been pushed is noted in one place."""
    _in_one_family(patch, "graphql_api.realtime.pushed", "LOG")


def sockets_counted_for_all(patch: Patch) -> None:
    """People are told apart by their subject alone, and may have two sockets."""
    _in_one_family(patch, "graphql_api.realtime.census", "SOCKETS")
    patch.setattr("graphql_api.realtime.census.MAX_SOCKETS_OF_USER", 1)


def _in_one_family(patch: Patch, module: str, kind: str) -> None:
    def partition(family: Family, *path: str) -> str:
        return keys.partition(ANY if path[0] == kind else family, *path)

    patch.setattr(f"{module}.partition", partition)


def a_batch_is_the_first_records(patch: Patch) -> None:
    """Whose the first record is, whose the whole batch is taken to be."""
    original = Ingest._sort

    def sort(self: Any, position: int, record: Any, by_tenant: dict[str, Any]) -> None:
        mine = defaultdict[str, list[Any]](list)
        original(self, position, record, mine)
        for tenant, placed in mine.items():
            by_tenant[next(iter(by_tenant), tenant)] += placed

    patch.setattr(Ingest, "_sort", sort)


def fan_out_for_the_first_tenant(patch: Patch) -> None:
    """One fan-out is made for an invocation, of the tenant that comes first."""
    init, first = Fanout.__init__, dict[int, str]()

    def begin(self: Any, services: Any, tenant: str, deadline: Any) -> None:
        init(self, services, first.setdefault(id(deadline), tenant), deadline)

    patch.setattr(Fanout, "__init__", begin)


def reads_shared_by_all_deliveries(patch: Patch) -> None:
    """What events need besides is read once, for whoever comes first, by what it is."""
    shared: dict[str, Any] = {}
    original = ItemLoader.load

    def load(self: Any, key: Key) -> Any:
        if not delivering:
            return original(self, key)
        name = key.partition.split(keys.SEPARATOR, 2)[-1]
        if name not in shared:
            shared[name] = original(self, key)
        return shared[name]

    delivering: list[None] = []
    answer = Delivery.answer

    async def answered(self: Any, *rest: Any) -> Any:
        delivering.append(None)
        try:
            return await answer(self, *rest)
        finally:
            delivering.pop()
            if not delivering:
                shared.clear()

    patch.setattr(ItemLoader, "load", load)
    patch.setattr(Delivery, "answer", answered)


def answers_kept_by_change(patch: Patch) -> None:
    """What an operation answers to an event is remembered by the change's id and the operation."""
    answers: dict[Any, Any] = {}
    original = Delivery.answer

    async def answer(self: Any, entry: Any, topic: Any, request: Any, identity: Any) -> Any:
        key = entry.change.id, request.query, str(request.variables), identity.role
        if key not in answers:
            answers[key] = await original(self, entry, topic, request, identity)
        return answers[key]

    patch.setattr(Delivery, "answer", answer)


def event_cursors_of_any_tenant(patch: Patch) -> None:
    seal, opened = EventCursor.seal, EventCursor.open
    patch.setattr(EventCursor, "seal", lambda self, seals, _: seal(self, seals, ANY))
    patch.setattr(EventCursor, "open", lambda text, seals, _: opened(text, seals, ANY))


def tenant_from_the_first_message(patch: Patch) -> None:
    """A client says which of its tenants it means."""
    original = Protocol._signed_in

    async def signed_in(self: Any, payload: dict[str, Any]) -> Any:
        claims = await original(self, payload)
        if claims is None or not isinstance(slug := payload.get("tenant"), str) or claims.tenant is None:
            return claims
        return dataclasses.replace(claims, tenant=slug)

    patch.setattr(Protocol, "_signed_in", signed_in)


def tenant_from_a_later_message(patch: Patch) -> None:
    original = Protocol._handle

    async def handle(self: Any, socket: Socket, message: Any) -> None:
        request = getattr(message, "request", None)
        if request is not None and socket.tenant and (slug := request.extensions.get("tenant")):
            socket = dataclasses.replace(socket, tenant=slug)
        await original(self, socket, message)

    patch.setattr(Protocol, "_handle", handle)


def tenant_of_the_connections_last_holder(patch: Patch) -> None:
    """Who is behind a connection is remembered by its id, and for too long."""
    holders: dict[str, Socket] = {}
    original = Protocol._connection_init

    async def connection_init(self: Any, socket: Socket, payload: Any) -> None:
        await original(self, socket, payload)
        found = await self._connections.sockets.find(socket.connection_id)
        if found is not None and found.tenant is not None:
            holders.setdefault(found.connection_id, found)

    identify = Subscribing._identity

    async def identity(self: Any, socket: Socket) -> Any:
        return await identify(self, holders.get(socket.connection_id, socket))

    patch.setattr(Protocol, "_connection_init", connection_init)
    patch.setattr(Subscribing, "_identity", identity)


def the_pongs_place_is_the_last_ones(patch: Patch) -> None:
    """Where the log stands is looked up once for all who ping."""
    places: dict[str, Any] = {}
    original = Heartbeat.position

    async def position(self: Any, tenant: str) -> Any:
        if "last" not in places:
            places["last"] = await original(self, tenant)
        return places["last"]

    patch.setattr(Heartbeat, "position", position)


def history_by_the_record_alone(patch: Patch) -> None:
    """That a change is in the log is remembered by its id, which is taken to be like no other."""
    seen: dict[str, Family] = {}
    original = ChangeLog.append

    async def append(self: Any, changes: Any) -> Any:
        new = [each for each in changes if seen.setdefault(each.id, self.family) == self.family]
        return await original(self, new)

    patch.setattr(ChangeLog, "append", append)


def history_of_the_ids_family(patch: Patch) -> None:
    """An entity's changes are looked for in all logs that were ever read, in the reader's own first."""
    families: set[Family] = set()
    init, rows = History.__init__, History._rows

    def begin(self: Any, table: Any, family: Family) -> None:
        families.add(family)
        init(self, table, family)

    async def rows_anywhere(self: Any, wanted: Any, position: Any) -> Any:
        own = self._family
        try:
            for family in (own, *sorted(families - {own})) if wanted.entity else (own,):
                self._family = family
                async with aclosing(rows(self, wanted, position)) as found:
                    async for row in found:
                        yield row
        finally:
            self._family = own

    patch.setattr(History, "__init__", begin)
    patch.setattr(History, "_rows", rows_anywhere)


def history_of_the_first_reader(patch: Patch) -> None:
    """The audit log is opened once for a process."""
    families: list[Family] = []
    init = History.__init__

    def begin(self: Any, table: Any, family: Family) -> None:
        families.append(family)
        init(self, table, families[0])

    patch.setattr(History, "__init__", begin)


def replay_of_the_first_log(patch: Patch) -> None:
    """What was missed is read from the log of who resumed first."""
    families: list[Family] = []
    init = Replay.__init__

    def begin(self: Any, services: Any, *rest: Any) -> None:
        init(self, services, *rest)
        families.append(self._log.family)
        self._log = services.sources.change_log(families[0], self._deadline)

    patch.setattr(Replay, "__init__", begin)


MUTANTS = (
    groups_kept_without_the_tenant,
    rows_found_by_topic_alone,
    one_log_for_all,
    one_progress_for_all,
    sockets_counted_for_all,
    a_batch_is_the_first_records,
    fan_out_for_the_first_tenant,
    reads_shared_by_all_deliveries,
    answers_kept_by_change,
    event_cursors_of_any_tenant,
    tenant_from_the_first_message,
    tenant_from_a_later_message,
    tenant_of_the_connections_last_holder,
    the_pongs_place_is_the_last_ones,
    history_by_the_record_alone,
    history_of_the_ids_family,
    history_of_the_first_reader,
    replay_of_the_first_log,
)
