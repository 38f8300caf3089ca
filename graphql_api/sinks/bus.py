"""The log as events on a bus: ids, versions and states, no text of anybody's."""

from collections.abc import Sequence
from typing import Any

from graphql_api.changes.change import Change
from graphql_api.changes.cursor import EventCursor
from graphql_api.changes.log import LogEntry
from graphql_api.features.tasks.task import Task
from graphql_api.features.users import User
from graphql_api.relay import global_id
from graphql_api.sinks.sink import Bus
from graphql_api.store.codec import decode
from graphql_api.store.cursor import Seals
from graphql_api.store.entity import entity_class
from graphql_api.store.event_bus import BusEvent
from graphql_api.store.keys import Family, tenant_of


class BusSink:
    """A sink over a bus."""

    name = "BUS"

    def __init__(self, bus: Bus, seals: Seals) -> None:
        self._bus = bus
        self._seals = seals

    async def take(self, family: Family, entries: Sequence[LogEntry]) -> None:
        """An event for each."""
        await self._bus.put([self._event(family, entry) for entry in entries])

    async def close(self) -> None:
        await self._bus.close()

    def _event(self, family: Family, entry: LogEntry) -> BusEvent:
        change = entry.change
        cls = entity_class(change.kind)
        cursor = EventCursor(entry.epoch, entry.sequence).seal(self._seals, family)
        detail = {
            "tenant": tenant_of(family),
            "id": change.id,
            "epoch": entry.epoch,
            "sequence": entry.sequence,
            "cursor": cursor,
            "action": change.action,
            "entityType": cls.__name__,
            "entityId": global_id(cls, change.uid),
            "version": change.version,
            "actorId": change.actor_uid and global_id(User, change.actor_uid),
            "at": change.at.isoformat(),
        }
        return BusEvent(change.at, f"{cls.__name__}.{change.action}", detail | _state_of(change))


def _state_of(change: Change) -> dict[str, Any]:
    """What consumers decide by who cannot ask for the entity: where a task stands. Empty for what the log
    could not hold.
    """
    if change.kind != Task.kind or change.after is None:
        return {}
    task = decode(Task, change.after)
    before = decode(Task, change.before) if change.before else None
    return {
        "task": {
            "projectId": global_id(entity_class("PROJECT"), task.project_uid),
            "status": task.status,
            "previousStatus": before.status if before else None,
            "isDone": task.completed_at is not None and task.deleted_at is None,
        }
    }
