"""How webhooks are made, changed and taken away; that they are is told to their deliverers by the stream."""

import dataclasses
import json
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar, cast

from graphql_api import inputs
from graphql_api.auth.identity import Role
from graphql_api.context import Info, RequestContext
from graphql_api.errors import ForbiddenError, InvalidInputError
from graphql_api.feature import MutationInput, once
from graphql_api.features.webhooks.inputs import (
    CreateWebhookInput,
    DeleteWebhookInput,
    PauseWebhookInput,
    ReplayWebhookInput,
    ResumeWebhookInput,
    RotateWebhookSecretInput,
    UpdateWebhookInput,
)
from graphql_api.features.webhooks.webhook import ROTATION, Webhook, WebhookSecret, WebhookStatus
from graphql_api.outbound.outbound import RefusedUrlError
from graphql_api.outbound.signature import new_secret
from graphql_api.relay import uid_of
from graphql_api.sources import SubscriptionText
from graphql_api.store.idempotency import Mark
from graphql_api.store.repository import Repository, StaleError

MAX_QUERY = 16_000  # characters
MAX_VARIABLES = 8_000
_DESCRIBES = ("query", "operation_name", "variables", "role")

P = TypeVar("P", bound=MutationInput)
Effect = Callable[[RequestContext, Repository, P, Mark], Awaitable[Webhook]]


async def webhook_after(info: Info, payload: P, effect: Effect[P], *, adds: int = 0) -> Webhook:
    """The webhook that a mutation leaves; `adds` as in `once`."""
    context = info.context
    return await once(context.repository, info, payload, Webhook, partial(_in, context, effect), adds=adds)


async def _in(
    context: RequestContext, effect: Effect[P], repository: Repository, payload: P, mark: Mark
) -> Webhook:
    return await effect(context, repository, payload, mark)


async def secret_of(info: Info, webhook: Webhook) -> str:
    """The secret that its mutation tells."""
    return (await info.context.repository.fresh().get(WebhookSecret, webhook.uid)).current


async def create(
    context: RequestContext, repository: Repository, payload: CreateWebhookInput, mark: Mark
) -> Webhook:
    described = {
        "query": _query(payload.query),
        "operation_name": _operation_name(payload.operation_name),
        "variables": _variables(payload.variables),
        "role": _role(context, payload.role),
    }
    webhook = repository.new(
        Webhook,
        url=_url(context, payload.url),
        description=inputs.optional_text(payload.description, "description", most=inputs.MAX_LINE),
        secret_changed_at=repository.stamp.now(),
        topic=await _topic(context, described),
        begins_at=(await context.change_log.head()).sequence,
        **described,
    )
    secret = repository.new(WebhookSecret, uid=webhook.uid, current=new_secret())
    await repository.commit(repository.put(webhook), repository.put(secret), leaves=[webhook], mark=mark)
    return webhook


async def update(
    context: RequestContext, repository: Repository, payload: UpdateWebhookInput, mark: Mark
) -> Webhook:
    changes = inputs.patch(
        url=(payload.url, lambda given: _url(context, inputs.present(given, "url"))),
        query=(payload.query, lambda given: _query(inputs.present(given, "query"))),
        operation_name=(payload.operation_name, _operation_name),
        variables=(payload.variables, _variables),
        role=(payload.role, lambda given: _role(context, inputs.present(given, "role"))),
        description=(
            payload.description,
            lambda given: inputs.optional_text(given, "description", most=inputs.MAX_LINE),
        ),
    )
    webhook = await repository.fresh().get(Webhook, uid_of(Webhook, payload.id))
    expected = payload.expected_version
    if changes.keys() & set(_DESCRIBES):
        described = {name: changes.get(name, getattr(webhook, name)) for name in _DESCRIBES}
        changes["topic"] = await _topic(context, described)
        # What was tried out is what is stored, with nobody's change to another part of it between.
        expected = expected or webhook.version
    return await repository.update(
        webhook, lambda now: dataclasses.replace(now, **changes), expected_version=expected, mark=mark
    )


async def delete(
    _: RequestContext, repository: Repository, payload: DeleteWebhookInput, mark: Mark
) -> Webhook:
    webhook = await _expected(repository, payload.id, payload.expected_version)
    secret = await repository.fresh().get(WebhookSecret, webhook.uid)
    now = repository.stamp.now()
    deleted = repository.stamped(webhook, deleted_at=now)
    forgotten = repository.stamped(secret, deleted_at=now, current="", former=None, former_until=None)
    writes = [repository.change(webhook, deleted), repository.change(secret, forgotten)]
    await repository.commit(*writes, leaves=[deleted], mark=mark)
    return deleted


async def rotate(
    _: RequestContext, repository: Repository, payload: RotateWebhookSecretInput, mark: Mark
) -> Webhook:
    webhook = await _expected(repository, payload.id, payload.expected_version)
    secret = await repository.fresh().get(WebhookSecret, webhook.uid)
    now = repository.stamp.now()
    renewed = repository.stamped(
        secret, current=new_secret(), former=secret.current, former_until=now + ROTATION
    )
    rotated = repository.stamped(webhook, secret_changed_at=now)
    writes = [repository.change(webhook, rotated), repository.change(secret, renewed)]
    await repository.commit(*writes, leaves=[rotated], mark=mark)
    return rotated


async def pause(_: RequestContext, repository: Repository, payload: PauseWebhookInput, mark: Mark) -> Webhook:
    reason = (
        inputs.optional_text(payload.reason, "reason", most=inputs.MAX_LINE) or "An administrator paused it."
    )
    return await repository.update(
        await repository.fresh().get(Webhook, uid_of(Webhook, payload.id)),
        lambda now: dataclasses.replace(now, status=WebhookStatus.PAUSED, paused_reason=reason),
        expected_version=payload.expected_version,
        mark=mark,
    )


async def resume(
    _: RequestContext, repository: Repository, payload: ResumeWebhookInput, mark: Mark
) -> Webhook:
    def resumed(now: Webhook) -> Webhook:
        return dataclasses.replace(
            now, status=WebhookStatus.ENABLED, paused_reason=None, resumptions=now.resumptions + 1
        )

    return await repository.update(
        await repository.fresh().get(Webhook, uid_of(Webhook, payload.id)),
        resumed,
        expected_version=payload.expected_version,
        mark=mark,
    )


async def replay(
    context: RequestContext, repository: Repository, payload: ReplayWebhookInput, mark: Mark
) -> Webhook:
    webhook = await repository.fresh().get(Webhook, uid_of(Webhook, payload.id))
    cursor = context.opened(payload.after)
    (await context.change_log.head()).require(cursor)
    return await repository.update(
        webhook,
        lambda now: dataclasses.replace(now, begins_at=cursor.sequence, replays=now.replays + 1),
        expected_version=payload.expected_version,
        mark=mark,
    )


async def _expected(repository: Repository, id: str, version: int | None) -> Webhook:
    webhook = await repository.fresh().get(Webhook, uid_of(Webhook, id))
    if version not in (None, webhook.version):
        raise StaleError(webhook)
    return webhook


async def _topic(context: RequestContext, described: dict[str, Any]) -> list[str]:
    variables = json.loads(described["variables"] or "{}")
    text = SubscriptionText(described["query"], described["operation_name"], variables, described["role"])
    return list(await context.topic_of(text))


def _url(context: RequestContext, given: str) -> str:
    try:
        return context.outbound.require(given)
    except RefusedUrlError as refused:
        raise InvalidInputError(f"url {refused}.", "url") from None


def _query(given: str) -> str:
    return inputs.prose(given, "query", most=MAX_QUERY)


def _operation_name(given: str | None) -> str | None:
    return inputs.optional_text(given, "operationName", most=inputs.MAX_LINE)


def _variables(given: str | None) -> str | None:
    text = inputs.optional_text(given, "variables", most=MAX_VARIABLES)
    if text is None:
        return None
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, dict):
        raise InvalidInputError("variables must be a JSON object.", "variables")
    return json.dumps(cast("dict[str, Any]", parsed), separators=(",", ":"), ensure_ascii=False)


def _role(context: RequestContext, given: Role) -> Role:
    if not context.caller.role.covers(given):
        raise ForbiddenError("A webhook's role is at most your own.")
    return given
