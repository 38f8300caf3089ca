"""What the mutations of webhooks take and answer."""

from typing import Annotated

import strawberry

from graphql_api.auth.identity import Role
from graphql_api.features.webhooks.webhook import Webhook
from graphql_api.results import Problem


@strawberry.input(description="A new webhook; it is sent what happens from now on.")
class CreateWebhookInput:
    url: str = strawberry.field(description="https, on port 443 or 8443 of a host of the internet.")
    query: str = strawberry.field(
        description="A subscription, as for a socket; its result for a change is the message's `data`."
    )
    operation_name: str | None = None
    variables: str | None = strawberry.field(default=None, description="A JSON object.")
    role: Role = strawberry.field(
        default=Role.VIEWER, description="What the subscription is executed with; not above your own."
    )
    description: str | None = None
    idempotency_key: str | None = None


@strawberry.input(description="Changes to a webhook; what is left out stays.")
class UpdateWebhookInput:
    id: strawberry.ID
    expected_version: int | None = None
    url: strawberry.Maybe[str | None]
    query: strawberry.Maybe[str | None]
    operation_name: strawberry.Maybe[str | None]
    variables: strawberry.Maybe[str | None]
    role: strawberry.Maybe[Role | None]
    description: strawberry.Maybe[str | None]
    idempotency_key: str | None = None


@strawberry.input(description="A webhook to take away.")
class DeleteWebhookInput:
    id: strawberry.ID
    expected_version: int | None = None
    idempotency_key: str | None = None


@strawberry.input(description="A webhook to give another secret; the present one signs for 24 hours more.")
class RotateWebhookSecretInput:
    id: strawberry.ID
    expected_version: int | None = None
    idempotency_key: str | None = None


@strawberry.input(description="A webhook to send nothing to until it is resumed.")
class PauseWebhookInput:
    id: strawberry.ID
    reason: str | None = None
    expected_version: int | None = None
    idempotency_key: str | None = None


@strawberry.input(description="A webhook to go on with: first comes what happened while it was paused.")
class ResumeWebhookInput:
    id: strawberry.ID
    expected_version: int | None = None
    idempotency_key: str | None = None


@strawberry.input(description="A webhook to send everything again that happened behind a cursor.")
class ReplayWebhookInput:
    id: strawberry.ID
    after: str = strawberry.field(description="A change's `cursor`, or a list's `eventCursor`.")
    expected_version: int | None = None
    idempotency_key: str | None = None


@strawberry.type
class CreateWebhookPayload:
    webhook: Webhook
    secret: str = strawberry.field(description="Keep it: only this mutation tells it.")


@strawberry.type
class UpdateWebhookPayload:
    webhook: Webhook


@strawberry.type
class DeleteWebhookPayload:
    webhook: Webhook = strawberry.field(description="As it was deleted.")


@strawberry.type
class RotateWebhookSecretPayload:
    webhook: Webhook
    secret: str = strawberry.field(description="Keep it: only this mutation tells it.")


@strawberry.type
class PauseWebhookPayload:
    webhook: Webhook


@strawberry.type
class ResumeWebhookPayload:
    webhook: Webhook


@strawberry.type
class ReplayWebhookPayload:
    webhook: Webhook


CreateWebhookResult = Annotated[CreateWebhookPayload | Problem, strawberry.union("CreateWebhookResult")]
UpdateWebhookResult = Annotated[UpdateWebhookPayload | Problem, strawberry.union("UpdateWebhookResult")]
DeleteWebhookResult = Annotated[DeleteWebhookPayload | Problem, strawberry.union("DeleteWebhookResult")]
RotateWebhookSecretResult = Annotated[
    RotateWebhookSecretPayload | Problem, strawberry.union("RotateWebhookSecretResult")
]
PauseWebhookResult = Annotated[PauseWebhookPayload | Problem, strawberry.union("PauseWebhookResult")]
ResumeWebhookResult = Annotated[ResumeWebhookPayload | Problem, strawberry.union("ResumeWebhookResult")]
ReplayWebhookResult = Annotated[ReplayWebhookPayload | Problem, strawberry.union("ReplayWebhookResult")]
