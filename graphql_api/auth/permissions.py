"""Which role a field asks for, stated where the field is declared."""

from functools import cache
from typing import Any, NoReturn

from strawberry.permission import BasePermission

from graphql_api.auth.identity import Identity, Role
from graphql_api.errors import ForbiddenError, UnauthenticatedError


class RolePermission(BasePermission):
    """Lets callers of a role or above pass: nobody known is UNAUTHENTICATED, a lower role FORBIDDEN."""

    required: Role

    def has_permission(self, source: Any, info: Any, **kwargs: Any) -> bool:
        identity: Identity | None = info.context.identity
        if identity is None:
            raise UnauthenticatedError
        if identity.role is Role.PLATFORM and self.required is not Role.PLATFORM:
            raise ForbiddenError("The platform's operators have no access to tenants' data.")
        if not identity.role.covers(self.required):
            self.on_unauthorized()
        return True

    def on_unauthorized(self) -> NoReturn:
        raise ForbiddenError(f"This needs the role {self.required}.")


@cache
def at_least(role: Role) -> type[RolePermission]:
    """The permission class of a field, for `permission_classes`. PLATFORM covers itself alone."""
    return type(f"AtLeast{role.title()}", (RolePermission,), {"required": role})
