"""Webhooks as the fan-out and the minutes find them; who delivers to them is woken by a message.

T#<tenant>#TOPIC#<topic> / WEBHOOK <uid>     read with the topic's subscriptions, at no cost of its own
C#@WEBHOOKS<round> / <tenant> <uid>          every webhook that is enabled, in ROUNDS parts

Both follow from what the stream says of a webhook. Every minute another part is looked after, so that a
message that was lost delays what happened, and loses nothing.
"""

import json
import logging
import zlib
from collections.abc import Collection, Iterable
from typing import NamedTuple, Self

from graphql_api.changes.change import Change
from graphql_api.deadline import Deadline
from graphql_api.features.webhooks.webhook import Webhook
from graphql_api.realtime.services import RealtimeServices
from graphql_api.realtime.socket import moved
from graphql_api.realtime.subscriptions import webhook_row
from graphql_api.store.codec import decode
from graphql_api.store.entity import Topic, key_of
from graphql_api.store.keys import (
    CONNECTIONS,
    FIRST,
    LAST,
    SORT_SEPARATOR,
    Family,
    Key,
    partition,
    sort_key,
    tenant_family,
)
from graphql_api.store.queue import UnsentError
from graphql_api.store.schema import SORT
from graphql_api.store.table import Table
from graphql_api.store.writes import ANYTHING, Delete, Put

ROUNDS = 5  # minutes until each webhook has been looked after
MAX_IN_A_ROUND = 1_000_000
_SECONDS = 60

_log = logging.getLogger(__name__)


class Wake(NamedTuple):
    """A message: there may be something to be sent. `is_look`: nobody knows of anything."""

    tenant: str
    uid: str
    is_look: bool = False

    def to_text(self) -> str:
        return json.dumps(self._asdict())

    @classmethod
    def from_text(cls, text: str) -> Self:
        return cls(**json.loads(text))


def state_key(family: Family, uid: str) -> Key:
    """Where who delivers keeps how far a webhook has come."""
    return Key(partition(family, "WEBHOOK", uid), "STATE")


class Endpoints:
    """The webhooks of all tenants, for one invocation."""

    def __init__(self, services: RealtimeServices, deadline: Deadline) -> None:
        self._services = services
        self._deadline = deadline

    async def wake(self, tenant: str, uids: Collection[str]) -> None:
        """Have them delivered to. Fails never: who is not woken is looked after within ROUNDS minutes."""
        await self._send(Wake(tenant, uid) for uid in uids)

    async def look(self) -> int:
        """Wake those whose minute it is; how many. Raises StoreBusyError."""
        minute = int(self._services.sources.now().timestamp()) // _SECONDS
        items = await self._round_table.read(_round(minute % ROUNDS), FIRST, LAST, MAX_IN_A_ROUND)
        places = [item[SORT]["S"].split(SORT_SEPARATOR) for item in items]
        await self._send(Wake(tenant, uid, is_look=True) for tenant, uid in places)
        return len(places)

    async def follow(self, tenant: str, change: Change) -> None:
        """List a webhook where it is found, as it is today, and wake its deliverer.

        The change only says where to look: a record can come again long after it was true.
        """
        family, uid = tenant_family(tenant), change.uid
        webhook = await self._webhook(family, uid)
        listed = {tuple(webhook.topic)} if webhook and webhook.is_enabled else set[Topic]()
        control = self._services.sources.control(family, self._deadline)
        images = [decode(Webhook, image) for image in (change.before, change.after) if image is not None]
        for topic in {tuple(image.topic) for image in images} - listed:
            await control.commit([Delete(webhook_row(family, topic, uid), ANYTHING, moved)])
        for topic in listed:
            await control.commit([Put(webhook_row(family, topic, uid), {}, moved, ANYTHING)])
        place = Key(_round(zlib.crc32(uid.encode()) % ROUNDS), sort_key(tenant, uid))
        write = Put(place, {}, moved, ANYTHING) if listed else Delete(place, ANYTHING, moved)
        await self._round_table.commit([write])
        if webhook is None or webhook.deleted_at is not None:
            await control.commit([Delete(state_key(family, uid), ANYTHING, moved)])
        await self.wake(tenant, [uid] if listed else [])

    @property
    def _round_table(self) -> Table:
        return self._services.sources.control(CONNECTIONS, self._deadline)

    async def _webhook(self, family: Family, uid: str) -> Webhook | None:
        table = self._services.sources.data(family, self._deadline)
        key = key_of(family, Webhook, uid)
        item = (await table.batch_get([key], consistent=True)).get(key)
        return decode(Webhook, item) if item else None

    async def _send(self, wakes: Iterable[Wake]) -> None:
        bodies = [wake.to_text() for wake in wakes]
        if not bodies:
            return
        try:
            await self._services.queue.send(bodies)
        except UnsentError as error:
            cause = repr(error.__cause__)
            _log.warning("Webhooks were not woken.", extra={"webhooks": len(bodies), "cause": cause})


def _round(number: int) -> str:
    return partition(CONNECTIONS, f"@WEBHOOKS{number}")
