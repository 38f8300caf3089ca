"""Suspensions, role changes and revoked keys, as the stream tells of them: open sockets feel them at once."""

from graphql_api.auth.identity import Role
from graphql_api.auth.tokens import INVALID_TOKEN, Claims
from graphql_api.changes.change import Change
from graphql_api.deadline import Deadline
from graphql_api.errors import ApiError, ForbiddenError, UnauthenticatedError
from graphql_api.features.api_keys.api_key import ApiKey
from graphql_api.features.tenants import TenantRegistration
from graphql_api.features.users import User, UserStatus
from graphql_api.operations import Failure, describe
from graphql_api.operations.report import ErrorEntry
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
        if change.kind == ApiKey.kind:
            await self._follow_key(tenant, change)
            return
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
            present_ids = [own.id for owner in kept_out for own in owner.sockets]
            await self._dismiss(present_ids, change, ForbiddenError("Your access was suspended."))

    async def _follow_key(self, tenant: str, change: Change) -> None:
        """Close the sockets that were opened with a key that is revoked."""
        if change.entity is None or change.entity.deleted_at is None:
            return
        owner = await self._connections.sockets.census(tenant).of(change.entity.user_uid)
        error = UnauthenticatedError(INVALID_TOKEN)
        await self._dismiss([own.id for own in owner.sockets], change, error, key=change.uid)

    async def _is_in(self, tenant: str, subject: str) -> bool:
        try:
            await self._services.memberships.identify(Claims(subject, Role.VIEWER, tenant, 0))
        except ForbiddenError:
            return False
        return True

    async def _dismiss(
        self, connection_ids: list[str], change: Change, error: ApiError, key: str | None = None
    ) -> None:
        described = describe(Failure(error), change.id)
        for start in range(0, len(connection_ids), MAX_AT_ONCE):
            await together(
                self._dismiss_one(connection_id, described, key)
                for connection_id in connection_ids[start : start + MAX_AT_ONCE]
            )

    async def _dismiss_one(self, connection_id: str, error: ErrorEntry, key: str | None) -> None:
        socket = await self._connections.sockets.find(connection_id)
        if socket is not None and key in (None, socket.key):
            await self._connections.dismiss(socket, error)


def decides_access(change: Change) -> bool:
    """Whether a change is of somebody's standing: a tenant's registration, a user, or an API key."""
    return change.kind in (User.kind, TenantRegistration.kind, ApiKey.kind)


def is_in(standing: object) -> bool:
    """Whether the tenant or the person may still come in."""
    if isinstance(standing, TenantRegistration):
        return standing.is_open and standing.deleted_at is None
    return isinstance(standing, User) and standing.status is UserStatus.ACTIVE and standing.deleted_at is None
