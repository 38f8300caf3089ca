"""The same requests of one tenant twice, alone and beside a neighbour: not one byte may differ."""

import asyncio
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from graphql_api.auth.identity import Role
from tests.asgi import Reply
from tests.isolation.arguments import KINDS
from tests.isolation.party import IsolationError, Party, global_id, plain
from tests.isolation.request import Request
from tests.isolation.sources import OWN_SALTS, predicted_uid
from tests.isolation.stage import Plant, Stage
from tests.world import Caller


@dataclass(frozen=True)
class Exchange:
    caller: Caller
    request: Request
    request_id: str
    reply: Reply
    frames: tuple[str, ...]


async def require_no_difference(new_trace: Callable[[], "Trace"]) -> None:
    """Raise IsolationError if a trace goes differently beside a neighbour."""
    alone = await new_trace().run()
    beside = await new_trace().run(foreseen=alone)
    for step, (quiet, loud) in enumerate(zip(alone, beside, strict=True)):
        if quiet != loud:
            asked = f"{quiet.caller} asked for {quiet.request.root} {plain(quiet.request.arguments)}"
            answers = (f"{each.reply} {each.frames}" for each in (quiet, loud))
            raise IsolationError("\n".join((f"step {step}: {asked}", *answers)))


class Trace(ABC):
    """One run of a tenant. Its choices, made by a subclass, come from nothing but its own answers."""

    def __init__(self, stage: Stage, plant: Plant | None) -> None:
        self.stage = stage
        self.exchanges: list[Exchange] = []
        self.foreseen: Sequence[Exchange] = ()
        self._plant = plant

    async def run(self, foreseen: Sequence[Exchange] = ()) -> list[Exchange]:
        """The tenant's exchanges, beside a neighbour who foresees each of them if there is any to foresee."""
        self.foreseen = foreseen
        stage = self.stage
        try:
            await stage.open(self._plant)
            self.tenant, self.neighbour = stage.parties
            # What the tenant may try of its neighbour's must not depend on the neighbour: it guesses.
            self.guessed = self._guess()
            await self._go()
        finally:
            await stage.close()
        if self._plant is None:
            assert not stage.world.guard.refused
        return self.exchanges

    @abstractmethod
    async def _go(self) -> None:
        """Have the tenant's steps `taken`; where exchanges are foreseen, with a neighbour about."""

    async def taken(
        self, caller: Caller, request: Request, seconds: int = 1, meanwhile: Sequence[Awaitable[None]] = ()
    ) -> None:
        """A step of the tenant, what the neighbour does during it, and what the tenant's clients are sent."""
        others = asyncio.gather(*meanwhile)
        reply = await self.stage.send(caller, request, self.request_id, seconds=seconds)
        await others
        if caller in self.tenant.people:
            self.tenant.learn(request.root, request.arguments, reply.json().get("data"))
        await self.stage.pump()
        self._listen(self.neighbour)
        told = tuple(self._listen(self.tenant))
        self.exchanges.append(Exchange(caller, request, self.request_id, reply, told))

    def _listen(self, party: Party) -> list[str]:
        """What a party's clients were sent, strangers' among them, who learn nothing from it."""
        told: list[str] = []
        for client, frame, _ in self.stage.sockets.taken(party.slug):
            if client.caller in party.people:
                party.learn("", {}, frame.get("payload"))
            told.append(f"{client.caller.subject}: {plain(frame)}")
        return told

    @property
    def request_id(self) -> str:
        """Both number their requests alike."""
        return f"request-{len(self.exchanges):04}"

    async def repeated(self, step: int, inputs: Mapping[str, str] | None = None) -> None:
        """By the neighbour, to the letter what the tenant sent or is about to send: its ids, keys and request
        id included; `inputs` are put into its input, if there is one.
        """
        seen = self.foreseen[step]
        request = seen.request
        if inputs and "input" in request.arguments:
            request = replace(request, arguments={"input": {**request.arguments["input"], **inputs}})
        double = next((p for p in self.neighbour.people if p.subject == seen.caller.subject), None)
        await self.stage.send(double or self.neighbour.people[1], request, seen.request_id)

    async def worked(self, caller: Caller, request: Request) -> None:
        """A request of the neighbour's own."""
        reply = await self.stage.send(caller, request, self.request_id)
        if caller in self.neighbour.people:
            self.neighbour.learn(request.root, request.arguments, reply.json().get("data"))

    def stranger(self, party: Party) -> Caller:
        """Somebody of the other tenant, with a token for this one."""
        return Caller(party.slug, Role.ADMIN, self.stage.other(party).people[0].subject)

    def _guess(self) -> Party:
        salt = 0 if self.stage.same_uids else OWN_SALTS[1]
        uids = [predicted_uid(number, salt) for number in range(4, 12)]
        ids = {kind: [global_id(kind, uid) for uid in uids] for kind in KINDS}
        return Party(self.neighbour.slug, 1, ids=defaultdict(list, ids))
