"""What the log never saw: a tenant's entities held against the last change that is logged of each."""

import asyncio
import base64
import hashlib
import json
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from graphql_api.changes.change import RECORD_DIGITS, Change, ChangeAction, Origin, change_between
from graphql_api.changes.history import History
from graphql_api.changes.log import LogEntry
from graphql_api.store.codec import Item
from graphql_api.store.entity import stored_attributes
from graphql_api.store.keys import Family, Key, after, entity_key, parse_entity_key, partition
from graphql_api.store.page import ListRange
from graphql_api.store.schema import PARTITION, SORT
from graphql_api.store.table import Table

PAGE = 25  # Each can lead to a segment of 300 KB.
_BEGINNING = "0" * RECORD_DIGITS


class Address(NamedTuple):
    """Which entity of the tenant."""

    kind: str
    uid: str


@dataclass(frozen=True, slots=True)
class Finding:
    """An entity that the log does not know as it is.

    `logged` is the version that the log knows, None if none. `change` would tell it the rest; it is None for
    an item that is no such entity, which somebody has to mend first.
    """

    address: Address
    logged: int | None
    change: Change | None


class _Suspect(NamedTuple):
    """An entity as it is stored, and the last that the log knows of it."""

    address: Address
    image: Item
    entry: LogEntry | None

    @property
    def sequence(self) -> int:
        return self.entry.sequence if self.entry else 0


async def listed(data: Table, family: Family, wanted: ListRange) -> AsyncGenerator[Address]:
    """The entities that stand in a list, one partition after the other, read page by page."""
    sort = wanted.index.value.sort
    for path in wanted.partitions:
        low, is_last = wanted.low, False
        while not is_last:
            items = await data.query(wanted.index, partition(family, *path), low, wanted.high, PAGE)
            is_last = len(items) < PAGE
            for item in items:
                low = after(item[sort]["S"])
                if found := parse_entity_key(Key(item[PARTITION]["S"], item[SORT]["S"])):
                    yield Address(found.kind, found.uid)


class Reconciler:
    """Looks for one tenant's entities whose last write the log missed.

    It looks twice, `patience` apart: where the log does not move although it differs, nothing is on its way.
    Of several missed writes of an entity it finds what they came to; a deletion it cannot find, since what is
    deleted stands in no list. Entities older than `retention` may well have left the log.
    """

    def __init__(
        self,
        data: Table,
        history: History,
        family: Family,
        *,
        now: Callable[[], datetime],
        retention: timedelta,
        patience: timedelta,
    ) -> None:
        self._data = data
        self._history = history
        self._family = family
        self._now = now
        self._retention = retention
        self._patience = patience.total_seconds()

    async def findings(self, addresses: AsyncIterable[Address]) -> AsyncGenerator[Finding]:
        """What the log misses of these entities, in their order."""
        clock = asyncio.get_running_loop().time
        waiting: deque[tuple[float, list[_Suspect]]] = deque()
        async for page in _pages(addresses):
            if suspects := await self._suspects(page):
                waiting.append((clock() + self._patience, suspects))
            while waiting and waiting[0][0] <= clock():
                for finding in await self._confirmed(waiting.popleft()[1]):
                    yield finding
        for due, suspects in waiting:
            await asyncio.sleep(max(0.0, due - clock()))
            for finding in await self._confirmed(suspects):
                yield finding

    async def _suspects(self, addresses: Sequence[Address]) -> list[_Suspect]:
        keys = [entity_key(self._family, *address) for address in addresses]
        # Before the log: what is written in between is then not mistaken for missing.
        items = await self._data.batch_get(keys, consistent=True)
        entries = await self._history.latest(addresses)
        suspects = [
            _Suspect(address, _image(items[key]), entry)
            for address, key, entry in zip(addresses, keys, entries, strict=True)
            if key in items
        ]
        return [suspect for suspect in suspects if not self._is_known(suspect)]

    def _is_known(self, suspect: _Suspect) -> bool:
        image = suspect.image
        if suspect.entry is None:
            return self._has_expired(image)
        change = suspect.entry.change
        if _is_omitted(change):
            return image.get("version") == {"N": str(change.version)}
        return change.after == image

    def _has_expired(self, image: Item) -> bool:
        try:
            return datetime.fromisoformat(image["updated_at"]["S"]) < self._now() - self._retention
        except (LookupError, TypeError, ValueError):
            return False

    async def _confirmed(self, suspects: Sequence[_Suspect]) -> list[Finding]:
        sequences = {suspect.address: suspect.sequence for suspect in suspects}
        again = await self._suspects(list(sequences))
        return [self._finding(one) for one in again if one.sequence == sequences[one.address]]

    def _finding(self, suspect: _Suspect) -> Finding:
        address, image, entry = suspect
        logged = entry.change if entry else None
        record = _next_record(logged.record if logged else _BEGINNING)
        mark = hashlib.sha256(record.encode()).hexdigest()[:12]
        try:
            version = int(image["version"]["N"])
            origin = Origin(f"reconciled-{address.kind}-{address.uid}-{version}-{mark}", record, self._now())
            before = logged.after if logged else None
            change = change_between(self._family, origin, address, before, image)
        except (LookupError, TypeError, AttributeError, ValueError):
            return Finding(address, logged.version if logged else None, None)
        if logged and _is_omitted(logged) and logged.action is not ChangeAction.DELETED:
            # Who listened knows it already: the log only could not hold what it was.
            updated = dict.fromkeys(change.topics, ChangeAction.UPDATED)
            change = replace(change, action=ChangeAction.UPDATED, topics=updated)
        return Finding(address, logged.version if logged else None, change)


async def _pages(addresses: AsyncIterable[Address]) -> AsyncGenerator[list[Address]]:
    page: list[Address] = []
    async for address in addresses:
        page.append(address)
        if len(page) == PAGE:
            yield page
            page = []
    if page:
        yield page


def _next_record(record: str) -> str:
    """A number behind the one that is known, and before all that the stream will give; the same each time."""
    known, _, repairs = record.partition(".")
    return f"{known}.{int(repairs or 0) + 1:06}"


def _is_omitted(change: Change) -> bool:
    return change.before is None and change.after is None


def _image(item: Item) -> Item:
    """The entity's attributes as the log holds them: plain JSON, binary values in base64."""
    return json.loads(json.dumps(stored_attributes(item), default=_base64))


def _base64(value: Any) -> str:
    return base64.b64encode(value).decode()
