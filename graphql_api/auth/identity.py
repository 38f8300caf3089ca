"""The verified caller: a value that only a verified token can make."""

import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, tzinfo
from enum import StrEnum

import strawberry
from dateutil.zoneinfo import get_zonefile_instance

from graphql_api.auth.plan import Allowance

TENANT_SLUG = re.compile(r"\A[a-z0-9][a-z0-9-]{1,38}[a-z0-9]\Z")
SUBJECT = re.compile(r"\A[0-9A-Za-z_-]{1,64}\Z")


class Role(StrEnum):
    """VIEWER < MEMBER < MANAGER < ADMIN inside a tenant; PLATFORM is outside all tenants."""

    VIEWER = "VIEWER"
    MEMBER = "MEMBER"
    MANAGER = "MANAGER"
    ADMIN = "ADMIN"
    PLATFORM = "PLATFORM"

    def covers(self, required: "Role") -> bool:
        """Whether this role includes `required`; PLATFORM covers itself alone, never a tenant's data."""
        if Role.PLATFORM in (self, required):
            return self is required
        return _RANK[self] >= _RANK[required]


_RANK = {role: rank for rank, role in enumerate(Role)}
strawberry.enum(
    Role, description="VIEWER < MEMBER < MANAGER < ADMIN inside a tenant; PLATFORM is outside all."
)


def time_zone(name: str) -> tzinfo | None:
    """The zone of that IANA name, if there is one; from data in the package, as a system may have none."""
    return get_zonefile_instance().get(name)


@strawberry.type(description="How your tenant wants things done. A change takes effect within a minute.")
class TenantSettings:
    time_zone: str = strawberry.field(
        default="UTC", description="IANA name of the zone in whose days tasks are due and overdue."
    )
    default_due_days: int | None = strawberry.field(
        default=None, description="A new task without `dueOn` is due so many days after today."
    )
    invite_role: Role = strawberry.field(
        default=Role.ADMIN, description="The lowest role that may invite people: MANAGER or ADMIN."
    )
    email_domains: list[str] = strawberry.field(
        default_factory=list[str], description="People are invited under these domains alone; none means any."
    )
    project_role: Role = strawberry.field(
        default=Role.MANAGER, description="The lowest role that may start projects: MEMBER, MANAGER or ADMIN."
    )

    def local_date(self, now: datetime) -> date:
        """The date in the tenant's time zone; in UTC where the zone is no longer known."""
        return now.astimezone(time_zone(self.time_zone) or UTC).date()


@dataclass(frozen=True, slots=True)
class Identity:
    """A caller whose token was verified. `tenant` is None for PLATFORM alone.

    `role` is the lower of the token's role and the membership record's, so a token can narrow
    what a person may do and a demotion takes effect before the token expires. `allowance` is that of the
    tenant's plan; None where nothing is charged. `settings` are the tenant's.
    """

    subject: str
    role: Role
    tenant: str | None
    expires_at: int
    allowance: Allowance | None = None
    settings: TenantSettings = field(default_factory=TenantSettings, hash=False)
