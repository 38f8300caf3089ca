"""Changes: what subscribers are told of, and the tenant's audit log."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, cast

import strawberry

from graphql_api.auth.identity import Role
from graphql_api.auth.permissions import at_least
from graphql_api.changes.change import ChangeAction
from graphql_api.changes.cursor import EventCursor
from graphql_api.changes.event import Event
from graphql_api.changes.history import Wanted
from graphql_api.context import Info, RequestContext
from graphql_api.errors import InvalidInputError, NotFoundError
from graphql_api.feature import Feature
from graphql_api.features.users import User
from graphql_api.relay import Connection, Node, connection, global_id, page_size, parse_global_id, uid_of
from graphql_api.store.codec import AttributeValue
from graphql_api.store.entity import Entity, entity_class, kind_of
from graphql_api.store.page import Page

# A page that passes over rows takes some Queries, and a batch of segments with each.
READS_OF_A_PAGE = 10
# Bookkeeping of the entity, told by the change itself or of no interest to anybody.
_UNTOLD = frozenset(
    {"uid", "version", "created_at", "created_by_uid", "updated_at", "updated_by_uid", "request_id"}
)

strawberry.enum(ChangeAction, description="What became of it, seen by who could see it before or can now.")


@strawberry.interface(name="Change", description="Something that was created, changed or taken away.")
class ChangeEvent:
    event: strawberry.Private[Event]

    @strawberry.field(description="The same each time this change is told: tell repetitions by it.")
    def id(self) -> strawberry.ID:
        return strawberry.ID(self.event.change.id)

    @strawberry.field(
        description="The place behind this change: subscribe `after` the last one you have seen."
    )
    def cursor(self) -> str:
        return self.event.cursor

    @strawberry.field(description="Its number among all changes of the tenant, without gaps.")
    def sequence(self) -> int:
        return self.event.sequence

    @strawberry.field(description="What became of it for this view: what leaves the view is DELETED there.")
    def action(self) -> ChangeAction:
        return self.event.action

    @strawberry.field(description="When it was written.")
    def at(self) -> datetime:
        return self.event.change.at

    @strawberry.field(
        description="Who wrote it; null for a write that came past the API.",
        permission_classes=[at_least(Role.VIEWER)],
    )
    async def actor(self, info: Info) -> User | None:
        uid = self.event.change.actor_uid
        return None if uid is None else await info.context.repository.find(User, uid)

    @strawberry.field(description="The id of what changed.")
    def entity_id(self) -> strawberry.ID:
        change = self.event.change
        return global_id(entity_class(change.kind), change.uid)

    @strawberry.field(description="The version that the write left.")
    def version(self) -> int:
        return self.event.change.version


async def listened_to(info: Info, cls: type[Entity], id: str, *, may_be_deleted: bool) -> str:
    """The uid of what a subscription names by `id`. Raises NotFoundError if it begins with what is not there;
    later its own events tell what becomes of it.
    """
    uid, repository = uid_of(cls, id), info.context.repository
    if info.context.begins:
        await (repository.known(cls, uid) if may_be_deleted else repository.get(cls, uid))
    return uid


@strawberry.type(description="One attribute before and after, as JSON; null where there was or is none.")
class AttributeChange:
    name: str
    before: str | None
    after: str | None


@strawberry.type(description="An entry of the audit log.")
class LoggedChange(ChangeEvent):
    noun: ClassVar[str] = "Change"

    @strawberry.field(description="What kind of thing changed, such as Task.")
    def entity_type(self) -> str:
        return entity_class(self.event.change.kind).__name__

    @strawberry.field(description="When it was logged; the filter by time goes by this.")
    def logged_at(self) -> datetime:
        return self.event.logged_at

    @strawberry.field(description="The request that wrote it, as in `X-Request-Id`; null as `actor` is.")
    def request_id(self) -> str | None:
        return self.event.change.request_id

    @strawberry.field(
        description="What differs. Empty for a change too large for the log.", metadata={"cost": 0}
    )
    def attributes(self) -> list[AttributeChange]:
        before, after = self.event.change.before or {}, self.event.change.after or {}
        derived = entity_class(self.event.change.kind).derived
        names = sorted((before.keys() | after.keys()) - _UNTOLD - derived)
        return [
            AttributeChange(name=_camel(name), before=_json(before.get(name)), after=_json(after.get(name)))
            for name in names
            if before.get(name) != after.get(name)
        ]


@strawberry.input(description="Which changes; what is left out does not narrow.")
class ChangeFilter:
    entity_id: strawberry.ID | None = strawberry.field(default=None, description="Of this thing alone.")
    actor_id: strawberry.ID | None = strawberry.field(default=None, description="Written by this person.")
    actions: list[ChangeAction] | None = None
    since: datetime | None = strawberry.field(
        default=None, description="Logged then or later; UTC without an offset."
    )
    until: datetime | None = strawberry.field(
        default=None, description="Logged before then; UTC without an offset."
    )


@strawberry.type
class ChangeQuery:
    @strawberry.field(
        description="The audit log, the latest change first. With filters by action, or by several things at "
        "once, a page can be short of `first` although `hasNextPage` is true.",
        permission_classes=[at_least(Role.ADMIN)],
        metadata={"query": READS_OF_A_PAGE},
    )
    async def changes(
        self,
        info: Info,
        filter: ChangeFilter | None = None,
        first: int | None = 20,
        after: str | None = None,
    ) -> Connection[LoggedChange]:
        context, wanted = info.context, _wanted(filter or ChangeFilter())
        scope = (context.repository.family, "changes", *wanted.scope())
        position = None if after is None else context.cursors.open(after, scope)
        found = await context.history.page(_kept(wanted, context), position, page_size(first))
        rows = [
            LoggedChange(
                event=Event(
                    sequence=row.entry.sequence,
                    cursor=context.sealed(EventCursor(row.entry.epoch, row.entry.sequence)),
                    action=row.entry.change.action,
                    change=row.entry.change,
                    logged_at=row.entry.logged_at,
                )
            )
            for row in found.rows
        ]
        resume = None if found.resume is None else context.cursors.seal(found.resume, scope)
        cursors = [context.cursors.seal(row.position, scope) for row in found.rows]
        return connection(Page(rows, cursors, resume is not None, resume), after)


def _wanted(filter: ChangeFilter) -> Wanted:
    since, until = in_utc(filter.since, "since"), in_utc(filter.until, "until")
    if since and until and since > until:
        raise InvalidInputError("since must not be after until.", "filter.since")
    return Wanted(
        entity=None if filter.entity_id is None else _entity(filter.entity_id),
        actor_uid=None if filter.actor_id is None else uid_of(User, filter.actor_id),
        actions=frozenset(ChangeAction if filter.actions is None else filter.actions),
        since=since,
        until=until,
    )


def _kept(wanted: Wanted, context: RequestContext) -> Wanted:
    """What of it the tenant's plan lets be read."""
    allowance = context.caller.allowance
    if allowance is None:
        return wanted
    oldest = context.repository.stamp.now() - timedelta(days=allowance.limits.retention_days)
    return replace(wanted, since=max(wanted.since or oldest, oldest))


def in_utc(time: datetime | None, name: str) -> datetime | None:
    """The same moment in UTC, which is also what a time without an offset is in."""
    if time is None:
        return None
    try:
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except OverflowError:
        raise InvalidInputError(f"{name} is outside the years 1 to 9999 in UTC.", f"filter.{name}") from None


def _entity(id: str) -> tuple[str, str]:
    name, uid = parse_global_id(id) or ("", "")
    kind = kind_of(name)
    if kind is None or not issubclass(entity_class(kind), Node):
        raise NotFoundError("Node")
    return kind, uid


def _camel(name: str) -> str:
    head, *tail = name.removesuffix("_uid").split("_")
    return head + "".join(part.title() for part in tail)


def _json(value: AttributeValue | None) -> str | None:
    return None if value is None else json.dumps(_plain(value), ensure_ascii=False)


def _plain(value: AttributeValue) -> Any:
    ((kind, content),) = value.items()
    if kind == "L":
        return [_plain(element) for element in content]
    if kind == "M":
        return {_camel(name): _plain(member) for name, member in cast("dict[str, Any]", content).items()}
    return json.loads(content) if kind == "N" else content


FEATURE = Feature(query=ChangeQuery)
