"""How far a webhook has come in its tenant's log, how it fares, and whose turn it is to deliver.

    T#<tenant>#WEBHOOK#<uid> / STATE

One turn at a time holds a webhook, under the name of the message that began it: the queue gives a message to
nobody else before whoever took it has returned or is dead, so that who meets its own message's name takes
over. No clock is compared with another machine's. A message that finds a webhook held leaves a note, and the
turn does not end before it has read the log once more.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from graphql_api.features.webhooks.webhook import Webhook
from graphql_api.realtime.endpoints import state_key
from graphql_api.realtime.socket import MovedError, moved, revision
from graphql_api.store.codec import Item, decode, encode
from graphql_api.store.contention import pause
from graphql_api.store.keys import Family
from graphql_api.store.table import StoreBusyError, Table
from graphql_api.store.writes import ABSENT, Condition, OnFailure, Put, Update

FIRST_DELAY, LONGEST_DELAY = timedelta(seconds=5), timedelta(hours=4)
GIVES_UP_AFTER = timedelta(hours=24)
MAX_CONTENTION = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Everything up to `place` was delivered, or is no matter of the webhook.

    `holder` is the message whose turn it is. `was_rung`: another one came meanwhile. `looked_at` is the
    revision that the last look found held: a holder that has not moved until the next one is dead, and so is
    its message. `replays` and `resumptions` are those of the webhook that have taken effect.
    """

    place: int
    revision: int = 0
    holder: str | None = None
    was_rung: bool = False
    looked_at: int = 0
    failures: int = 0
    failing_since: datetime | None = None
    next_attempt_at: datetime | None = None
    replays: int = 0
    resumptions: int = 0

    def of(self, webhook: Webhook) -> "State":
        """As it begins a turn: with what the webhook's owner asked for meanwhile."""
        place = webhook.begins_at if webhook.replays != self.replays else self.place
        if (webhook.replays, webhook.resumptions) == (self.replays, self.resumptions):
            return self
        return replace(self.delivered(place), replays=webhook.replays, resumptions=webhook.resumptions)

    def delivered(self, place: int) -> "State":
        """After everything up to that place was."""
        return replace(self, place=place, failures=0, failing_since=None, next_attempt_at=None)

    def failed(self, now: datetime, share: float) -> "State":
        """After an attempt that failed; `share` of the longest delay is waited, a random number below 1.

        Without a next attempt it has failed for as long as is bearable.
        """
        since = self.failing_since or now
        failing = replace(self, failures=self.failures + 1, failing_since=since, next_attempt_at=None)
        if now - since >= GIVES_UP_AFTER:
            return failing
        longest = min(FIRST_DELAY * 2 ** min(self.failures, 30), LONGEST_DELAY)
        delay = max(timedelta(seconds=1), longest * share)
        return replace(failing, next_attempt_at=min(now + delay, since + GIVES_UP_AFTER))


class Message(Protocol):
    """What a hold asks of a message."""

    @property
    def id(self) -> str: ...
    @property
    def is_look(self) -> bool: ...


class States:
    """The state of one webhook, through the control table with its tenant's rights."""

    def __init__(self, table: Table, family: Family, uid: str) -> None:
        self._table = table
        self._key = state_key(family, uid)

    async def hold(self, webhook: Webhook, message: Message, now: datetime) -> State | None:
        """The state, held for that message; None if it is another's turn, or no attempt is due yet.

        Raises StoreBusyError.
        """
        for attempt in range(MAX_CONTENTION):
            found = await self._read()
            state = (found or State(place=webhook.begins_at)).of(webhook)
            if state.next_attempt_at is not None and state.next_attempt_at > now:
                return None
            try:
                if state.holder in (None, message.id) or _is_dead(state, message):
                    return await self.write(replace(state, holder=message.id, was_rung=False), found)
                return await self._ring(state, message)
            except MovedError:
                await pause(attempt)
        raise StoreBusyError

    async def release(self, state: State) -> bool:
        """Free it; False, and nothing was done, where somebody has rung since the last write."""
        free = replace(state, holder=None, revision=state.revision + 1)
        quiet = Condition(
            "#revision = :revision AND #rung = :no",
            {"#revision": "revision", "#rung": "was_rung"},
            {":revision": {"N": str(state.revision)}, ":no": {"BOOL": False}},
        )
        try:
            await self._table.commit([Put(self._key, encode(free), _rung_or_moved(state), quiet)])
        except _RungError:
            return False
        return True

    async def write(self, state: State, old: State | None, *also: Put) -> State:
        """The state in place of the old one. Raises MovedError where that is another one by now."""
        number = old.revision if old else 0
        new = replace(state, revision=number + 1)
        condition = revision(number) if number else ABSENT
        await self._table.commit([Put(self._key, encode(new), moved, condition), *also])
        return new

    async def _ring(self, state: State, message: Message) -> None:
        changes: Item = {"was_rung": {"BOOL": True}}
        if message.is_look:
            changes["looked_at"] = {"N": str(state.revision)}
        write = Update(self._key, changes, frozenset(), revision(state.revision), moved)
        await self._table.commit([write])

    async def _read(self) -> State | None:
        item = (await self._table.batch_get([self._key], consistent=True)).get(self._key)
        return decode(State, item) if item else None


class _RungError(Exception):
    """Somebody has left a note."""


def _rung_or_moved(state: State) -> OnFailure:
    def failure(item: Item | None) -> Exception:
        is_same = item is not None and item["revision"] == {"N": str(state.revision)}
        return _RungError() if is_same else MovedError()

    return failure


def _is_dead(state: State, message: Message) -> bool:
    return message.is_look and state.looked_at == state.revision
