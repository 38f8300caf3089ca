"""A socket and the subscriptions it holds, as they are stored.

TooManyError             RATE_LIMITED   a cap is reached: of sockets or of subscriptions
AlreadySignedInError     another `connection_init` came first
DuplicateIdError         the socket holds an operation of that id
EndedBeforeError         the client ended the operation, or the socket is gone, before it was registered
MovedError               another invocation changed the same item first
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from graphql_api.audit.entry import AuditEvent, AuditKind, AuditOutcome
from graphql_api.audit.recording import note
from graphql_api.auth.identity import Role
from graphql_api.auth.membership import StrangerError
from graphql_api.auth.tokens import Claims
from graphql_api.errors import ApiError, ErrorCode, ForbiddenError, RateLimitedError, UnauthenticatedError
from graphql_api.store.codec import Item
from graphql_api.store.schema import EXPIRY
from graphql_api.store.writes import Condition

# API Gateway closes a socket after two hours; its items may outlive it a little, never the other way round.
LIFETIME = timedelta(hours=2, minutes=10)


class SocketState(StrEnum):
    """OPEN until `connection_init`; a REJECTED socket is told why at each `subscribe`; what an ENDED one held
    is being taken away, whatever its client still says.
    """

    OPEN = "OPEN"
    READY = "READY"
    REJECTED = "REJECTED"
    ENDED = "ENDED"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a socket was not signed in; each of its operations is told."""

    code: ErrorCode
    message: str

    def as_error(self) -> ApiError:
        """The error to tell."""
        return _REFUSALS[self.code](self.message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Socket:
    """What is known of a connection. Without `role` nobody signed in; `tenant` is None for PLATFORM as well.

    `token_expires_at`: epoch seconds. `key`: the uid of the API key that stood in place of a token.
    """

    connection_id: str
    opened_at: datetime
    state: SocketState = SocketState.OPEN
    subject: str | None = None
    tenant: str | None = None
    role: Role | None = None
    token_expires_at: int | None = None
    key: str | None = None
    refusal: Refusal | None = None

    @property
    def claims(self) -> Claims | None:
        """What the token said that opened it, None if there was none."""
        if self.subject is None or self.role is None or self.token_expires_at is None:
            return None
        return Claims(self.subject, self.role, self.tenant, self.token_expires_at, self.key)

    def signed_in(self, state: SocketState, claims: Claims | None) -> "Socket":
        """The same socket in that state, of whom the claims name."""
        if claims is None:
            return replace(self, state=state)
        return replace(
            self,
            state=state,
            subject=claims.subject,
            tenant=claims.tenant,
            role=claims.role,
            token_expires_at=claims.expires_at,
            key=claims.key,
        )

    @property
    def expires_at(self) -> datetime:
        """When it is gone for sure."""
        return self.opened_at + LIFETIME


@dataclass(frozen=True, slots=True)
class Held:
    """A subscription of a socket: its id there, its topic and its group."""

    id: str
    topic: list[str]
    group: str


@dataclass(frozen=True, slots=True)
class Completed:
    """An operation that its client ended before it was known; `until` in epoch seconds."""

    id: str
    until: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """The subscriptions a socket holds; `revision` guards each change of them."""

    revision: int = 0
    held: list[Held] = field(default_factory=list[Held])
    completed: list[Completed] = field(default_factory=list[Completed])


class TooManyError(RateLimitedError):
    """A cap is reached: of sockets or of subscriptions."""


_REFUSALS: Mapping[ErrorCode, type[ApiError]] = {
    error.code: error for error in (UnauthenticatedError, ForbiddenError, TooManyError)
}


class AlreadySignedInError(Exception):
    """The socket is signed in already, or just being so."""


class DuplicateIdError(Exception):
    """The socket holds an operation of that id."""


class EndedBeforeError(Exception):
    """The client ended the operation, or the socket is gone, before it was registered."""


class MovedError(Exception):
    """Another invocation changed the same item first."""


def note_socket(socket: Socket, kind: AuditKind, error: ApiError | None = None) -> None:
    """Tell the audit log of a socket, unless nobody came and went."""
    if socket.subject is None and error is None:
        return
    note(
        AuditEvent(
            kind=kind,
            outcome=AuditOutcome.SUCCEEDED if error is None else AuditOutcome.REFUSED,
            tenant=None if isinstance(error, StrangerError) else socket.tenant,
            actor=socket.subject,
            code=error.code.value if error else None,
        )
    )


def revision(number: int) -> Condition:
    """That an item is as it was read."""
    return Condition("#revision = :revision", {"#revision": "revision"}, {":revision": {"N": str(number)}})


def moved(_: Item | None) -> Exception:
    """What the failure of that condition means."""
    return MovedError()


def expiry(at: datetime) -> Item:
    """The attribute by which TTL removes an item."""
    return {EXPIRY: {"N": str(int(at.timestamp()))}}
