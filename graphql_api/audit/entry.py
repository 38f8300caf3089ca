"""An audit event as it happens, and the entry that is kept of it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from graphql_api.store.keys import PLATFORM, Family, tenant_family


class AuditKind(StrEnum):
    """What happened."""

    ACCESS_DENIED = "ACCESS_DENIED"
    ADMINISTRATION = "ADMINISTRATION"
    EXPORT = "EXPORT"
    TOKEN_USED = "TOKEN_USED"  # noqa: S105 - a kind, not a secret
    TOKEN_REFUSED = "TOKEN_REFUSED"  # noqa: S105 - another one
    SOCKET_CONNECTED = "SOCKET_CONNECTED"
    SOCKET_CLOSED = "SOCKET_CLOSED"
    SOCKET_REFUSED = "SOCKET_REFUSED"


class AuditOutcome(StrEnum):
    """How it ended. BEGUN is an act whose end was not recorded: the process did not come to it."""

    BEGUN = "BEGUN"
    SUCCEEDED = "SUCCEEDED"
    REFUSED = "REFUSED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """What happened, of the tenant that a verified token named; None is the platform's own, and nobody's.

    `actor` is the token's subject; `field` a coordinate of the schema, such as `Mutation.suspendUser`; `code`
    that of the error. Nothing here is a value that a client sent.
    """

    kind: AuditKind
    outcome: AuditOutcome = AuditOutcome.SUCCEEDED
    tenant: str | None = None
    actor: str | None = None
    field: str | None = None
    code: str | None = None

    @property
    def family(self) -> Family:
        return PLATFORM if self.tenant is None else tenant_family(self.tenant)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """What is kept. `count`: how often the same happened in that process within a minute, to the last power
    of two. `address`: the network of the client. `operation`: the name that the client gave its operation.
    """

    id: str
    at: datetime
    kind: AuditKind
    outcome: AuditOutcome
    count: int = 1
    actor: str | None = None
    field: str | None = None
    code: str | None = None
    operation: str | None = None
    request_id: str | None = None
    address: str | None = None
