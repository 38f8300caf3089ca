"""What a receiver is sent for a change: made of the subscription's result, signed, posted."""

import json
from collections.abc import Mapping
from typing import NamedTuple

from graphql_api.auth.tokens import Claims
from graphql_api.changes.log import LogEntry
from graphql_api.errors import ForbiddenError
from graphql_api.features.webhooks.webhook import Webhook, WebhookSecret
from graphql_api.operations import OperationRequest
from graphql_api.outbound.outbound import Calls, Reply
from graphql_api.outbound.signature import signed_headers
from graphql_api.realtime.delivery import Delivery
from graphql_api.webhooks.services import WebhookServices

_HEADERS = {"content-type": "application/json", "user-agent": "graphql-api-webhooks"}


class Endpoint(NamedTuple):
    """A webhook and its secret, read together."""

    webhook: Webhook
    secret: WebhookSecret


class RefusedError(Exception):
    """The webhook's subscription may not be executed any more; why, for its owner."""


class Messages:
    """Makes and sends the messages of one tenant's webhooks."""

    def __init__(self, services: WebhookServices, tenant: str) -> None:
        self._services = services
        self._tenant = tenant

    async def body(self, delivery: Delivery, webhook: Webhook, entry: LogEntry) -> bytes | None:
        """What the webhook is sent for a change; None if nothing. Raises RefusedError or StoreBusyError."""
        topic = tuple(webhook.topic)
        if topic not in entry.change.topics:
            return None
        claims = Claims(webhook.created_by_uid, webhook.role, self._tenant, 0)
        try:
            identity = await self._services.memberships.identify(claims)
        except ForbiddenError as error:
            raise RefusedError(f"On behalf of who made it: {error.message}") from None
        variables = json.loads(webhook.variables or "{}")
        request = OperationRequest(webhook.query, webhook.operation_name, variables)
        answer = await delivery.answer(entry, topic, request, identity)
        if answer.refusal is not None:
            raise RefusedError(f"Its subscription is refused: {answer.refusal.errors[0]['message']}")
        if answer.payload is None:
            return None
        happened = f"{entry.change.kind.lower()}.{entry.change.topics[topic].lower()}"
        head = {"type": happened, "timestamp": entry.change.at.isoformat()}
        return json.dumps(head, separators=(",", ":")).encode()[:-1] + b',"data":' + answer.payload + b"}"

    async def send(self, calls: Calls, endpoint: Endpoint, message_id: str, body: bytes) -> Reply:
        """Post it, signed by every secret that is valid now."""
        now = self._services.sources.now()
        signed: Mapping[str, str] = signed_headers(
            endpoint.secret.valid(now), message_id, int(now.timestamp()), body
        )
        return await calls.post(endpoint.webhook.url, body, {**_HEADERS, **signed})
