"""Stream records, in Lambda's shape, of tasks as they were and as they are; and the changes they tell of."""

import itertools
from datetime import UTC, datetime
from typing import Any

from graphql_api.changes.change import Change, change_of
from graphql_api.features.tasks.task import Task
from graphql_api.store.codec import Item
from graphql_api.store.entity import Entity, key_of, to_item
from graphql_api.store.keys import tenant_family
from graphql_api.store.writes import key_attributes

ACME = tenant_family("acme")
WRITTEN = datetime(2030, 5, 17, 12, tzinfo=UTC)
SEEN = datetime(2030, 5, 17, 12, 0, 3, tzinfo=UTC)
_NUMBERS = itertools.count(1)


def a_task(uid: str = "weld", **attributes: Any) -> Task:
    """A task as the API would have stored it."""
    stamp = {"created_by_uid": "ada", "updated_by_uid": "ada", "request_id": "request-1"}
    times = {"created_at": WRITTEN, "updated_at": WRITTEN}
    task = {"project_uid": "site", "title": "Weld", "status": "todo", "position": "g"}
    return Task(**{"uid": uid, **stamp, **times, **task, **attributes})


def stored(entity: Entity) -> Item:
    """The whole item, keys included."""
    return key_attributes(key_of(ACME, type(entity), entity.uid)) | to_item(ACME, entity)


def record_of(before: Item | None, after: Item | None, **more: Any) -> dict[str, Any]:
    """The record of a write that left `after` where `before` was."""
    number, item = next(_NUMBERS), before or after
    assert item is not None
    images = {name: image for name, image in (("OldImage", before), ("NewImage", after)) if image}
    written = {
        "Keys": {"pk": item["pk"], "sk": item["sk"]},
        "SequenceNumber": str(number),
        "ApproximateCreationDateTime": SEEN.timestamp(),
        **images,
    }
    return {"eventID": f"event-{number}", "dynamodb": written, **more}


def told(before: Entity | Item | None, after: Entity | Item | None, **more: Any) -> Change:
    """The change that a write of one of acme's entities is."""
    images = [stored(state) if isinstance(state, Entity) else state for state in (before, after)]
    found = change_of(record_of(*images, **more))
    assert found is not None
    family, change = found
    assert family == ACME
    return change


def some_changes(
    count: int, *, uids: str = "abcde", by: tuple[str, ...] = ("ada",), size: int = 4
) -> list[Change]:
    """Consecutive writes of a few tasks, in turn, by a few people in turn."""
    states: dict[str, Task] = {}
    changes: list[Change] = []
    for number in range(count):
        uid, actor = uids[number % len(uids)], by[number % len(by)]
        old = states.get(uid)
        version = old.version + 1 if old else 1
        title = f"{number:x}".rjust(size, "x")
        states[uid] = a_task(uid, title=title, version=version, updated_by_uid=actor)
        changes.append(told(old, states[uid]))
    return changes
