"""How a tenant changes its settings: each within its bounds, null putting it back to its default."""

import dataclasses
from collections.abc import Callable
from typing import TypeVar

import strawberry

from graphql_api import inputs
from graphql_api.auth.identity import Role, TenantSettings, time_zone
from graphql_api.errors import InvalidInputError

T = TypeVar("T")
D = TypeVar("D")
MAX_DUE_DAYS, MAX_DOMAINS = 3650, 20
_DEFAULTS = TenantSettings()


@strawberry.input(
    description="Changes to the settings. What is left out stays; null puts a setting back to its default."
)
class TenantSettingsInput:
    time_zone: strawberry.Maybe[str | None]
    default_due_days: strawberry.Maybe[int | None]
    invite_role: strawberry.Maybe[Role | None]
    email_domains: strawberry.Maybe[list[str] | None]
    project_role: strawberry.Maybe[Role | None]


def changed_settings(now: TenantSettings, given: TenantSettingsInput) -> TenantSettings:
    """The settings after the change. Raises InvalidInputError."""
    changes = inputs.patch(
        time_zone=(given.time_zone, _or(_DEFAULTS.time_zone, _time_zone)),
        default_due_days=(given.default_due_days, _or(_DEFAULTS.default_due_days, _due_days)),
        invite_role=(given.invite_role, _or(_DEFAULTS.invite_role, _role("inviteRole", Role.MANAGER))),
        email_domains=(given.email_domains, _or(_DEFAULTS.email_domains, _domains)),
        project_role=(given.project_role, _or(_DEFAULTS.project_role, _role("projectRole", Role.MEMBER))),
    )
    return dataclasses.replace(now, **changes)


def _or(default: D, clean: Callable[[T], D]) -> Callable[[T | None], D]:
    return lambda value: default if value is None else clean(value)


def _time_zone(name: str) -> str:
    if time_zone(name) is None:
        raise InvalidInputError("timeZone is an IANA name, such as Europe/Paris.", "settings.timeZone")
    return name


def _due_days(days: int) -> int | None:
    if not 0 <= days <= MAX_DUE_DAYS:
        raise InvalidInputError(f"defaultDueDays is from 0 to {MAX_DUE_DAYS}.", "settings.defaultDueDays")
    return days


def _role(name: str, lowest: Role) -> Callable[[Role], Role]:
    def clean(role: Role) -> Role:
        if role is Role.PLATFORM or not role.covers(lowest):
            raise InvalidInputError(f"{name} is from {lowest} to {Role.ADMIN}.", f"settings.{name}")
        return role

    return clean


def _domains(given: list[str]) -> list[str]:
    if len(given) > MAX_DOMAINS:
        raise InvalidInputError(f"emailDomains are at most {MAX_DOMAINS}.", "settings.emailDomains")
    return sorted({inputs.domain(each, "settings.emailDomains") for each in given})
