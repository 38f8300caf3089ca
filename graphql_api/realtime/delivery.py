"""An event and what somebody asked of it in, the bytes that they are sent out."""

import logging
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import cast

from graphql import OperationType

from graphql_api.auth.identity import Identity, Role, TenantSettings
from graphql_api.auth.plan import Allowance
from graphql_api.changes.cursor import EventCursor
from graphql_api.changes.event import Event, EventSource
from graphql_api.changes.log import LogEntry
from graphql_api.context import RequestContext
from graphql_api.deadline import Deadline
from graphql_api.errors import ErrorCode, PayloadTooLargeError
from graphql_api.metering.figures import OTHER
from graphql_api.operations import Failure, OperationRequest, OperationResult, Operations, describe
from graphql_api.operations.encoding import encode, encode_within
from graphql_api.operations.report import code_of
from graphql_api.realtime.gateway import MAX_FRAME_BYTES, MAX_PAYLOAD_BYTES
from graphql_api.relay import global_id
from graphql_api.sources import Sources
from graphql_api.store.entity import Topic, entity_class
from graphql_api.store.keys import Family, tenant_family
from graphql_api.store.table import StoreBusyError

_ALLOWED = frozenset({OperationType.SUBSCRIPTION})

_log = logging.getLogger(__name__)


class Audience:
    """Those of a group who see the same: an identity whose person is anybody of them.

    Who asks which person it is makes the result that person's own: it `is_personal`, and goes to nobody else.
    """

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self.is_personal = False

    @property
    def subject(self) -> str:
        self.is_personal = True
        return self._identity.subject

    @property
    def role(self) -> Role:
        return self._identity.role

    @property
    def tenant(self) -> str | None:
        return self._identity.tenant

    @property
    def expires_at(self) -> int:
        return self._identity.expires_at

    @property
    def allowance(self) -> Allowance | None:
        return self._identity.allowance

    @property
    def settings(self) -> TenantSettings:
        return self._identity.settings


@dataclass(frozen=True, slots=True)
class Answer:
    """What a subscription says to one event: `payload` is None if nothing.

    `refusal` holds the errors of one that may not go on; `is_personal` means it is one person's alone.
    `name` is what its operation is accounted as.
    """

    payload: bytes | None = None
    refusal: OperationResult | None = None
    is_personal: bool = False
    name: str = OTHER


class Delivery:
    """Executes operations for events of one tenant; what they read besides is read once for all of them."""

    def __init__(self, sources: Sources, operations: Operations, tenant: str, deadline: Deadline) -> None:
        self._sources = sources
        self._operations = operations
        self._family: Family = tenant_family(tenant)
        self._deadline = deadline
        self._first: RequestContext | None = None

    async def answer(
        self, entry: LogEntry, topic: Topic, request: OperationRequest, identity: Identity
    ) -> Answer:
        """What that operation answers to the change, for somebody with that identity's role.

        Raises StoreBusyError where something could not be read in time: half an event is none.
        """
        cursor = EventCursor(entry.epoch, entry.sequence).seal(self._sources.seals, self._family)
        event = Event(
            sequence=entry.sequence,
            cursor=cursor,
            action=entry.change.topics[topic],
            change=entry.change,
            logged_at=entry.logged_at,
        )
        if not _is_readable(event):
            return Answer(_stub(event))
        audience = Audience(identity)
        context = self._context(cast("Identity", audience), entry.change.id, _only(event, topic))
        result = await self._operations.execute(request, context, allowed=_ALLOWED)
        if any(code_of(error) is ErrorCode.DEADLINE_EXCEEDED for error in result.errors):
            raise StoreBusyError
        if result.request_error and result.errors:
            return Answer(refusal=result, is_personal=audience.is_personal)
        if result.request_error:
            return Answer(is_personal=audience.is_personal)
        payload = encode_within(result.payload(), MAX_PAYLOAD_BYTES)
        return Answer(payload or _stub(event), is_personal=audience.is_personal, name=result.name)

    async def close(self) -> None:
        """End what still reads."""
        if self._first is not None:
            await self._first.close()

    def _context(self, identity: Identity, request_id: str, events: EventSource) -> RequestContext:
        context = RequestContext(self._sources, identity, request_id, self._deadline, events)
        if self._first is None:
            self._first = context
        else:
            context.share_reads_of(self._first)
        return context


def _only(event: Event, topic: Topic) -> EventSource:
    """A source with one event in one topic."""

    async def source(wanted: Topic, _: str | None) -> AsyncGenerator[Event]:
        if wanted == topic:
            yield event

    return source


def _is_readable(event: Event) -> bool:
    """Whether the log holds the thing, and in a form that today's code knows: one that does not must not keep
    all that follows from being sent.
    """
    try:
        return event.change.entity is not None
    except (LookupError, TypeError, ValueError):
        _log.exception("An entry of the change log cannot be read.", extra={"sequence": event.sequence})
        return False


def _stub(event: Event) -> bytes:
    """In place of an event that cannot be sent: enough to read the thing itself, and to resume behind it."""
    change = event.change
    error = PayloadTooLargeError(
        "The event cannot be sent whole; read what changed by its id.",
        truncated=True,
        cursor=event.cursor,
        sequence=event.sequence,
        changeId=change.id,
        action=event.action,
        entityId=global_id(entity_class(change.kind), change.uid),
        version=change.version,
        limit=MAX_FRAME_BYTES,
    )
    return encode({"errors": [describe(Failure(error), change.id)], "data": None})
