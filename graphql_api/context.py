"""What a resolver may reach: the caller and the caller's data, for one request."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property

import strawberry

from graphql_api.auth.identity import Identity, Role
from graphql_api.changes.cursor import EventCursor
from graphql_api.changes.event import Event, EventSource
from graphql_api.changes.history import History
from graphql_api.changes.log import ChangeLog
from graphql_api.deadline import Deadline
from graphql_api.errors import ForbiddenError, UnauthenticatedError
from graphql_api.store.client import Database
from graphql_api.store.cursor import CursorCodec, Seals
from graphql_api.store.entity import Topic
from graphql_api.store.keys import PLATFORM, Family, tenant_family
from graphql_api.store.repository import Repository, Stamp
from graphql_api.store.table import Table


@dataclass(frozen=True, slots=True)
class Sources:
    """What every request of a process draws from. Holds nothing of any tenant."""

    database: Database
    seals: Seals
    now: Callable[[], datetime]
    new_uid: Callable[[], str]
    log_retention: timedelta

    @property
    def cursors(self) -> CursorCodec:
        """The cursors of lists."""
        return CursorCodec(self.seals, lambda: int(self.now().timestamp()) // 3600)

    def control(self, family: Family, deadline: Deadline) -> Table:
        """The control table with the rights of that family."""
        return Table(self.database, family, deadline, self.database.control_table_name)

    def change_log(self, family: Family, deadline: Deadline) -> ChangeLog:
        """The change log of a tenant."""
        table = self.control(family, deadline)
        return ChangeLog(table, family, now=self.now, new_epoch=self.new_uid, retention=self.log_retention)


class RequestContext:
    """One request: made when it arrives, closed before its response leaves.

    `begins`: a subscription is being made, not answered; only then has it to be checked what it names.
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
    ) -> None:
        self.begins = begins
        self._events = events
        self._event_cursor: EventCursor | None = None
        self.identity = identity
        self.request_id = request_id
        self.deadline = deadline
        self._sources = sources
        self._repositories: dict[Family, Repository] = {}

    @property
    def is_charged(self) -> bool:
        """Whether the caller pays for what is asked: not for events, which are paid where they are made."""
        return self._events is None or self.begins

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
    def change_log(self) -> ChangeLog:
        """The change log of the caller's tenant."""
        return self._sources.change_log(self.repository.family, self.deadline)

    @cached_property
    def history(self) -> History:
        """The audit log of the caller's tenant."""
        family = self.repository.family
        return History(self._sources.control(family, self.deadline), family)

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

    @property
    def today(self) -> date:
        """The date in UTC by the request's clock."""
        return self._sources.now().date()

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

    def _repository(self, family: Family) -> Repository:
        if family not in self._repositories:
            sources = self._sources
            stamp = Stamp(self.caller, self.request_id, sources.now, sources.new_uid)
            table = Table(sources.database, family, self.deadline)
            self._repositories[family] = Repository(table, family, sources.cursors, stamp)
        return self._repositories[family]


Info = strawberry.Info[RequestContext, None]
