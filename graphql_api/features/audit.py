"""The audit log of what is no change of data: read by administrators, and by operators for the platform's."""

from datetime import datetime

import strawberry

from graphql_api.audit.entry import AuditEntry, AuditKind, AuditOutcome
from graphql_api.audit.trail import WantedEntries
from graphql_api.auth.identity import Role
from graphql_api.auth.permissions import at_least
from graphql_api.auth.plan import PlanFeature
from graphql_api.context import Info, RequestContext
from graphql_api.errors import ForbiddenError, InvalidInputError
from graphql_api.feature import Feature
from graphql_api.features.changes import in_utc
from graphql_api.features.users import User
from graphql_api.relay import READS_A_LIST, Connection, connection, global_id, page_size, uid_of
from graphql_api.store.page import Page

strawberry.enum(AuditKind, description="What happened that is no change of data.")
strawberry.enum(AuditOutcome, description="How it ended; BEGUN is an act whose end could not be recorded.")


@strawberry.type(description="An entry of the audit log of what is no change of data.")
class AuditEvent:
    id: strawberry.ID
    at: datetime = strawberry.field(description="When it happened; of several alike, the first.")
    kind: AuditKind
    outcome: AuditOutcome
    count: int = strawberry.field(
        description="How many were alike within a minute, at least; it grows in powers of two."
    )
    actor_id: strawberry.ID | None = strawberry.field(
        description="The id of the User who did it; null for nobody that is known, and for an operator."
    )
    subject: str | None = strawberry.field(description="The `sub` of the token.")
    field: str | None = strawberry.field(description="The field of the schema, as `Mutation.suspendUser`.")
    code: str | None = strawberry.field(description="The code of the error that was answered.")
    operation: str | None = strawberry.field(description="What the client called its operation.")
    request_id: str | None
    address: str | None = strawberry.field(description="The network of the client: /24 of IPv4, /48 of IPv6.")


@strawberry.input(description="Which entries; what is left out does not narrow.")
class AuditFilter:
    kind: AuditKind | None = None
    actor_id: strawberry.ID | None = strawberry.field(default=None, description="Of this person alone.")
    since: datetime | None = strawberry.field(
        default=None, description="Happened then or later; UTC without an offset."
    )
    until: datetime | None = strawberry.field(
        default=None, description="Happened before then; UTC without an offset."
    )


@strawberry.input(description="Which of the platform's entries; what is left out does not narrow.")
class PlatformAuditFilter:
    kind: AuditKind | None = None
    subject: str | None = strawberry.field(default=None, description="Of this operator alone.")
    since: datetime | None = strawberry.field(
        default=None, description="Happened then or later; UTC without an offset."
    )
    until: datetime | None = strawberry.field(
        default=None, description="Happened before then; UTC without an offset."
    )


@strawberry.type
class AuditQuery:
    @strawberry.field(
        description="Who was refused, administered, exported, signed in or connected; the latest first. With "
        "a filter by kind or person a page can be short of `first` although `hasNextPage` is true. Needs the "
        "feature AUDIT of the plan.",
        permission_classes=[at_least(Role.ADMIN)],
        metadata=READS_A_LIST,
    )
    async def audit_events(
        self,
        info: Info,
        filter: AuditFilter | None = None,
        first: int | None = 20,
        after: str | None = None,
    ) -> Connection[AuditEvent]:
        _require_audit(info.context)
        wanted = filter or AuditFilter()
        actor = None if wanted.actor_id is None else uid_of(User, wanted.actor_id)
        return await _page(info.context, _wanted(wanted, actor), first, after)

    @strawberry.field(
        description="The same of the platform's own: what its operators did, and what nobody is known for.",
        permission_classes=[at_least(Role.PLATFORM)],
        metadata=READS_A_LIST,
    )
    async def platform_audit_events(
        self,
        info: Info,
        filter: PlatformAuditFilter | None = None,
        first: int | None = 20,
        after: str | None = None,
    ) -> Connection[AuditEvent]:
        wanted = filter or PlatformAuditFilter()
        return await _page(info.context, _wanted(wanted, wanted.subject), first, after)


def _require_audit(context: RequestContext) -> None:
    allowance = context.caller.allowance
    if allowance is None or PlanFeature.AUDIT not in allowance.features:
        raise ForbiddenError("Your plan does not include the audit log.")


def _wanted(filter: AuditFilter | PlatformAuditFilter, actor: str | None) -> WantedEntries:
    since, until = in_utc(filter.since, "since"), in_utc(filter.until, "until")
    if since and until and since > until:
        raise InvalidInputError("since must not be after until.", "filter.since")
    return WantedEntries(kind=filter.kind, actor=actor, since=since, until=until)


async def _page(
    context: RequestContext, wanted: WantedEntries, first: int | None, after: str | None
) -> Connection[AuditEvent]:
    trail = context.audit_trail
    scope = (trail.family, "audit", *wanted.scope())
    position = None if after is None else context.cursors.open(after, scope)
    found = await trail.page(wanted, position, page_size(first))
    is_of_tenant = context.caller.tenant is not None
    rows = [_shown(row.entry, is_of_tenant=is_of_tenant) for row in found.rows]
    cursors = [context.cursors.seal(row.position, scope) for row in found.rows]
    resume = None if found.resume is None else context.cursors.seal(found.resume, scope)
    return connection(Page(rows, cursors, resume is not None, resume), after)


def _shown(entry: AuditEntry, *, is_of_tenant: bool) -> AuditEvent:
    return AuditEvent(
        id=strawberry.ID(entry.id),
        at=entry.at,
        kind=entry.kind,
        outcome=entry.outcome,
        count=entry.count,
        actor_id=global_id(User, entry.actor) if is_of_tenant and entry.actor else None,
        subject=entry.actor,
        field=entry.field,
        code=entry.code,
        operation=entry.operation,
        request_id=entry.request_id,
        address=entry.address,
    )


FEATURE = Feature(query=AuditQuery)
