"""Webhooks: an endpoint of a tenant is sent what its subscription says to each change."""

import strawberry
from strawberry.permission import BasePermission

from graphql_api.audit.acts import audited
from graphql_api.audit.entry import AuditKind
from graphql_api.auth.identity import Role
from graphql_api.auth.permissions import at_least
from graphql_api.context import Info
from graphql_api.feature import Feature
from graphql_api.features.webhooks import change
from graphql_api.features.webhooks.inputs import (
    CreateWebhookInput,
    CreateWebhookPayload,
    CreateWebhookResult,
    DeleteWebhookInput,
    DeleteWebhookPayload,
    DeleteWebhookResult,
    PauseWebhookInput,
    PauseWebhookPayload,
    PauseWebhookResult,
    ReplayWebhookInput,
    ReplayWebhookPayload,
    ReplayWebhookResult,
    ResumeWebhookInput,
    ResumeWebhookPayload,
    ResumeWebhookResult,
    RotateWebhookSecretInput,
    RotateWebhookSecretPayload,
    RotateWebhookSecretResult,
    UpdateWebhookInput,
    UpdateWebhookPayload,
    UpdateWebhookResult,
)
from graphql_api.features.webhooks.webhook import WEBHOOKS, Webhook
from graphql_api.metering.field_rates import FieldRate, Per
from graphql_api.relay import READS_A_LIST, Connection, connection, page_size

_ADMIN: list[type[BasePermission]] = [at_least(Role.ADMIN)]
_COSTLY = {"rates": [FieldRate(Per.USER, burst=60, per_minute=20)]}


@strawberry.type
class WebhookQuery:
    @strawberry.field(
        description="The tenant's webhooks, in the order in which they were made.",
        permission_classes=_ADMIN,
        metadata=READS_A_LIST,
    )
    async def webhooks(
        self, info: Info, first: int | None = 20, after: str | None = None
    ) -> Connection[Webhook]:
        page = await info.context.repository.page(Webhook, WEBHOOKS, page_size(first), after)
        return connection(page, after)


@strawberry.type
class WebhookMutation:
    @strawberry.mutation(
        description="Have what happens sent to an address of yours. Its secret is told here alone.",
        permission_classes=_ADMIN,
        metadata=_COSTLY,
        extensions=[audited(AuditKind.ADMINISTRATION)],
    )
    async def create_webhook(self, info: Info, input: CreateWebhookInput) -> CreateWebhookResult | None:
        webhook = await change.webhook_after(info, input, change.create, adds=1)
        return CreateWebhookPayload(webhook=webhook, secret=await change.secret_of(info, webhook))

    @strawberry.mutation(
        description="Change where a webhook is sent to, or what.",
        permission_classes=_ADMIN,
        extensions=[audited(AuditKind.ADMINISTRATION)],
    )
    async def update_webhook(self, info: Info, input: UpdateWebhookInput) -> UpdateWebhookResult | None:
        return UpdateWebhookPayload(webhook=await change.webhook_after(info, input, change.update))

    @strawberry.mutation(
        description="Take a webhook away; its secret is forgotten.",
        permission_classes=_ADMIN,
        extensions=[audited(AuditKind.ADMINISTRATION)],
    )
    async def delete_webhook(self, info: Info, input: DeleteWebhookInput) -> DeleteWebhookResult | None:
        return DeleteWebhookPayload(webhook=await change.webhook_after(info, input, change.delete, adds=-1))

    @strawberry.mutation(
        description="Give a webhook another secret. For 24 hours messages are signed with both.",
        permission_classes=_ADMIN,
        metadata=_COSTLY,
        extensions=[audited(AuditKind.ADMINISTRATION)],
    )
    async def rotate_webhook_secret(
        self, info: Info, input: RotateWebhookSecretInput
    ) -> RotateWebhookSecretResult | None:
        webhook = await change.webhook_after(info, input, change.rotate)
        return RotateWebhookSecretPayload(webhook=webhook, secret=await change.secret_of(info, webhook))

    @strawberry.mutation(
        description="Send nothing until it is resumed.",
        permission_classes=_ADMIN,
        extensions=[audited(AuditKind.ADMINISTRATION)],
    )
    async def pause_webhook(self, info: Info, input: PauseWebhookInput) -> PauseWebhookResult | None:
        return PauseWebhookPayload(webhook=await change.webhook_after(info, input, change.pause))

    @strawberry.mutation(
        description="Go on where it was paused; nothing that happened meanwhile is left out.",
        permission_classes=_ADMIN,
        extensions=[audited(AuditKind.ADMINISTRATION)],
    )
    async def resume_webhook(self, info: Info, input: ResumeWebhookInput) -> ResumeWebhookResult | None:
        return ResumeWebhookPayload(webhook=await change.webhook_after(info, input, change.resume))

    @strawberry.mutation(
        description="Go back, or ahead, to a place in the change log, and send what is behind it.",
        permission_classes=_ADMIN,
        metadata=_COSTLY,
        extensions=[audited(AuditKind.ADMINISTRATION)],
    )
    async def replay_webhook(self, info: Info, input: ReplayWebhookInput) -> ReplayWebhookResult | None:
        return ReplayWebhookPayload(webhook=await change.webhook_after(info, input, change.replay))


FEATURE = Feature(nodes=(Webhook,), query=WebhookQuery, mutation=WebhookMutation)
