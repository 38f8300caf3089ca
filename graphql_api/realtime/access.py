"""Suspensions and role changes, as the stream tells of them: they take effect on open sockets at once."""

from graphql_api.auth.identity import Role
from graphql_api.auth.tokens import Claims
from graphql_api.changes.change import Change
from graphql_api.deadline import Deadline
from graphql_api.errors import ForbiddenError
from graphql_api.features.tenants import TenantRegistration, TenantStatus
from graphql_api.features.users import User, UserStatus
from graphql_api.operations import Failure, describe
from graphql_api.realtime.connections import Connections
from graphql_api.realtime.services import RealtimeServices
from graphql_api.store.repository import together

MAX_AT_ONCE = 50


class Access:
    """Who may go on listening, for one invocation."""

    def __init__(self, services: RealtimeServices, deadline: Deadline) -> None:
        self._services = services
        self._connections = Connections(services, deadline)

    async def follow(self, tenant: str, change: Change) -> None:
        """Forget what was known of a tenant or a person; close the sockets of those that are kept out today.

        The change only says where to look: a record can come again long after it was true.
        """
        subject = change.uid if change.kind == User.kind else None
        self._services.memberships.forget(tenant, subject)
        if is_in(change.entity):
            return
        census = self._connections.sockets.census(tenant)
        owners = await census.everybody() if subject is None else [await census.of(subject)]
        present = [owner for owner in owners if owner.sockets]
        for start in range(0, len(present), MAX_AT_ONCE):
            chunk = present[start : start + MAX_AT_ONCE]
            are_in = await together(self._is_in(tenant, owner.subject) for owner in chunk)
            kept_out = [owner for owner, is_still in zip(chunk, are_in, strict=True) if not is_still]
            await self._dismiss([own.id for owner in kept_out for own in owner.sockets], change)

    async def _is_in(self, tenant: str, subject: str) -> bool:
        try:
            await self._services.memberships.identify(Claims(subject, Role.VIEWER, tenant, 0))
        except ForbiddenError:
            return False
        return True

    async def _dismiss(self, connection_ids: list[str], change: Change) -> None:
        error = ForbiddenError("Your access was suspended.")
        described = describe(Failure(error), change.id)
        for start in range(0, len(connection_ids), MAX_AT_ONCE):
            await together(
                self._dismiss_one(connection_id, described)
                for connection_id in connection_ids[start : start + MAX_AT_ONCE]
            )

    async def _dismiss_one(self, connection_id: str, error: dict[str, object]) -> None:
        socket = await self._connections.sockets.find(connection_id)
        if socket is not None:
            await self._connections.dismiss(socket, error)


def decides_access(change: Change) -> bool:
    """Whether a change is of somebody's standing: a tenant's registration, or a user."""
    return change.kind in (User.kind, TenantRegistration.kind)


def is_in(standing: object) -> bool:
    """Whether the tenant or the person may still come in."""
    if isinstance(standing, TenantRegistration):
        return standing.status is TenantStatus.ACTIVE and standing.deleted_at is None
    return isinstance(standing, User) and standing.status is UserStatus.ACTIVE and standing.deleted_at is None
