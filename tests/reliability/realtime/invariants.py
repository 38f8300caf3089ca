"""What holds once everything stands still: nothing lost, nothing twice, nothing out of order."""

import json
from collections import defaultdict

from graphql_api.changes.change import MalformedRecordError, change_of
from graphql_api.changes.cursor import EventCursor
from graphql_api.changes.log import LogEntry, LogHead, Segment, chained
from graphql_api.features.tasks.task import Task
from graphql_api.relay import global_id
from graphql_api.store.codec import decode
from graphql_api.store.keys import FIRST, LAST, PLATFORM, Family, Key, partition, tenant_family
from tests.reliability.realtime.client import Client, Held
from tests.reliability.realtime.installation import TENANTS
from tests.reliability.realtime.memory import CONTROL, DATA
from tests.reliability.realtime.schedule import Schedule


class BrokenPromiseError(AssertionError):
    """A promise that was not kept."""


def require(holds: bool, promise: str, *what: object) -> None:
    if not holds:
        raise BrokenPromiseError(f"{promise}: {' '.join(map(str, what))}")


def check(schedule: Schedule) -> None:
    """All promises. Raises BrokenPromiseError."""
    require(not schedule.database.trespasses, "rights", schedule.database.trespasses)
    broken = [failure for failure in schedule.failures if isinstance(failure, AssertionError)]
    require(not broken, "assumptions", broken)
    for tenant in TENANTS:
        log = check_log(schedule, tenant_family(tenant))
        for client in schedule.clients:
            if client.tenant == tenant:
                check_client(schedule, client, log)
    for connection in schedule.management.connections.values():
        strangers = {tenant.encode() for tenant in TENANTS} - {connection.tenant.encode()}
        seen = [frame for frame in connection.received if any(name in frame for name in strangers)]
        require(not seen, "nothing of another tenant", seen)


def check_log(schedule: Schedule, family: Family) -> list[LogEntry]:
    """The log's entries: gap-free, chained, each change once, and all there are."""
    control = schedule.database.tables[CONTROL]
    segments = [
        decode(Segment, item) for item in control.partition(partition(family, "LOG", "SEGMENTS"), FIRST, LAST)
    ]
    entries = [entry for segment in segments for entry in segment.entries()]
    require(
        [entry.sequence for entry in entries] == list(range(1, len(entries) + 1)),
        "log without gaps",
        family,
        [entry.sequence for entry in entries],
    )
    previous = ""
    for entry in entries:
        previous = chained(previous, entry.text)
        require(entry.hash == previous, "hash chain", family, entry.sequence)
        require(json.loads(entry.text)["sequence"] == entry.sequence, "text in its place", entry.sequence)
    ids = [entry.change.id for entry in entries]
    require(len(set(ids)) == len(ids), "each change once", family, ids)
    missing = _recorded(schedule, family) - set(ids)
    require(not missing, "every change logged", family, missing)
    head = control.items.get(Key(partition(family, "LOG"), "HEAD"))
    require((decode(LogHead, head) if head else LogHead()).hash == previous, "head", family)
    return entries


def _recorded(schedule: Schedule, family: Family) -> set[str]:
    """The ids of what the stream says happened to a tenant."""
    ids: set[str] = set()
    for record in schedule.stream.records:
        try:
            found = change_of(record)
        except MalformedRecordError:
            continue
        if found is not None and found[0] == family != PLATFORM:
            ids.add(found[1].id)
    return ids


def check_client(schedule: Schedule, client: Client, log: list[LogEntry]) -> None:
    """Everything behind its snapshot was told, once and in order, and leads to what the server holds."""
    name = f"{client.tenant}/{client.subject}"
    require(client.base is not None, "client came in", name, client.refusals)
    base = opened(schedule, client).sequence
    expected = [
        entry.change.id for entry in log if entry.sequence > base and client.view.topic in entry.change.topics
    ]
    # What the snapshot shows already may be told again, by a pusher that was late.
    told = [one.change_id for one in client.told if one.sequence > base]
    require(not set(expected) - set(told), "nothing lost", name, expected, told)
    require(not set(told) - set(expected), "nothing of another view", name, expected, told)
    require(len(set(told)) == len(told), "nothing twice", name, told)
    require(told == expected, "nothing out of order", name, expected, told)
    check_versions(schedule, client, base)
    require(
        client.held == held_by_server(schedule, client),
        "state",
        name,
        client.held,
        held_by_server(schedule, client),
    )


def opened(schedule: Schedule, client: Client) -> EventCursor:
    """The cursor of the client's snapshot."""
    seals = schedule.process().services.sources.seals
    assert client.base is not None
    return EventCursor.open(client.base, seals, tenant_family(client.tenant))


def check_versions(schedule: Schedule, client: Client, base: int) -> None:
    """Versions of one entity never fall, unless a record of it was set aside and came later."""
    family = tenant_family(client.tenant)
    late = {
        global_id(Task, name.rpartition("#")[2])
        for reader in schedule.readers
        for name in reader.redriven
        if name.startswith(f"{family}#{Task.kind}#")
    }
    versions: dict[str, int] = defaultdict(int)
    for one in client.told:
        if one.sequence <= base:
            continue
        if one.entity_id not in late:
            require(one.version >= versions[one.entity_id], "versions in order", one)
        versions[one.entity_id] = one.version


def held_by_server(schedule: Schedule, client: Client) -> dict[str, Held]:
    """The tasks of a view, as the table holds them."""
    family, held = tenant_family(client.tenant), dict[str, Held]()
    for key, item in schedule.database.tables[DATA].items.items():
        if key.partition.startswith(f"{family}#{Task.kind}#") and "project_uid" in item:
            task = decode(Task, item)
            if task.deleted_at is None and client.view.topic in task.topics():
                held[global_id(Task, task.uid)] = (task.version, task.title, task.status)
    return held
