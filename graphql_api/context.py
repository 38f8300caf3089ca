"""What a resolver may reach: the caller and the caller's data, for one request."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property

import strawberry

from graphql_api.auth.identity import Identity, Role
from graphql_api.deadline import Deadline
from graphql_api.errors import ForbiddenError, UnauthenticatedError
from graphql_api.store.client import Database
from graphql_api.store.cursor import CursorCodec
from graphql_api.store.keys import PLATFORM, Family, tenant_family
from graphql_api.store.repository import Repository, Stamp
from graphql_api.store.table import Table


@dataclass(frozen=True, slots=True)
class Sources:
    """What every request of a process draws from. Holds nothing of any tenant."""

    database: Database
    cursors: CursorCodec
    now: Callable[[], datetime]
    new_uid: Callable[[], str]


class RequestContext:
    """One request: made when it arrives, closed before its response leaves."""

    def __init__(
        self, sources: Sources, identity: Identity | None, request_id: str, deadline: Deadline
    ) -> None:
        self.identity = identity
        self.request_id = request_id
        self.deadline = deadline
        self._sources = sources
        self._repositories: dict[Family, Repository] = {}

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

    def founding(self, slug: str) -> Repository:
        """The still empty data of a tenant that a platform operator is onboarding."""
        self._require_platform()
        return self._repository(tenant_family(slug))

    @property
    def today(self) -> date:
        """The date in UTC by the request's clock."""
        return self._sources.now().date()

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
