"""A tenant's log to its sinks: each from where it stopped, however the last run ended."""

import asyncio
import logging
from collections.abc import Sequence

from graphql_api.changes.log import LogEntry
from graphql_api.deadline import Deadline
from graphql_api.errors import DeadlineExceededError
from graphql_api.sinks.place import Given, Place, PlaceMovedError
from graphql_api.sinks.sink import Sink
from graphql_api.sources import Sources
from graphql_api.store.event_bus import NotTakenError
from graphql_api.store.keys import Family
from graphql_api.store.repository import together
from graphql_api.store.table import UNANSWERED

STEP_SEGMENTS = 2  # given between two signs of life
MAX_SECONDS = 5.0  # The next batch, or the next round, goes on.

_log = logging.getLogger(__name__)


class Giving:
    """One tenant's log, for one invocation."""

    def __init__(self, sources: Sources, sinks: Sequence[Sink], family: Family, deadline: Deadline) -> None:
        self._sources = sources
        self._sinks = sinks
        self._family = family
        self._deadline = min(deadline, Deadline.after(MAX_SECONDS), key=lambda one: one.at)
        self._log = sources.change_log(family, self._deadline)

    async def run(self, until: int, known: Sequence[LogEntry] = ()) -> None:
        """Give everything up to `until`; `known` entries are not read again. A sink that does not take it is
        tried again by a later run, and holds up no other.
        """
        await together(self._give(sink, until, known) for sink in self._sinks)

    async def _give(self, sink: Sink, until: int, known: Sequence[LogEntry]) -> None:
        table = self._sources.control(self._family, self._deadline)
        place = Place(table, self._family, sink.name, self._sources.now)
        try:
            async with asyncio.timeout(self._deadline.remaining()):
                given = await place.read()
                while given.sequence < until and not place.is_held(given):
                    given = await self._give_from(sink, place, await place.hold(given), until, known)
                    # Who found the place held meanwhile relies on this look.
                    until = (await self._log.head()).sequence
        except PlaceMovedError:
            return
        except (NotTakenError, TimeoutError, DeadlineExceededError, *UNANSWERED):
            _log.warning("A sink is behind the log.", exc_info=True, extra={"sink": sink.name})

    async def _give_from(
        self, sink: Sink, place: Place, given: Given, until: int, known: Sequence[LogEntry]
    ) -> Given:
        """The place, free again, with everything up to `until` given."""
        while True:
            entries = await self._entries_after(given.sequence, known)
            if entries and entries[0].sequence > given.sequence + 1:
                gap = {"sink": sink.name, "missed": entries[0].sequence - given.sequence - 1}
                _log.error("A sink has missed changes that are no longer kept.", extra=gap)
            await sink.take(self._family, entries)
            last = entries[-1].sequence if entries else until
            given = await place.advance(given, last, held=last < until)
            if last >= until:
                return given

    async def _entries_after(self, sequence: int, known: Sequence[LogEntry]) -> Sequence[LogEntry]:
        following = [entry for entry in known if entry.sequence > sequence]
        if following and following[0].sequence == sequence + 1:
            return following
        return await self._log.after(sequence, STEP_SEGMENTS)
