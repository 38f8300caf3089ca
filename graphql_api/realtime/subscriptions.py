"""Who listens to what, in one tenant: a row for each subscription in its topic, a group for what it asks.

    T#<tenant>#TOPIC#<topic> / <group> <connection> <operation>   a subscription
    T#<tenant>#TOPIC#<topic> / WEBHOOK <uid>                      a webhook that is sent the same
    T#<tenant>#GROUP#<group> / GROUP                              an operation with its variables

Rows are found by topic with consistent reads, so a subscriber that has registered is never passed over. All
who ask the same are of one group: it is executed once for all of them who see the same.
"""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import NamedTuple

from graphql_api.auth.identity import Role
from graphql_api.auth.tokens import Claims
from graphql_api.errors import PayloadTooLargeError
from graphql_api.operations import OperationRequest
from graphql_api.realtime.socket import Held, Socket, expiry
from graphql_api.store.codec import Item, decode, encode
from graphql_api.store.entity import Topic
from graphql_api.store.keys import FIRST, LAST, SORT_SEPARATOR, Family, Key, partition, sort_key
from graphql_api.store.schema import SORT
from graphql_api.store.table import MAX_BATCH_KEYS, Table
from graphql_api.store.writes import ANYTHING, PRESENT, Condition, Delete, Put, Update, Write

MAX_ROWS = 1_000_000  # of one topic: all of them
MAX_GROUP_BYTES = 24 * 1024  # of a subscription's document and variables as JSON
_WEBHOOK = f"WEBHOOK{SORT_SEPARATOR}"  # No group's name has a letter above f.
MAX_REMEMBERED = 2_000  # groups, by a process
_GROUP_LIFETIME = timedelta(
    hours=5
)  # Written anew by who joins it half of that later; sockets live two hours.


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """One subscriber of a topic.

    Until it `is_live`, what happens is replayed to it by who registered it, who is told through
    `was_passed_over` that something happened meanwhile. Who does that may have failed: after
    `catching_up_until` nobody is at it any more. Entries up to `after` it had seen before it resumed. Times
    are in epoch seconds.
    """

    connection_id: str
    operation_id: str
    topic: list[str]
    group: str
    subject: str
    role: Role
    token_expires_at: int
    until: int
    is_live: bool
    after: int = 0
    catching_up_until: int = 0
    was_passed_over: bool = False

    def is_stuck(self, now: datetime) -> bool:
        """Whether it never went live, and nobody makes it any more."""
        return not self.is_live and self.catching_up_until < now.timestamp()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """What its members ask, as JSON."""

    request: str
    written_at: datetime


class Listening(NamedTuple):
    """Who listens to a topic: subscriptions of sockets, and webhooks by their uids."""

    subscriptions: list[Subscription]
    webhooks: list[str]


class Standing(Enum):
    """What a change of a subscription's row found."""

    LIVE = "LIVE"
    CATCHING_UP = "CATCHING_UP"
    GONE = "GONE"


class _NotAsExpectedError(Exception):
    """The row is something else by now: `item`, or gone."""

    def __init__(self, item: Item | None) -> None:
        super().__init__()
        self.item = item


class Groups:
    """The operations of groups that this process has met; they never change. Their keys have the tenant."""

    def __init__(self) -> None:
        self._requests: OrderedDict[tuple[Family, str], tuple[OperationRequest, datetime]] = OrderedDict()

    def find(self, family: Family, group: str) -> tuple[OperationRequest, datetime] | None:
        known = self._requests.get((family, group))
        if known is not None:
            self._requests.move_to_end((family, group))
        return known

    def keep(self, family: Family, group: str, request: OperationRequest, written_at: datetime) -> None:
        self._requests[family, group] = request, written_at
        if len(self._requests) > MAX_REMEMBERED:
            self._requests.popitem(last=False)


def group_of(request: OperationRequest) -> str:
    """The name of all who ask the same: a hash of document, operation and variables."""
    return hashlib.sha256(_to_text(request).encode()).hexdigest()[:32]


def webhook_row(family: Family, topic: Topic, uid: str) -> Key:
    """Where a webhook is found that listens to a topic."""
    return Key(partition(family, "TOPIC", *topic), _WEBHOOK + uid)


class Subscriptions:
    """The subscriptions of one tenant, through the control table with the tenant's rights."""

    def __init__(self, table: Table, family: Family, groups: Groups) -> None:
        self._table = table
        self._family = family
        self._groups = groups

    async def write_group(self, request: OperationRequest, now: datetime) -> str:
        """Make sure that the group of this request is known for as long as a socket lives; its name.

        Raises PayloadTooLargeError: what is asked is kept, and executed for every event.
        """
        if len(_to_text(request).encode()) > MAX_GROUP_BYTES:
            message = "A subscription's document and variables are too large to be kept."
            raise PayloadTooLargeError(message, limit=MAX_GROUP_BYTES)
        group = group_of(request)
        known = self._groups.find(self._family, group)
        if known is None or known[1] < now - _GROUP_LIFETIME / 2:
            stored = encode(_Group(request=_to_text(request), written_at=now)) | expiry(now + _GROUP_LIFETIME)
            await self._table.commit([Put(self._group_key(group), stored, _NotAsExpectedError, ANYTHING)])
            self._groups.keep(self._family, group, request, now)
        return group

    async def requests_of(self, groups: Iterable[str]) -> dict[str, OperationRequest]:
        """What groups ask; one that is not known any more is left out."""
        wanted = dict.fromkeys(groups)
        known = {group: found[0] for group in wanted if (found := self._groups.find(self._family, group))}
        keys = [self._group_key(group) for group in wanted if group not in known]
        for start in range(0, len(keys), MAX_BATCH_KEYS):
            items = await self._table.batch_get(keys[start : start + MAX_BATCH_KEYS], consistent=True)
            for item in items.values():
                stored = decode(_Group, item)
                request = _from_text(stored.request)
                group = group_of(request)
                self._groups.keep(self._family, group, request, stored.written_at)
                known[group] = request
        return known

    async def of(self, topic: Topic) -> Listening:
        """All that listen to a topic."""
        path = partition(self._family, "TOPIC", *topic)
        listening = Listening([], [])
        for item in await self._table.read(path, FIRST, LAST, MAX_ROWS):
            sort = item[SORT]["S"]
            if sort.startswith(_WEBHOOK):
                listening.webhooks.append(sort.removeprefix(_WEBHOOK))
            else:
                listening.subscriptions.append(decode(Subscription, item))
        return listening

    async def find(self, socket: Socket, held: Sequence[Held]) -> list[Subscription]:
        """The rows of a socket's subscriptions that are there."""
        keys = [self._row_key(tuple(one.topic), one.group, socket.connection_id, one.id) for one in held]
        items = await self._table.batch_get(keys, consistent=True) if keys else {}
        return [decode(Subscription, item) for item in items.values()]

    def registration(self, subscription: Subscription) -> Put:
        """The write that registers it."""
        until = datetime.fromtimestamp(subscription.until).astimezone()
        return Put(self._key(subscription), encode(subscription) | expiry(until), _NotAsExpectedError)

    def removal(self, held: Held, socket: Socket) -> Write:
        """The write that takes the row of a socket's subscription away."""
        return _deletion(self._row_key(tuple(held.topic), held.group, socket.connection_id, held.id))

    async def remove(self, subscription: Subscription) -> None:
        """Take its row away, if it is still there."""
        await self._table.commit([_deletion(self._key(subscription))])

    async def remove_held(self, held: Held, socket: Socket) -> None:
        """Take the row of a socket's subscription away, if it is still there."""
        await self._table.commit([self.removal(held, socket)])

    async def pass_over(self, subscription: Subscription) -> Standing:
        """Tell who is catching it up that something has happened; unless it is live by now, or gone."""
        return await self._set(subscription, {"was_passed_over": {"BOOL": True}}, _CATCHING_UP)

    async def go_live(self, subscription: Subscription) -> Standing:
        """Live from the next change on; CATCHING_UP if it was passed over, with the note taken off."""
        standing = await self._set(subscription, {"is_live": {"BOOL": True}}, _UP_TO_DATE)
        if standing is Standing.CATCHING_UP:
            return await self._set(subscription, {"was_passed_over": {"BOOL": False}}, _CATCHING_UP)
        return standing

    async def extend(self, held: Held, socket: Socket, claims: Claims) -> None:
        """Let a socket's subscription go on with a newer token."""
        key = self._row_key(tuple(held.topic), held.group, socket.connection_id, held.id)
        newer: Item = {
            "role": {"S": claims.role.value},
            "token_expires_at": {"N": str(claims.expires_at)},
        }
        try:
            await self._table.commit([Update(key, newer, frozenset(), PRESENT, _NotAsExpectedError)])
        except _NotAsExpectedError:
            return  # It has ended meanwhile.

    async def _set(self, subscription: Subscription, changes: Item, condition: Condition) -> Standing:
        """How the row stands after the change, or as it was found where the condition did not hold."""
        write = Update(self._key(subscription), changes, frozenset(), condition, _NotAsExpectedError)
        is_live = "is_live" in changes
        try:
            await self._table.commit([write])
        except _NotAsExpectedError as found:
            if found.item is None:
                return Standing.GONE
            is_live = decode(Subscription, found.item).is_live
        return Standing.LIVE if is_live else Standing.CATCHING_UP

    def _key(self, subscription: Subscription) -> Key:
        return self._row_key(
            tuple(subscription.topic),
            subscription.group,
            subscription.connection_id,
            subscription.operation_id,
        )

    def _row_key(self, topic: Topic, group: str, connection_id: str, operation_id: str) -> Key:
        return Key(partition(self._family, "TOPIC", *topic), sort_key(group, connection_id, operation_id))

    def _group_key(self, group: str) -> Key:
        return Key(partition(self._family, "GROUP", group), "GROUP")


def _deletion(key: Key) -> Delete:
    return Delete(key, ANYTHING, _NotAsExpectedError)


_NAMES = {"#live": "is_live"}
_CATCHING_UP = Condition("#live = :no", _NAMES, {":no": {"BOOL": False}})
_UP_TO_DATE = Condition(
    "#live = :no AND #passed = :no", {**_NAMES, "#passed": "was_passed_over"}, {":no": {"BOOL": False}}
)


def _to_text(request: OperationRequest) -> str:
    parts: Sequence[object] = (request.query, request.operation_name, request.variables)
    return json.dumps(parts, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def _from_text(text: str) -> OperationRequest:
    query, operation_name, variables = json.loads(text)
    return OperationRequest(query, operation_name, variables)
