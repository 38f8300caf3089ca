"""Events to more and more subscribers, pushed by this API and by the peer in turn."""

import gc
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from bench.fanout.peer import Peer
from bench.fanout.questions import Payload, Question, other_document, other_variables, same
from bench.fanout.reading import Row
from bench.fanout.sink import Sink
from bench.fanout.system import System
from bench.tenant import BenchError
from bench.timing import Case
from graphql_api.handlers import loop

MIN_ROUNDS = 3


class Scenario(NamedTuple):
    """What they ask, and how many they are in the rows of it."""

    title: str
    question: Question
    sizes: Sequence[int]


THOROUGH = (
    Scenario("ask the same", same, (1, 10, 100, 1000)),
    Scenario("distinct variables", other_variables, (1000,)),
    # More than a process remembers of one tenant's documents, so each is parsed anew for each event.
    Scenario("distinct documents", other_document, (100, 1000)),
)
QUICK = (Scenario("ask the same", same, (1, 4)), Scenario("distinct variables", other_variables, (4,)))


@dataclass(frozen=True, slots=True)
class Effort:
    """Scenarios, the most rounds of a row, and the seconds after which its rounds end early."""

    scenarios: Sequence[Scenario]
    rounds: int
    seconds: float


def race(system: System, peer: Peer | None, sink: Sink, effort: Effort) -> list[Row]:
    """A row for each size of each scenario. Raises BenchError where a frame is missing."""
    rows: list[Row] = []
    for number, scenario in enumerate(effort.scenarios):
        course = _Course(system, peer, sink, scenario, number)
        rows += [course.row(size, effort) for size in scenario.sizes]
    return rows


class _Course:
    """One scenario: a project, a task that changes, and those who watch it."""

    def __init__(
        self, system: System, peer: Peer | None, sink: Sink, scenario: Scenario, number: int
    ) -> None:
        self._system, self._peer, self._sink = system, peer, sink
        self._scenario = scenario
        self._operation_id = str(number)
        self._subscribed = 0
        self._project_id, self._task = loop.run(system.new_project())
        if peer:
            peer.open(f"peer{number}")

    def row(self, size: int, effort: Effort) -> Row:
        """Let so many listen, and push events to them."""
        self._grow(size)
        first, ours = self._system.observe((self._change(), self._change()))
        self._expect(2 * size, self._system.nowhere.posts)
        peer = self._peer.observe(self._payload()) if self._peer else None
        self._expect(size if peer else 0, self._sink.taken())
        return Row(size, self._scenario.title, ours, first, peer, self._timed(size, effort))

    def _grow(self, size: int) -> None:
        numbers = range(self._subscribed, size)
        payloads = [self._scenario.question(number, self._project_id) for number in numbers]
        self._system.subscribe(self._subscribed, payloads, self._operation_id)
        if self._peer:
            self._peer.join(self._subscribed, payloads)
        self._subscribed = size
        self._sink.taken()
        self._system.nowhere.posts = 0

    def _timed(self, size: int, effort: Effort) -> Case:
        turns = [self._ours, self._unsent, *([self._published] if self._peer else [])]
        seconds = [list[float]() for _ in range(3)]
        for turn in turns:
            turn(size)
        stop = time.monotonic() + effort.seconds
        with _calm():
            for number in range(effort.rounds):
                if number >= MIN_ROUNDS and time.monotonic() > stop:
                    break
                places = list(enumerate(turns))
                for place, turn in places[:: -1 if number % 2 else 1]:
                    seconds[place].append(turn(size))
        return Case(self._scenario.title, seconds)

    def _ours(self, size: int) -> float:
        seconds = self._system.push(self._system.sent, self._change())
        self._expect(size, self._sink.taken())
        return seconds

    def _unsent(self, size: int) -> float:
        self._system.nowhere.posts = 0
        seconds = self._system.push(self._system.unsent, self._change())
        self._expect(size, self._system.nowhere.posts)
        return seconds

    def _published(self, size: int) -> float:
        assert self._peer is not None
        seconds = self._peer.publish(self._payload())
        self._expect(size, self._sink.taken())
        return seconds

    def _change(self) -> dict[str, object]:
        return self._system.change(self._task["id"])

    def _payload(self) -> Payload:
        """The same event, as the peer is told it."""
        return {
            "projectId": self._project_id,
            "id": "01J0000000000000000000000",
            "action": "UPDATED",
            "at": "2030-01-01T00:00:00.000000Z",
            "version": 2,
            "entityId": self._task["id"],
            "task": {name: value for name, value in self._task.items() if name != "version"},
        }

    def _expect(self, frames: int, posts: int) -> None:
        if posts != frames:
            raise BenchError(f"{posts} frames in place of {frames}: {self._system.nowhere.refusals[:1]}")


@contextmanager
def _calm() -> Iterator[None]:
    """Collections see the events' own garbage, as in a function that froze what it was built of."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
