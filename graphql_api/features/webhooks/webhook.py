"""A webhook endpoint: where changes are sent to, which, in what shape, and how it stands."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar

import strawberry
from strawberry.permission import BasePermission

from graphql_api.auth.identity import Role
from graphql_api.auth.permissions import at_least
from graphql_api.context import Info
from graphql_api.features.users import User
from graphql_api.features.webhooks.deliveries import DeliveryLog, WebhookDelivery
from graphql_api.relay import READS_A_LIST, Connection, Node, connection, page_size
from graphql_api.store.entity import Entity, Placement
from graphql_api.store.page import ListRange
from graphql_api.store.schema import Index

WEBHOOKS = ListRange(Index.LISTING, (("WEBHOOKS",),))
# A secret that was replaced signs for so long beside the new one.
ROTATION = timedelta(hours=24)
_ADMIN: list[type[BasePermission]] = [at_least(Role.ADMIN)]


@strawberry.enum(description="Whether a webhook is sent what happens.")
class WebhookStatus(StrEnum):
    ENABLED = "ENABLED"
    PAUSED = "PAUSED"


@strawberry.type(description="An address that is sent what happens in the tenant, signed and in order.")
class Webhook(Node, Entity):
    """`topic` is what its subscription listens to; `role` is what it is executed with, at most, on behalf of
    who made the webhook. `begins_at` is the place in the change log behind which it begins; `replays` counts
    how often another was set, `resumptions` how often it was let go on: whoever delivers compares.
    """

    kind: ClassVar[str] = "WEBHOOK"
    noun: ClassVar[str] = "Webhook"
    bounded_by: ClassVar[str | None] = "max_webhooks"

    url: str = strawberry.field(permission_classes=_ADMIN)
    description: str | None = strawberry.field(permission_classes=_ADMIN, default=None)
    query: str = strawberry.field(
        description="The subscription that makes each message.", permission_classes=_ADMIN
    )
    operation_name: str | None = strawberry.field(permission_classes=_ADMIN, default=None)
    variables: str | None = strawberry.field(
        description="A JSON object.", permission_classes=_ADMIN, default=None
    )
    role: Role = strawberry.field(
        description="What the subscription is executed with, at most.", permission_classes=_ADMIN
    )
    status: WebhookStatus = strawberry.field(permission_classes=_ADMIN, default=WebhookStatus.ENABLED)
    paused_reason: str | None = strawberry.field(
        description="Why it is paused; null while it is not.", permission_classes=_ADMIN, default=None
    )
    secret_changed_at: datetime = strawberry.field(permission_classes=_ADMIN)
    topic: strawberry.Private[list[str]]
    begins_at: strawberry.Private[int]
    replays: strawberry.Private[int] = 0
    resumptions: strawberry.Private[int] = 0

    def placement(self) -> Placement:
        return Placement(listing_pk=WEBHOOKS.partitions[0], agenda_sk=self.uid)

    @property
    def is_enabled(self) -> bool:
        return self.status is WebhookStatus.ENABLED and self.deleted_at is None

    @strawberry.field(
        description="Who made it; it sees no more than this person may.", permission_classes=_ADMIN
    )
    async def created_by(self, info: Info) -> User | None:
        return await info.context.repository.find(User, self.created_by_uid)

    @strawberry.field(
        description="What was sent in the last 30 days and how it went, the latest first.",
        permission_classes=_ADMIN,
        metadata=READS_A_LIST,
    )
    async def deliveries(
        self, info: Info, first: int | None = 20, after: str | None = None
    ) -> Connection[WebhookDelivery]:
        log = DeliveryLog(info.context.control, info.context.repository.family, self.uid)
        page = await log.page(page_size(first), after, info.context.cursors)
        return connection(page, after)


@strawberry.type
class WebhookSecret(Entity):
    """What a webhook's messages are signed with; the entity of the same uid tells nobody."""

    kind: ClassVar[str] = "WEBHOOK_SECRET"
    noun: ClassVar[str] = "Secret of a webhook"
    is_logged: ClassVar[bool] = False

    current: strawberry.Private[str]
    former: strawberry.Private[str | None] = None
    former_until: strawberry.Private[datetime | None] = None

    def valid(self, now: datetime) -> Sequence[str]:
        """Those that sign at that time, the newest first."""
        if self.former is None or self.former_until is None or self.former_until <= now:
            return [self.current]
        return [self.current, self.former]
