"""What a webhook was sent and how it went: rows of the control table that go away by themselves.

T#<tenant>#WEBHOOK#<uid>#DELIVERIES / <mirrored time-ordered uid>
"""

from datetime import datetime, timedelta

import strawberry

from graphql_api.store.codec import decode, encode
from graphql_api.store.cursor import CursorCodec
from graphql_api.store.keys import FIRST, LAST, Family, Key, after, partition
from graphql_api.store.page import Page
from graphql_api.store.schema import EXPIRY, SORT
from graphql_api.store.table import Table
from graphql_api.store.uid import mirrored
from graphql_api.store.writes import ANYTHING, Put

KEPT = timedelta(days=30)


@strawberry.type(description="One attempt to deliver a change, or what could not be delivered.")
class WebhookDelivery:
    at: datetime
    change_id: str | None = strawberry.field(
        description="The message's `webhook-id`; null where no change was sent.", default=None
    )
    sequence: int | None = strawberry.field(
        description="The change's number among all changes of the tenant.", default=None
    )
    attempt: int = strawberry.field(description="From 1, for each change.", default=1)
    status: int | None = strawberry.field(description="The receiver's HTTP status, if any.", default=None)
    problem: str | None = strawberry.field(
        description="What kept a status from coming, or changes from being delivered.", default=None
    )
    milliseconds: int = strawberry.field(description="How long the call took.", default=0)
    response: str = strawberry.field(description="The first bytes that the receiver said.", default="")
    next_attempt_at: datetime | None = strawberry.field(
        description="When it is tried again; null if it is not.", default=None
    )


class DeliveryLog:
    """The rows of one webhook, through the control table with its tenant's rights."""

    def __init__(self, table: Table, family: Family, uid: str) -> None:
        self._table = table
        self._partition = partition(family, "WEBHOOK", uid, "DELIVERIES")

    def write(self, uid: str, delivery: WebhookDelivery) -> Put:
        """The write of a row under a uid of its time."""
        expires = {EXPIRY: {"N": str(int((delivery.at + KEPT).timestamp()))}}
        key = Key(self._partition, mirrored(uid))
        return Put(key, encode(delivery) | expires, lambda _: AssertionError("it always holds"), ANYTHING)

    async def page(self, first: int, cursor: str | None, cursors: CursorCodec) -> Page[WebhookDelivery]:
        """Rows, the latest first. Raises BadCursorError."""
        scope = (self._partition, "deliveries")
        low = FIRST if cursor is None else after(cursors.open(cursor, scope))
        items = await self._table.read(self._partition, low, LAST, first + 1)
        shown = items[:first]
        return Page(
            items=[decode(WebhookDelivery, item) for item in shown],
            cursors=[cursors.seal(item[SORT]["S"], scope) for item in shown],
            has_next=len(items) > first,
        )
