"""The mark of fields whose use is recorded before it happens: `extensions=[audited(AuditKind.…)]`."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from strawberry.extensions import FieldExtension

from graphql_api.audit.entry import AuditEvent, AuditKind, AuditOutcome
from graphql_api.audit.recording import audited_request
from graphql_api.errors import ApiError, InternalError


class AuditedField(FieldExtension):
    """Records each use by whoever may use the field: as BEGUN before it does anything, then how it ended.

    Permissions are checked before it; who is refused by them leaves an ACCESS_DENIED in its place.
    """

    def __init__(self, kind: AuditKind) -> None:
        self.kind = kind

    async def resolve_async(
        self, next_: Callable[..., Awaitable[Any]], source: Any, info: Any, **kwargs: Any
    ) -> Any:
        request = audited_request()
        if request is None:
            return await next_(source, info, **kwargs)
        caller = info.context.identity
        event = AuditEvent(
            kind=self.kind,
            outcome=AuditOutcome.BEGUN,
            tenant=caller.tenant if caller else None,
            actor=caller.subject if caller else None,
            field=coordinate(info),
        )
        entry = await request.begin(event, info.context.deadline)
        ended = replace(event, outcome=AuditOutcome.FAILED)
        try:
            answer = await next_(source, info, **kwargs)
            ended = replace(event, outcome=AuditOutcome.SUCCEEDED)
        except ApiError as error:
            if not isinstance(error, InternalError):
                ended = replace(event, outcome=AuditOutcome.REFUSED, code=error.code.value)
            raise
        finally:
            await request.end(ended, entry)
        return answer


def audited(kind: AuditKind) -> AuditedField:
    """The extension that marks a field."""
    return AuditedField(kind)


def coordinate(info: Any) -> str:
    """The field that is being resolved, as the schema names it."""
    return f"{info.path.typename}.{info.field_name}"
