"""What goes wrong in one schedule, how often, and when a process dies of it."""

import asyncio
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from random import Random

from graphql_api.store.keys import Family
from graphql_api.store.table import StoreBusyError
from tests.reliability.realtime.gateway import Accident

POST_ACCIDENTS: tuple[Accident, ...] = (
    410,
    413,
    429,
    429,
    500,
    500,
    "lost",
    "lost",
    "late",
    "dropped",
    "hangs",
)
MAX_SKEW = 300.0  # seconds
_SLUGGISH = 20.0


class KilledError(Exception):
    """The process ended before its function did."""


class FunctionError(Exception):
    """The function raised."""


@dataclass(slots=True)
class Invocation:
    """A function's run: after `steps` calls to the outside its process is gone; None lives on.

    Each of its calls takes `slowness` times as long as usual.
    """

    steps: int | None = None
    slowness: float = 1.0
    is_dead: bool = False
    task: "asyncio.Task[object] | None" = None

    def step(self) -> None:
        """One more call to the outside; a dead process makes none."""
        if self.steps is not None:
            self.steps -= 1
            if self.steps < 0:
                self.die()
        if self.is_dead:
            raise asyncio.CancelledError

    def die(self) -> None:
        """End the process, wherever it stands."""
        self.is_dead = True
        if self.task is not None:
            self.task.cancel()


INVOCATION: ContextVar[Invocation | None] = ContextVar("invocation", default=None)


@dataclass(slots=True, kw_only=True)
class Plan:
    """Chances of what goes wrong, each for one call, invocation, connection or batch; nought by default.

    throttled    a call of the database is refused
    lost         a commit or an addition takes effect, and its answer is lost
    slow         a call takes seconds
    sluggish     all calls of an invocation take long
    killed       a stream function's process ends midway; `sockets_killed`: one of a socket
    post         a post or a disconnect meets with one of `accidents`
    drops        a connection is dropped early on; all are after a while
    ghosts       nobody is told that a connection has ended
    rereading    a reader goes back over delivered batches
    skew         seconds by which the clocks of consumers are wrong at most
    lifetime     of a connection, and `pace` of a writer between two of its `writes`: seconds on average
    """

    throttled: float = 0.0
    lost: float = 0.0
    slow: float = 0.0
    sluggish: float = 0.0
    killed: float = 0.0
    sockets_killed: float = 0.0
    post: float = 0.0
    accidents: Sequence[Accident] = POST_ACCIDENTS
    drops: float = 0.0
    ghosts: float = 0.0
    rereading: float = 0.0
    skew: float = 0.0
    lifetime: float = 25.0
    pace: float = 4.0
    writes: int = 5
    readers: int = 1
    poison: bool = False
    suspensions: bool = False


def anything(dice: Random) -> Plan:
    """A plan by chance: each fault is absent from some schedules, rare in most and common in others."""

    def often(most: float) -> float:
        return dice.choice((0.0, most / 10, most / 3, most))

    return Plan(
        throttled=often(0.04),
        lost=often(0.02),
        slow=often(0.01),
        sluggish=often(0.3),
        killed=often(0.5),
        sockets_killed=often(0.1),
        post=often(0.3),
        drops=often(0.5),
        ghosts=often(1.0),
        rereading=often(0.5),
        skew=dice.choice((0.0, 0.0, MAX_SKEW)),
        lifetime=dice.choice((8.0, 25.0)),
        pace=dice.choice((1.5, 4.0)),
        readers=dice.choice((1, 1, 2)),
        poison=dice.random() < 0.15,
        suspensions=dice.random() < 0.3,
    )


# Connections come and go, and somebody always writes: the time in which replay and fan-out meet.
RESTLESS = Plan(sluggish=0.3, lifetime=4.0, pace=0.8, writes=30)


@dataclass(slots=True)
class Weather:
    """A plan at work, until it `is_calm`."""

    plan: Plan
    dice: Random
    is_calm: bool = False
    seen: dict[str, int] = field(default_factory=dict[str, int])

    def strikes(self, what: str, chance: float) -> bool:
        """Whether something goes wrong now."""
        if self.is_calm or not chance or self.dice.random() >= chance:
            return False
        self.seen[what] = self.seen.get(what, 0) + 1
        return True

    async def before(self, call: str, _: Family, __: Sequence[str]) -> None:
        """The way of a call to the database."""
        await self.travel()
        if self.strikes("throttled", self.plan.throttled):
            raise StoreBusyError

    async def after(self, call: str, _: Family, __: Sequence[str]) -> None:
        """The way of its answer."""
        if self.dice.random() < 0.5:
            await self.travel()
        if call in ("commit", "add") and self.strikes("lost", self.plan.lost):
            raise StoreBusyError

    async def travel(self) -> None:
        """As long as a call takes: milliseconds as a rule."""
        invocation = INVOCATION.get()
        if invocation is not None:
            invocation.step()
        delay = 0.001 * 100 ** self.dice.random()
        if invocation is not None and not self.is_calm:
            delay *= invocation.slowness
        if self.strikes("slow", self.plan.slow):
            delay = self.dice.uniform(1, 20)
        await asyncio.sleep(delay)
        if invocation is not None and invocation.is_dead:
            raise asyncio.CancelledError

    def accident(self, operation: str) -> Accident:
        """What becomes of a call of the management API."""
        if self.strikes("post", self.plan.post):
            return self.dice.choice(self.plan.accidents)
        return None

    def invocation(self, chance: float) -> Invocation:
        """A run that may be cut off."""
        steps = self.dice.randint(0, 40) if self.strikes("killed", chance) else None
        return Invocation(steps, _SLUGGISH if self.strikes("sluggish", self.plan.sluggish) else 1.0)
