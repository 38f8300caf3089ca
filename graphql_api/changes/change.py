"""A stream record in, a Change out: what became of one entity, by whom, when."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from itertools import chain
from typing import Any, NamedTuple, cast

from graphql_api.store.codec import Item, decode
from graphql_api.store.entity import Entity, Topic, entity_class, is_logged, stored_attributes
from graphql_api.store.keys import (
    PLATFORM,
    Family,
    Key,
    parse_entity_key,
    partition,
    tenant_family,
    tenant_of,
)
from graphql_api.store.schema import PARTITION, SORT

# An item is at most 400 KB (DynamoDB) and stands in the log twice at worst.
MAX_TEXT_BYTES = 300_000
RECORD_DIGITS = 40  # of a stream's sequence number (DynamoDB Streams)
_TTL = "dynamodb.amazonaws.com"


class ChangeAction(StrEnum):
    """What became of an entity, seen by who could see it before or can see it now."""

    CREATED = "CREATED"
    UPDATED = "UPDATED"
    DELETED = "DELETED"

    @classmethod
    def of(cls, was_there: bool, is_there: bool) -> "ChangeAction":  # noqa: FBT001 - a truth table
        if was_there and is_there:
            return cls.UPDATED
        return cls.CREATED if is_there else cls.DELETED


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One write of one entity. Images hold its stored attributes without keys; None where it did not exist,
    or where both do not fit the log.

    `id` is the stream's own id of the record, the same each time the record is delivered; `record` is its
    number, which grows with every write of the same item. `actor_uid` and `request_id` are None for a write
    that came past the API. `topics` says who hears of it, and as what: leaving a view is a deletion there,
    entering one a creation. `recorded_at` is DynamoDB's own time of the write, to the second; the log's text
    does not hold it.
    """

    id: str
    record: str
    kind: str
    uid: str
    action: ChangeAction
    version: int
    at: datetime
    actor_uid: str | None
    request_id: str | None
    topics: Mapping[Topic, ChangeAction]
    before: Item | None
    after: Item | None
    recorded_at: datetime | None = field(default=None, compare=False)

    @property
    def entity(self) -> Any:
        """The entity as the change left it, or as it was last where the change took it away; None where the
        log could not hold it.
        """
        image = self.after if self.after is not None else self.before
        return None if image is None else decode(entity_class(self.kind), image)

    @property
    def growth(self) -> tuple[str, int]:
        """Of which kind there is one more with it (1), as many (0) or one less (-1); deleted ones do not
        count, nor does a kind that no plan bounds.
        """
        bounded = entity_class(self.kind).bounded_by is not None
        return self.kind, (_is_there(self.after) - _is_there(self.before)) * bounded


class Origin(NamedTuple):
    """Where a change is known from: its id and record number, and when it was seen."""

    id: str
    record: str
    at: datetime


class MalformedRecordError(ValueError):
    """A stream record that says nothing of an entity although its key does; retried, then set aside."""


def change_of(record: Mapping[str, Any]) -> tuple[Family, Change] | None:
    """Whose data a record of the stream (in Lambda's shape) changed, and how.

    None for what is not logged: idempotency records and other bookkeeping, writes that changed nothing, and
    removals by TTL, which only sweep up what was deleted before. Raises MalformedRecordError.
    """
    try:
        written = record["dynamodb"]
        keys = written["Keys"]
        address = parse_entity_key(Key(keys[PARTITION]["S"], keys[SORT]["S"]))
        if address is None or not is_logged(address.kind) or _is_expiry(record):
            return None
        before, after = _image(written, "OldImage"), _image(written, "NewImage")
        if before == after and before is not None:
            return None
        family, origin = _owner(address.family), _origin(record)
        return family, change_between(family, origin, (address.kind, address.uid), before, after)
    except (LookupError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise MalformedRecordError(str(record.get("eventID", "?"))) from error


def _is_expiry(record: Mapping[str, Any]) -> bool:
    identity = cast("Mapping[str, str]", record.get("userIdentity") or {})
    return identity.get("principalId") == _TTL


def _image(written: Mapping[str, Any], name: str) -> Item | None:
    return stored_attributes(cast("Item", written[name])) if written.get(name) else None


def _owner(family: Family) -> Family:
    return family if family == PLATFORM else tenant_family(tenant_of(family))


def _origin(record: Mapping[str, Any]) -> Origin:
    written = record["dynamodb"]
    seen_at = datetime.fromtimestamp(float(written["ApproximateCreationDateTime"]), UTC)
    return Origin(record["eventID"], str(written["SequenceNumber"]).zfill(RECORD_DIGITS), seen_at)


def change_between(
    family: Family,
    origin: Origin,
    address: tuple[str, str],
    before: Item | None,
    after: Item | None,
) -> Change:
    """What leads from one image of the entity of that kind and uid to the other; one of them is there.

    Raises a ValueError, LookupError, TypeError or AttributeError for images that are no entity's.
    """
    kind, uid = address
    old, new = _entity(kind, before), _entity(kind, after)
    entity = new or old
    ours = after is not None and any(
        (before or {}).get(guard) != after.get(guard) for guard in entity_class(kind).guards
    )
    moved = old is None or new is None or old.version != new.version
    visible_before, visible_now = _visible(old), _visible(new)
    change = Change(
        id=origin.id,
        record=origin.record,
        kind=kind,
        uid=uid,
        action=ChangeAction.of(visible_before is not None, visible_now is not None),
        version=entity.version,
        at=entity.updated_at if ours and moved else origin.at,
        actor_uid=entity.updated_by_uid if ours else None,
        request_id=entity.request_id if ours else None,
        topics=_topics(visible_before, visible_now),
        before=before,
        after=after,
        recorded_at=origin.at,
    )
    _require_keys(family, change)
    return change


def _require_keys(family: Family, change: Change) -> None:
    """Raise MalformedKeyError unless the log and the fan-out can build their keys of it; in the log, such a
    change would stop everything behind it.
    """
    actor = () if change.actor_uid is None else (change.actor_uid,)
    partition(family, change.kind, change.uid, *actor, *chain.from_iterable(change.topics))


def _entity(kind: str, image: Item | None) -> Any:
    return None if image is None else decode(entity_class(kind), image)


def _is_there(image: Item | None) -> bool:
    return image is not None and "deleted_at" not in image


def _visible(entity: Entity | None) -> Entity | None:
    return None if entity is None or entity.deleted_at else entity


def _topics(old: Entity | None, new: Entity | None) -> dict[Topic, ChangeAction]:
    before, after = old.topics() if old else (), new.topics() if new else ()
    ended = old.ends() if old and not new else ()
    return {topic: ChangeAction.of(topic in before, topic in after) for topic in (*before, *after, *ended)}


def to_text(change: Change, sequence: int) -> str:
    """The change as it stands in the log, for good: compact JSON with its place in the tenant's sequence.

    Of the old image only what differs is kept, null for what was absent. Images that do not fit an item of
    the log are left out, and `omitted` says so.
    """
    parts: dict[str, Any] = {
        "sequence": sequence,
        "id": change.id,
        "record": change.record,
        "kind": change.kind,
        "uid": change.uid,
        "action": change.action,
        "topics": [[topic, action] for topic, action in change.topics.items()],
        "version": change.version,
        "at": change.at.isoformat(),
        "actor": change.actor_uid,
        "request": change.request_id,
    }
    text = _json(parts | {"before": _difference(change), "after": change.after})
    return text if len(text) <= MAX_TEXT_BYTES else _json(parts)


def from_text(text: str) -> tuple[int, Change]:
    """The sequence number and the change that a text of the log holds."""
    parts: dict[str, Any] = json.loads(text)
    after = parts.get("after")
    return parts["sequence"], Change(
        id=parts["id"],
        record=parts["record"],
        kind=parts["kind"],
        uid=parts["uid"],
        action=ChangeAction(parts["action"]),
        topics={tuple(topic): ChangeAction(action) for topic, action in parts["topics"]},
        version=parts["version"],
        at=datetime.fromisoformat(parts["at"]),
        actor_uid=parts["actor"],
        request_id=parts["request"],
        before=_restored(parts.get("before"), after),
        after=after,
    )


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


def _difference(change: Change) -> dict[str, Any] | None:
    before, after = change.before, change.after or {}
    if before is None:
        return None
    return {
        name: before.get(name) for name in before.keys() | after.keys() if before.get(name) != after.get(name)
    }


def _restored(difference: dict[str, Any] | None, after: Item | None) -> Item | None:
    if difference is None:
        return None
    return {name: value for name, value in ((after or {}) | difference).items() if value is not None}
