"""Random requests of one tenant, alone and beside a neighbour who does its worst."""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import replace

from tests.isolation.arguments import CREATIONS, OPERATIONS, SUBSCRIPTIONS, Drawing
from tests.isolation.party import PAIRS, repeatable
from tests.isolation.request import Request
from tests.isolation.stage import Plant, Stage
from tests.isolation.trace import Trace, require_no_difference
from tests.world import Caller

# After a subscription and one creation of each kind.
STEPS = 8
A_DAY_AND_AN_HOUR = 25 * 3600
NOISE_OF_A_SOCKET = (
    '{"type": "ping"}',
    '{"type": "complete", "id": "request-0001"}',
    '{"type": "connection_init"}',
    '{"type": "subscribe", "id": "1", "payload": {"query": "subscription { taskChanged { id } }"}}',
    "{",
)
NOISE = (
    b"{",
    b"[]",
    b'{"query": "{"}',
    b'{"query": "{ nothing }"}',
    b'{"query": "query ($id: ID!) { task(id: $id) { title } }", "variables": {"id": 1e999}}',
    b'{"query": "{ users(first: 100) { edges { node { tasks(first: 100) { edges { cursor } } } } } }"}',
    b'{"query": "{ ' + b"a: viewer { id } " * 40 + b'}"}',
)


async def compare(endpoint: str, seed: int, plant: Plant | None = None) -> None:
    """Raise IsolationError if the trace of this seed goes differently beside a neighbour."""
    await require_no_difference(lambda: RandomTrace(endpoint, seed, plant))


class RandomTrace(Trace):
    """A few steps that follow from a seed: the tenant's and the neighbour's choices have a generator each."""

    def __init__(self, endpoint: str, seed: int, plant: Plant | None) -> None:
        one, another = PAIRS[seed % len(PAIRS)]
        slugs = (another, one) if seed % 3 == 0 else (one, another)
        super().__init__(Stage(endpoint, slugs, same_uids=bool(seed % 2)), plant)
        self._choice = repeatable(f"{seed} tenant")
        self._noise = repeatable(f"{seed} neighbour")

    async def _go(self) -> None:
        listening = self._choice.choice(SUBSCRIPTIONS)
        for root in (listening, *self._choice.sample(CREATIONS, len(CREATIONS)), *[None] * STEPS):
            if self.foreseen:
                await self._disturb()
                await self._step(root, [self._attack() for _ in range(self._noise.randrange(2))])
            else:
                await self._step(root)

    async def _step(self, root: str | None, meanwhile: Sequence[Awaitable[None]] = ()) -> None:
        request = Drawing(self._choice.choice, self.tenant, self.guessed).request(root)
        people = (*self.tenant.people[1:2] * 6, *self.tenant.people)
        caller = self._choice.choice((*people, self.stranger(self.tenant)))
        seconds = self._choice.choice((1,) * 30 + (40, A_DAY_AND_AN_HOUR))
        if self._choice.choice((False,) * 9 + (True,)):
            await self.stage.sockets.hang_up(self.tenant.slug)
        await self.taken(caller, request, seconds, meanwhile)

    async def _disturb(self) -> None:
        """What the neighbour does between two requests of the tenant: much, little, or a flood at once."""
        if self._noise.choice((False, True, True)):
            await self._mimic(len(self.exchanges))
        number = self._noise.choice((0, 0, 0, 1, 2, 5))
        if number > 2:
            await asyncio.gather(*(self._attack() for _ in range(number)))
        else:
            for _ in range(number):
                await self._attack()

    async def _attack(self) -> None:
        kind = self._noise.choice(("work", "work", "work", "mimic", "noise", "operator", "tell"))
        caller = self._noise.choice((*self.neighbour.people, self.stranger(self.neighbour)))
        if kind == "noise":
            headers = {"content-type": "application/json"}
            await self.stage.deliver(caller, self._noise.choice(NOISE), headers, self.request_id)
            await self.stage.sockets.say(caller, self._noise.choice(NOISE_OF_A_SOCKET))
        elif kind == "operator":
            await self.stage.send(self.stage.operator.people[0], self._operation(), self.request_id)
        elif kind == "tell":
            await self.stage.sockets.hang_up(self.neighbour.slug)
            await self.stage.pump()
        elif kind == "mimic":
            await self._mimic(self._noise.randint(0, len(self.exchanges)))
        else:
            await self._work(caller)

    async def _mimic(self, step: int) -> None:
        # ... and for the tenant, if inputs were asked.
        for_it = self._noise.choice((False, False, False, True))
        await self.repeated(step, {"tenant": self.tenant.slug} if for_it else None)

    async def _work(self, caller: Caller) -> None:
        own, other = self.neighbour, self.tenant
        if self._noise.choice((False, True)):
            # In the tenant's own words, perhaps before the tenant.
            own, other = replace(own, slug=other.slug), replace(other, slug=own.slug)
        await self.worked(caller, Drawing(self._noise.choice, own, other).request())

    def _operation(self) -> Request:
        slugs = (self.neighbour.slug, "late-1", "late-10")
        drawing = Drawing(self._noise.choice, self.stage.operator, self.neighbour, slugs=slugs)
        return drawing.request(self._noise.choice(OPERATIONS))
