"""The verified caller: a value that only a verified token can make."""

import re
from dataclasses import dataclass
from enum import StrEnum

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


@dataclass(frozen=True, slots=True)
class Identity:
    """A caller whose token was verified. `tenant` is None for PLATFORM alone.

    `role` is the lower of the token's role and the membership record's, so a token can narrow
    what a person may do and a demotion takes effect before the token expires. `allowance` is that of the
    tenant's plan; None where nothing is charged.
    """

    subject: str
    role: Role
    tenant: str | None
    expires_at: int
    allowance: Allowance | None = None
