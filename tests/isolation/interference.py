"""The same requests of one tenant twice, alone and beside a hostile neighbour: not one byte may differ."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace

from graphql_api.auth.identity import Role
from tests.asgi import Reply
from tests.isolation.arguments import CREATIONS, KINDS, OPERATIONS, Drawing
from tests.isolation.party import PAIRS, IsolationError, Party, global_id, plain, repeatable
from tests.isolation.request import Request
from tests.isolation.sources import OWN_SALTS, predicted_uid
from tests.isolation.stage import Plant, Stage
from tests.world import Caller

# After one creation of each kind.
STEPS = 9
A_DAY_AND_AN_HOUR = 25 * 3600
NOISE = (
    b"{",
    b"[]",
    b'{"query": "{"}',
    b'{"query": "{ nothing }"}',
    b'{"query": "query ($id: ID!) { task(id: $id) { title } }", "variables": {"id": 1e999}}',
    b'{"query": "{ users(first: 100) { edges { node { tasks(first: 100) { edges { cursor } } } } } }"}',
    b'{"query": "{ ' + b"a: viewer { id } " * 40 + b'}"}',
)


@dataclass(frozen=True)
class Exchange:
    caller: Caller
    request: Request
    request_id: str
    reply: Reply


async def compare(endpoint: str, seed: int, plant: Plant | None = None) -> None:
    """Raise IsolationError if the trace of this seed goes differently beside a neighbour."""
    alone = await _Trace(endpoint, seed, plant).run()
    beside = await _Trace(endpoint, seed, plant).run(foreseen=alone)
    for step, (quiet, loud) in enumerate(zip(alone, beside, strict=True)):
        if quiet != loud:
            asked = f"{quiet.caller} asked for {quiet.request.root} {plain(quiet.request.arguments)}"
            raise IsolationError(
                f"trace {seed}, step {step}: {asked}\nalone:  {quiet.reply}\nbeside: {loud.reply}"
            )


class _Trace:
    """One run of a seed. Every choice of the tenant comes from its own generator and its own answers."""

    def __init__(self, endpoint: str, seed: int, plant: Plant | None) -> None:
        self._same_uids = bool(seed % 2)
        one, another = PAIRS[seed % len(PAIRS)]
        slugs = (another, one) if seed % 3 == 0 else (one, another)
        self._stage = Stage(endpoint, slugs, same_uids=self._same_uids)
        self._plant = plant
        self._choice = repeatable(f"{seed} tenant")
        self._noise = repeatable(f"{seed} neighbour")
        self._exchanges: list[Exchange] = []

    async def run(self, foreseen: Sequence[Exchange] = ()) -> list[Exchange]:
        """The tenant's exchanges, beside a neighbour who foresees each of them if there is any to foresee."""
        self._foreseen = foreseen
        stage = self._stage
        try:
            await stage.open(self._plant)
            self._tenant, self._neighbour = stage.parties
            # What the tenant may try of its neighbour's must not depend on the neighbour: it guesses.
            self._guessed = self._guess()
            for root in (*self._choice.sample(CREATIONS, len(CREATIONS)), *[None] * STEPS):
                if foreseen:
                    await self._disturb()
                    await self._step(root, [self._attack() for _ in range(self._noise.randrange(2))])
                else:
                    await self._step(root)
        finally:
            await stage.close()
        if self._plant is None:
            assert not stage.world.guard.refused
        return self._exchanges

    def _guess(self) -> Party:
        salt = 0 if self._same_uids else OWN_SALTS[1]
        uids = [predicted_uid(number, salt) for number in range(4, 12)]
        ids = {kind: [global_id(kind, uid) for uid in uids] for kind in KINDS}
        return Party(self._neighbour.slug, 1, ids=defaultdict(list, ids))

    async def _step(self, root: str | None, meanwhile: Sequence[Awaitable[None]] = ()) -> None:
        request = Drawing(self._choice.choice, self._tenant, self._guessed).request(root)
        people = (*self._tenant.people[1:2] * 6, *self._tenant.people)
        caller = self._choice.choice((*people, self._stranger(self._tenant, self._neighbour)))
        seconds = self._choice.choice((1,) * 30 + (40, A_DAY_AND_AN_HOUR))
        request_id = f"request-{len(self._exchanges):04}"
        others = asyncio.gather(*meanwhile)
        reply = await self._stage.send(caller, request, request_id, seconds=seconds)
        await others
        if caller in self._tenant.people:
            self._tenant.learn(request.root, request.arguments, reply.json().get("data"))
        self._exchanges.append(Exchange(caller, request, request_id, reply))

    def _stranger(self, party: Party, other: Party) -> Caller:
        return Caller(party.slug, Role.ADMIN, other.people[0].subject)

    async def _disturb(self) -> None:
        """What the neighbour does between two requests of the tenant: much, little, or a flood at once."""
        if self._noise.choice((False, True, True)):
            await self._mimic(len(self._exchanges))
        number = self._noise.choice((0, 0, 0, 1, 2, 5))
        if number > 2:
            await asyncio.gather(*(self._attack() for _ in range(number)))
        else:
            for _ in range(number):
                await self._attack()

    async def _attack(self) -> None:
        kind = self._noise.choice(("work", "work", "work", "mimic", "noise", "operator"))
        everybody = (*self._neighbour.people, self._stranger(self._neighbour, self._tenant))
        caller, request_id = self._noise.choice(everybody), f"request-{len(self._exchanges):04}"
        if kind == "noise":
            headers = {"content-type": "application/json"}
            await self._stage.post(caller, self._noise.choice(NOISE), headers, request_id)
        elif kind == "operator":
            await self._stage.send(self._stage.operator.people[0], self._operation(), request_id)
        elif kind == "mimic":
            await self._mimic(self._noise.randint(0, len(self._exchanges)))
        else:
            await self._work(caller, request_id)

    async def _mimic(self, step: int) -> None:
        """To the letter what the tenant sent or is about to send: its ids, keys and request id included."""
        seen = self._foreseen[step]
        request = seen.request
        if "input" in request.arguments and self._noise.choice((False, False, False, True)):
            # ... and for the tenant, if inputs were asked.
            given = {**request.arguments["input"], "tenant": self._tenant.slug}
            request = replace(request, arguments={"input": given})
        double = next((p for p in self._neighbour.people if p.subject == seen.caller.subject), None)
        await self._stage.send(double or self._neighbour.people[1], request, seen.request_id)

    async def _work(self, caller: Caller, request_id: str) -> None:
        own, other = self._neighbour, self._tenant
        if self._noise.choice((False, True)):
            # In the tenant's own words, perhaps before the tenant.
            own, other = replace(own, slug=other.slug), replace(other, slug=own.slug)
        request = Drawing(self._noise.choice, own, other).request()
        reply = await self._stage.send(caller, request, request_id)
        if caller in self._neighbour.people:
            self._neighbour.learn(request.root, request.arguments, reply.json().get("data"))

    def _operation(self) -> Request:
        slugs = (self._neighbour.slug, "late-1", "late-10")
        drawing = Drawing(self._noise.choice, self._stage.operator, self._neighbour, slugs=slugs)
        return drawing.request(self._noise.choice(OPERATIONS))
