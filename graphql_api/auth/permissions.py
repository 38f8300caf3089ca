"""Which role a field asks for, stated where it is declared; and what depends on tenant or plan besides."""

from functools import cache
from typing import Any, NoReturn

from strawberry.permission import BasePermission

from graphql_api.auth.identity import Identity, Role
from graphql_api.auth.plan import PlanFeature
from graphql_api.errors import ForbiddenError, QuotaExceededError, UnauthenticatedError


class RolePermission(BasePermission):
    """Lets callers of a role or above pass: nobody known is UNAUTHENTICATED, a lower role FORBIDDEN."""

    required: Role
    admits_platform: bool = False

    def has_permission(self, source: Any, info: Any, **kwargs: Any) -> bool:
        identity: Identity | None = info.context.identity
        if identity is None:
            raise UnauthenticatedError
        if identity.role is Role.PLATFORM and self.admits_platform:
            return True
        if not identity.role.covers(self.required):
            info.context.denied(f"{info.path.typename}.{info.field_name}")
            if identity.role is Role.PLATFORM:
                raise ForbiddenError("The platform's operators have no access to tenants' data.")
            self.on_unauthorized()
        return True

    def on_unauthorized(self) -> NoReturn:
        raise ForbiddenError(f"This needs the role {self.required}.")


class NobodyKnown(RolePermission):
    """Lets only those pass whom no token names: who has a tenant acts in that one alone."""

    def has_permission(self, source: Any, info: Any, **kwargs: Any) -> bool:
        if info.context.identity is not None:
            raise ForbiddenError("You are signed in; this is done without a token.")
        return True


@cache
def at_least(role: Role, *, or_platform: bool = False) -> type[RolePermission]:
    """The permission class of a field, for `permission_classes`. PLATFORM covers itself alone, unless the
    field is for the platform's operators too.
    """
    attributes = {"required": role, "admits_platform": or_platform}
    return type(f"AtLeast{role.title()}", (RolePermission,), attributes)


def require_role(caller: Identity, role: Role) -> None:
    """For a role that the tenant decides. Raises ForbiddenError for a lower one."""
    if not caller.role.covers(role):
        raise ForbiddenError(f"This needs the role {role}.")


def require_feature(caller: Identity, feature: PlanFeature) -> None:
    """Raises QuotaExceededError unless the plan of the caller's tenant has the feature."""
    if caller.allowance is None or feature not in caller.allowance.features:
        raise QuotaExceededError(f"Your plan does not have {feature}.", feature=feature)
