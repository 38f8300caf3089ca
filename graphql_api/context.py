"""What a resolver may reach: the caller and the caller's data, for one request."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date
from functools import cached_property

import strawberry

from graphql_api.audit.entry import AuditEvent, AuditKind, AuditOutcome
from graphql_api.audit.recording import note
from graphql_api.audit.trail import Trail
from graphql_api.auth.identity import Identity, Role
from graphql_api.changes.counts import Counts
from graphql_api.changes.cursor import EventCursor
from graphql_api.changes.event import Event, EventSource
from graphql_api.changes.history import History
from graphql_api.changes.log import ChangeLog
from graphql_api.deadline import Deadline
from graphql_api.errors import ForbiddenError, UnauthenticatedError
from graphql_api.outbound.outbound import Outbound
from graphql_api.sources import Sources, SubscriptionText
from graphql_api.store.capacity import Consumed, Meter
from graphql_api.store.cursor import CursorCodec
from graphql_api.store.entity import Topic
from graphql_api.store.exports import Exports
from graphql_api.store.keys import PLATFORM, Family, tenant_family
from graphql_api.store.repository import Repository, Stamp
from graphql_api.store.table import Table


class RequestContext:
    """One request: made when it arrives, closed before its response leaves.

    `begins`: a subscription is being made, not answered; only then has it to be checked what it names.
    `address`: where the request came from. `consumed`: of DynamoDB's capacity, so far.
    """

    def __init__(
        self,
        sources: Sources,
        identity: Identity | None,
        request_id: str,
        deadline: Deadline,
        events: EventSource | None = None,
        *,
        begins: bool = False,
        address: str | None = None,
    ) -> None:
        self.address = address
        self.begins = begins
        self.consumed = Consumed()
        self._events = events
        self._event_cursor: EventCursor | None = None
        self.identity = identity
        self.request_id = request_id
        self.deadline = deadline
        self._sources = sources
        self._repositories: dict[tuple[Family, str | None], Repository] = {}

    @property
    def is_charged(self) -> bool:
        """Whether the caller pays for what is asked: not for events, which are paid where they are made."""
        return self._events is None or self.begins

    @property
    def _meter(self) -> Meter | None:
        """Its own; that of the tenant's overhead for events, which nobody asked for at this moment."""
        if self.is_charged or self.identity is None or self.identity.tenant is None:
            return self.consumed
        return self._sources.overhead(tenant_family(self.identity.tenant))

    @property
    def caller(self) -> Identity:
        """The verified caller. Raises UnauthenticatedError."""
        if self.identity is None:
            raise UnauthenticatedError
        return self.identity

    @cached_property
    def repository(self) -> Repository:
        """The data of the caller's tenant, the only data there is. Raises for a caller without one."""
        if self.caller.tenant is None:
            raise ForbiddenError("The platform's operators have no access to tenants' data.")
        return self._repository(tenant_family(self.caller.tenant))

    @cached_property
    def platform(self) -> Repository:
        """What the platform owns: the registry of tenants. Raises for everybody but PLATFORM."""
        self._require_platform()
        return self._repository(PLATFORM)

    @cached_property
    def jobs(self) -> Repository:
        """The platform's, for its list of jobs: a tenant's administrator starts some, and is shown the
        tenant's own.
        """
        if self.caller.role is Role.PLATFORM:
            return self.platform
        if self.caller.role is not Role.ADMIN:
            raise ForbiddenError(f"This needs the role {Role.ADMIN}.")
        return self.registering()

    @property
    def exports(self) -> Exports:
        """Where exports are kept."""
        return self._sources.exports

    @cached_property
    def change_log(self) -> ChangeLog:
        """The change log of the caller's tenant."""
        return self._sources.change_log(self.repository.family, self.deadline, self._meter)

    @property
    def counts(self) -> Counts:
        """How many of everything tenants have."""
        return self._sources.counts

    async def renew(self) -> bool:
        """Read again what the caller's tenant may use; whether it is something else now."""
        if self.identity is None:
            return False
        before, self.identity = self.identity, await self._sources.renewed(self.identity)
        return self.identity.allowance != before.allowance

    @cached_property
    def history(self) -> History:
        """The audit log of the caller's tenant."""
        family = self.repository.family
        return History(self._sources.control(family, self.deadline, self._meter), family)

    @cached_property
    def audit_trail(self) -> Trail:
        """What happened in the caller's tenant that is no change of data; what the platform's own was for an
        operator.
        """
        family = PLATFORM if self.caller.role is Role.PLATFORM else self.repository.family
        return Trail(self._sources.control(family, self.deadline), family)

    def denied(self, field: str) -> None:
        """The caller's role does not allow this field; of events that was told when they were asked for."""
        if not self.is_charged:
            return
        note(
            AuditEvent(
                kind=AuditKind.ACCESS_DENIED,
                outcome=AuditOutcome.REFUSED,
                tenant=self.caller.tenant,
                actor=self.caller.subject,
                field=field,
                code=ForbiddenError.code.value,
            )
        )

    @property
    def outbound(self) -> Outbound:
        """What may be called in the world outside."""
        return self._sources.outbound

    async def topic_of(self, text: SubscriptionText) -> Topic:
        """What a subscription listens to that the caller wants to be kept. Raises ApiError where a socket
        would be refused it.
        """
        assert self._sources.topic_of is not None, "only what is no service asks nothing"
        return await self._sources.topic_of(self, text)

    def listening(self, role: Role, events: EventSource) -> "RequestContext":
        """The caller's request to subscribe, with that role; what it consumes is this request's."""
        identity = replace(self.caller, role=role)
        context = RequestContext(self._sources, identity, self.request_id, self.deadline, events, begins=True)
        context.consumed = self.consumed
        return context

    @property
    def cursors(self) -> CursorCodec:
        """Seals the positions of lists that are not the repository's own."""
        return self._sources.cursors

    def listen(self, topic: Topic, after: str | None) -> AsyncIterator[Event]:
        """What happens in a topic behind the cursor `after`, for subscriptions."""
        assert self._events is not None, "subscriptions are executed over a source of events alone"
        return self._events(topic, after)

    async def before_reading(self) -> None:
        """Remember where the change log stands, for lists that tell it; called before anything is read."""
        if self.identity is not None and self.identity.tenant is not None:
            self._event_cursor = await self.change_log.settled()

    @property
    def event_cursor(self) -> str:
        """The cursor from which subscribers miss nothing that came after this request's data."""
        assert self._event_cursor is not None, "the operation asked for it, so it was read"
        return self.sealed(self._event_cursor)

    def sealed(self, cursor: EventCursor) -> str:
        """The cursor as the caller's tenant may see it."""
        return cursor.seal(self._sources.seals, self.repository.family)

    def opened(self, text: str) -> EventCursor:
        """A cursor that the tenant was given. Raises BadCursorError."""
        return EventCursor.open(text, self._sources.seals, self.repository.family)

    def founding(self, slug: str) -> Repository:
        """The still empty data of a tenant that a platform operator is onboarding."""
        self._require_platform()
        return self._repository(tenant_family(slug))

    def registering(self) -> Repository:
        """What the platform keeps of tenants, for what their own people may change of their own there. Who
        did so is told together with the tenant, as subjects are unique in one alone.
        """
        actor = replace(self.caller, subject=f"{self.caller.tenant}/{self.caller.subject}")
        return self._repository(PLATFORM, actor)

    def signing_up(self, slug: str, subject: str) -> tuple[Repository, Repository]:
        """The registry, and the still empty data of a tenant, for somebody whom no token names. `subject`
        stands for them in what they write. Raises ForbiddenError where nobody can sign up.
        """
        if not self._sources.sign_up or self.identity is not None:
            raise ForbiddenError("Nobody can sign up here; ask the platform's operators for a tenant.")
        actor = Identity(subject, Role.PLATFORM, None, 0)
        return self._repository(PLATFORM, actor), self._repository(tenant_family(slug), actor)

    def invited(self, slug: str, subject: str) -> tuple[Repository, Repository]:
        """The registry, and the data of the tenant that an invitation names, for the person whom it invites.
        It is to be believed only once what it opens was found there: until then nothing but that is read.
        """
        if self.identity is not None:
            raise ForbiddenError("An invitation is accepted without a token.")
        actor = Identity(subject, Role.VIEWER, slug, 0)
        return self._repository(PLATFORM, actor), self._repository(tenant_family(slug), actor)

    @property
    def control(self) -> Table:
        """The control table, as the caller's tenant may use it."""
        return self._sources.control(self.repository.family, self.deadline, self._meter)

    def control_of(self, slug: str) -> Table:
        """The control table as a tenant may use it, for a platform operator who asks what it used."""
        self._require_platform()
        return self._sources.control(tenant_family(slug), self.deadline, self._meter)

    @property
    def today(self) -> date:
        """The date by the request's clock in the time zone of the caller's tenant."""
        return self.caller.settings.local_date(self._sources.now())

    def share_reads_of(self, other: "RequestContext") -> None:
        """Read through another request of the same tenant and moment: what both ask for is read once."""
        assert self.caller.tenant == other.caller.tenant, "reads are shared inside a tenant alone"
        self.__dict__["repository"] = other.repository

    async def close(self) -> None:
        """End whatever still reads for this request."""
        for repository in self._repositories.values():
            await repository.close()

    def _require_platform(self) -> None:
        if self.caller.role is not Role.PLATFORM:
            raise ForbiddenError("Only the platform's operators may do this.")

    def _repository(self, family: Family, actor: Identity | None = None) -> Repository:
        # The caller's own subject is not asked for: who asks makes an event one person's alone.
        key = family, actor.subject if actor else None
        actor = actor or self.caller
        if key not in self._repositories:
            sources = self._sources
            stamp = Stamp(actor, self.request_id, sources.now, sources.new_uid)
            table = sources.data(family, self.deadline, self._meter)
            self._repositories[key] = Repository(table, family, sources.cursors, stamp)
        return self._repositories[key]


Info = strawberry.Info[RequestContext, None]
