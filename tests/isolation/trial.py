"""Requests on a stage, each judged when it is answered; a search only has to choose them."""

import asyncio
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from graphql_api.auth.identity import Role
from tests.asgi import Reply
from tests.isolation.arguments import LISTS, Drawing
from tests.isolation.judge import PLATFORM, Judge, ids_in
from tests.isolation.party import REMEMBERED, IsolationError, Party, Pick, plain
from tests.isolation.request import Request
from tests.isolation.sockets import Client
from tests.isolation.stage import Plant, Stage
from tests.world import Caller

THREE_HOURS = 3 * 3600
LATECOMERS = ("late-1", "late-10")

_BUDGET = re.compile(r',?"rateLimit":{[^}]*}')
_SEAL = re.compile(r'(?<="endCursor":")([^"]*?)[^"]{23}(?=")')


class Trial:
    """Two tenants and all that is asked of the product. Raises IsolationError for the first wrong thing.

    `past` are, by tenant, requests with an idempotency key that may be sent once more; `told` are, with the
    tenant, the subscriptions that have heard of something.
    """

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.past: defaultdict[str, list[Request]] = defaultdict(list)
        self.told: set[tuple[str, str]] = set()
        self._sent: Counter[str] = Counter()

    async def open(self, plant: Plant | None = None) -> None:
        """Each party has cursors from the beginning."""
        await self.stage.open(plant)
        self._judge = Judge(self.stage, await self.stage.rows(), await self.stage.control_rows())
        for root in LISTS:
            for party in self.stage.parties:
                await self.serve((party, party.people[0], Request(root, {"first": 1})))

    async def close(self) -> None:
        await self.stage.close()

    def drawing(self, pick: Pick, party: Party, *, other: Party | None = None) -> Drawing:
        """What a party may ask; of the operator's two neighbours, `other` says which."""
        if other is not None:
            slugs = (*LATECOMERS, *(each.slug for each in self.stage.parties))
            return Drawing(pick, party, other, slugs=slugs)
        return Drawing(pick, party, self.stage.other(party), taken=ids_in(self._judge.rows, party.slug))

    def stranger(self, party: Party) -> Caller:
        """Somebody whom the other tenant knows, with a token for this one."""
        return Caller(party.slug, Role.ADMIN, self.stage.other(party).people[0].subject)

    async def serve(self, *asked: tuple[Party, Caller, Request]) -> Sequence[Reply]:
        """The replies to requests that come at once."""
        replies = await asyncio.gather(*(self._send(*each) for each in asked))
        for (_, caller, request), reply in zip(asked, replies, strict=True):
            if request.foreign:
                await self._require_indifference(caller, request, reply)
        operator = self.stage.operator
        await self._look({PLATFORM if party is operator else party.slug for party, _, _ in asked})
        for each, reply in zip(asked, replies, strict=True):
            self._hear(*each, reply)
        return replies

    async def pump(self) -> None:
        """Let what has changed come to those who listen."""
        if slugs := await self.stage.pump():
            await self._look(slugs)
            for party in self.stage.parties:
                self._judge.logged(party, party.people[0])

    async def sweep(self) -> int:
        """Hours later, close the sockets that nobody has ended; how many that were."""
        await self.stage.sweep()
        self.stage.sources.seconds[None] += THREE_HOURS
        closed = await self.stage.sweep()
        await self._look({party.slug for party in self.stage.parties})
        return closed

    async def flush(self) -> None:
        """Write down what all have used."""
        await self.stage.world.services.usage.flush_all(10)
        await self._look({*(party.slug for party in self.stage.parties), *LATECOMERS})

    async def hang_up(self, party: Party) -> None:
        """End the party's sockets."""
        await self.stage.sockets.hang_up(_tenant_of(party))
        await self._look({party.slug})

    async def _look(self, slugs: set[str]) -> None:
        """At the tables and the sockets, after something was done for these owners."""
        self._judge.stored(await self.stage.rows(), await self.stage.control_rows(), slugs)
        for party in (*self.stage.parties, self.stage.operator):
            for client, frame, said in self.stage.sockets.taken(_tenant_of(party)):
                self._judge.received(party, client, frame, said)
                if client.caller in party.people:
                    self._learn(party, client, frame)

    def _learn(self, party: Party, client: Client, frame: dict[str, Any]) -> None:
        payload = frame.get("payload", {})
        if frame["type"] == "next" and frame["id"] in client.held and payload["data"]:
            self.told.add((party.slug, client.held[frame["id"]]))
        party.learn("", {}, payload)

    async def _send(self, party: Party, caller: Caller, request: Request) -> Reply:
        # Both number their requests alike.
        self._sent[party.slug] += 1
        if not request.foreign and (request.arguments.get("input") or {}).get("idempotencyKey"):
            self.past[party.slug] = [*self.past[party.slug], request][-REMEMBERED:]
        return await self.stage.send(caller, request, f"request-{self._sent[party.slug]:04}")

    async def _require_indifference(self, caller: Caller, request: Request, reply: Reply) -> None:
        """What names another tenant's thing is answered as if there were no such thing."""
        plainly = await self.stage.send(
            caller, request.with_stand_ins(), reply.headers["x-request-id"], seconds=0
        )
        if verdict(request, reply) != verdict(request, plainly):
            raise IsolationError(f"{plain(request.arguments)} is told from what never was: {reply} {plainly}")

    def _hear(self, party: Party, caller: Caller, request: Request, reply: Reply) -> None:
        self._judge.heard(party, caller, request, reply)
        self._judge.logged(party, caller)
        if caller in party.people:
            party.learn(request.root, request.arguments, reply.json().get("data"))


def _tenant_of(party: Party) -> str | None:
    return party.people[0].tenant


def verdict(request: Request, reply: Reply) -> Any:
    """What there is to compare of two answers: everything, with five exceptions.

    New things in a batch differ by their ids: their kind is compared. An answer may repeat what it was asked:
    stand-ins count as what they stand for. Without data nothing was executed, and the request is repeated in
    part: its codes are compared. What is left of a budget is the tenant's own, and less after each request.
    A cursor is sealed together with its list's filter: its place is compared, its seal is not.
    """
    answer = reply.json()
    if "data" not in answer:
        return reply.status, [error["extensions"]["code"] for error in answer["errors"]]
    result = (answer["data"] or {}).get("result")
    if request.root == "createTasks" and result and "results" in result:
        return [each.get("message", each["__typename"]) for each in result["results"]]
    body = _SEAL.sub(r"\1", _BUDGET.sub("", reply.body.decode()))
    for foreign, stand_in in request.foreign.items():
        body = body.replace(stand_in, foreign)
    return reply.status, body
