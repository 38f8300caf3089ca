"""Whether a tenant's log is still what was written: every hash, every joint between segments, and the end."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from graphql_api.changes.change import from_text
from graphql_api.changes.head import LogHead
from graphql_api.changes.log import ChangeLog, Segment, chained, place
from graphql_api.store.codec import Item, decode
from graphql_api.store.schema import EXPIRY, SORT


class Anchor(NamedTuple):
    """The place and the hash where a log once ended, kept somewhere else; as text `SEQUENCE:HASH`."""

    sequence: int
    hash: str

    def __str__(self) -> str:
        return f"{self.sequence}:{self.hash}"

    @classmethod
    def of(cls, text: str) -> "Anchor":
        """The anchor of a text. Raises ValueError."""
        sequence, separator, hashed = text.strip().partition(":")
        if not (separator and sequence.isascii() and sequence.isdecimal() and hashed):
            raise ValueError(f"{text!r} is not like SEQUENCE:HASH")
        return cls(int(sequence), hashed.lower())


class BrokenLogError(Exception):
    """The log is not what was written. `sequence` is the first change that is wrong."""

    def __init__(self, sequence: int, what: str) -> None:
        super().__init__(f"Change {sequence}: {what}.")
        self.sequence = sequence


@dataclass(frozen=True, slots=True)
class Verified:
    """A log that holds together from `first`, the oldest change kept, to its end; `first` is behind the end
    where everything has expired.
    """

    first: int
    end: Anchor


class Verifier:
    """Reads one tenant's log once, from the oldest segment kept to the head, while it may go on growing.

    That the oldest changes were kept for as long as they should, and that nobody wrote the whole chain anew,
    only an anchor can tell.
    """

    def __init__(
        self,
        log: ChangeLog,
        anchor: Anchor | None = None,
        *,
        now: Callable[[], datetime],
        retention: timedelta,
    ) -> None:
        self._log = log
        self._anchor = anchor
        self._now = now
        self._retention = retention
        self._first = 0
        self._end = Anchor(0, "")
        self._epoch = ""
        self._end_expired = False
        self._is_anchored = anchor is None

    async def run(self) -> Verified:
        """What was found whole. Raises BrokenLogError."""
        while True:
            came_to = self._end.sequence
            while items := await self._log.stored(self._end.sequence):
                for item in items:
                    self._check(item)
            head = await self._log.head()
            # A head that is further on either has grown meanwhile, or stands over nothing.
            if head.sequence <= self._end.sequence or self._end.sequence == came_to:
                break
        self._check_end(head)
        self._check_anchor()
        return Verified(self._first, self._end)

    def _check(self, item: Item) -> None:
        expected = self._end.sequence + 1
        try:
            segment = decode(Segment, item)
            is_whole = len(segment.texts) == len(segment.hashes) == segment.last - segment.first + 1 > 0
        except (LookupError, TypeError, ValueError, AttributeError):
            raise BrokenLogError(expected, "its segment cannot be read") from None
        if not is_whole or item[SORT]["S"] != place(segment.last):
            raise BrokenLogError(expected, "its segment does not hold what it says")
        if self._end.sequence == 0 or (segment.first > expected and self._end_expired):
            self._begin(segment)
        self._join(segment)
        for sequence, (text, hashed) in enumerate(
            zip(segment.texts, segment.hashes, strict=True), segment.first
        ):
            self._link(Anchor(sequence, hashed), text)
        self._end_expired = EXPIRY in item and int(item[EXPIRY]["N"]) <= self._now().timestamp()

    def _begin(self, segment: Segment) -> None:
        """The chain begins here: what stood before has expired, in no certain order."""
        if (segment.first == 1) != (segment.previous == ""):
            raise BrokenLogError(segment.first, "the chain does not begin where it says")
        self._first, self._epoch = segment.first, segment.epoch
        self._end = Anchor(segment.first - 1, segment.previous)
        self._meet_anchor()

    def _join(self, segment: Segment) -> None:
        expected = self._end.sequence + 1
        if segment.first > expected:
            raise BrokenLogError(expected, f"missing; the next that is there is {segment.first}")
        if segment.first < expected:
            raise BrokenLogError(segment.first, "there twice")
        if segment.previous != self._end.hash or self._epoch not in (segment.epoch, segment.former):
            raise BrokenLogError(expected, "does not follow from the one before")
        self._epoch = segment.epoch

    def _link(self, link: Anchor, text: str) -> None:
        if chained(self._end.hash, text) != link.hash:
            raise BrokenLogError(link.sequence, "its text does not have its hash")
        try:
            sequence, _ = from_text(text)
        except (LookupError, TypeError, ValueError, AttributeError):
            raise BrokenLogError(link.sequence, "its text cannot be read") from None
        if sequence != link.sequence:
            raise BrokenLogError(link.sequence, f"its text says that it is {sequence}")
        self._end = link
        self._meet_anchor()

    def _meet_anchor(self) -> None:
        if self._anchor is None or self._anchor.sequence != self._end.sequence:
            return
        if self._anchor.hash != self._end.hash:
            raise BrokenLogError(self._end.sequence, "not what it was when the anchor was taken")
        self._is_anchored = True

    def _check_end(self, head: LogHead) -> None:
        sequence = self._end.sequence
        if sequence == 0 and self._has_expired(head):
            self._first, self._end = head.sequence + 1, Anchor(head.sequence, head.hash)
            self._meet_anchor()
        elif head.sequence > sequence:
            raise BrokenLogError(sequence + 1, f"missing; the head says that the log goes to {head.sequence}")
        elif sequence and (head.sequence, head.hash, head.epoch) != (sequence, self._end.hash, self._epoch):
            raise BrokenLogError(sequence, "the last one, but the head says otherwise")

    def _has_expired(self, head: LogHead) -> bool:
        return head.logged_at is not None and head.logged_at + self._retention <= self._now()

    def _check_anchor(self) -> None:
        if self._anchor is None or self._is_anchored:
            return
        if self._anchor.sequence > self._end.sequence:
            raise BrokenLogError(
                self._end.sequence + 1, f"missing; the anchor was taken at {self._anchor.sequence}"
            )
        raise BrokenLogError(
            self._anchor.sequence, f"the anchor's, is no longer kept; the log begins with {self._first}"
        )
