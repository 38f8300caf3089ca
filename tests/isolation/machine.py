"""Two tenants at random work, judged after every request; Hypothesis looks for the order that goes wrong."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any, cast

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from graphql_api.auth.identity import Role
from tests.asgi import Reply
from tests.isolation.arguments import LISTS, OPERATIONS, Drawing
from tests.isolation.documents import roots
from tests.isolation.judge import Judge, ids_in
from tests.isolation.party import PAIRS, REMEMBERED, IsolationError, Party, Pick, plain, repeatable
from tests.isolation.request import Request
from tests.isolation.stage import Plant, Stage
from tests.world import Caller

NOBODY = Caller()
LATECOMERS = ("late-1", "late-10")


# A step is drawn as a number, and everything in it follows from the number: what is rare in a step is as rare
# as it is meant to be, and a shrunk run still has fewer steps.
choices = st.integers(0, 2**64)
# What Hypothesis always tries first, all through a run.
NOTHING = 0


def picking(choice: int) -> Pick:
    return repeatable(choice).choice


class TwoTenants(RuleBasedStateMachine):
    """What the two do, alone and at once; a mutant's `plant` is in the product from the first step on."""

    def __init__(self, runner: asyncio.Runner, endpoint: str, plant: Plant | None = None) -> None:
        super().__init__()
        self._runner = runner
        self._endpoint = endpoint
        self._plant = plant
        self._sent: Counter[str] = Counter()
        self._past: defaultdict[str, list[Request]] = defaultdict(list)
        self._stage: Stage | None = None

    @initialize(choice=choices)
    def found_two_tenants(self, choice: int) -> None:
        self._founding = choice

    @rule(choice=choices)
    def one_works(self, choice: int) -> None:
        if choice != NOTHING:
            self._runner.run(self._one_works(picking(choice)))

    @rule(choice=choices)
    def both_work_at_once(self, choice: int) -> None:
        if choice != NOTHING:
            self._runner.run(self._both_work(picking(choice)))

    def teardown(self) -> None:
        if self._stage is None:
            return
        self._runner.run(self._stage.close())
        if self._plant is None:
            assert not self._stage.world.guard.refused
            assert "Scan" not in self._stage.world.guard.operations

    async def _one_works(self, pick: Pick) -> None:
        stage = await self._ready()
        party = pick((*stage.parties * 4, stage.operator))
        await self._serve((party, *self._draw(pick, party)))

    async def _both_work(self, pick: Pick) -> None:
        stage = await self._ready()
        await self._serve(*((party, *self._draw(pick, party)) for party in stage.parties))

    async def _ready(self) -> Stage:
        """The stage, opened when something is to happen on it; each party has cursors from the beginning."""
        if self._stage is None:
            pick = picking(self._founding)
            self._stage = Stage(self._endpoint, pick(PAIRS), same_uids=pick((False, False, True)))
            await self._stage.open(self._plant)
            self._judge = Judge(self._stage, await self._stage.rows())
            for party in self._stage.parties:
                for root in LISTS:
                    await self._serve((party, party.people[0], Request(root, {"first": 1})))
        return self._stage

    @property
    def stage(self) -> Stage:
        assert self._stage is not None
        return self._stage

    def _draw(self, pick: Pick, party: Party) -> tuple[Caller, Request]:
        stage = self.stage
        if party is stage.operator:
            slugs = (*LATECOMERS, *(each.slug for each in stage.parties))
            drawing = Drawing(pick, party, pick(stage.parties), slugs=slugs)
            return party.people[0], drawing.request(pick((*OPERATIONS * 6, *roots())))
        other = stage.other(party)
        if (past := self._past[party.slug]) and pick((False,) * 5 + (True,)):
            request = pick(past)
        else:
            taken = ids_in(self._judge.rows, party.slug)
            request = Drawing(pick, party, other, taken=taken).request()
        # Somebody whom the other tenant knows, with a token for this one.
        stranger = Caller(party.slug, Role.ADMIN, other.people[0].subject)
        return pick((*party.people[1:2] * 6, *party.people * 2, stranger, NOBODY)), request

    async def _serve(self, *drawn: tuple[Party, Caller, Request]) -> None:
        replies = await asyncio.gather(*(self._send(*each) for each in drawn))
        for (_, caller, request), reply in zip(drawn, replies, strict=True):
            if request.foreign:
                await self._require_indifference(caller, request, reply)
        self._judge.stored(await self.stage.rows(), *(party for party, _, _ in drawn))
        for each, reply in zip(drawn, replies, strict=True):
            self._hear(*each, reply)

    async def _send(self, party: Party, caller: Caller, request: Request) -> Reply:
        # Both number their requests alike.
        self._sent[party.slug] += 1
        if not request.foreign and (request.arguments.get("input") or {}).get("idempotencyKey"):
            self._past[party.slug] = [*self._past[party.slug], request][-REMEMBERED:]
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


def run_two_tenants(machine: Callable[[], TwoTenants], *, shrink: bool = True) -> None:
    """Search with a seeded machine. Raises what its judge raises, after printing the steps that led there."""
    bounds = settings(
        max_examples=2,
        stateful_step_count=30,
        database=None,
        deadline=None,
        report_multiple_bugs=False,
        phases=[Phase.generate, Phase.shrink] if shrink else [Phase.generate],
        suppress_health_check=[HealthCheck.too_slow],
    )
    run_state_machine_as_test(cast("Any", machine), settings=bounds)


def verdict(request: Request, reply: Reply) -> Any:
    """What there is to compare of two answers: everything, with three exceptions.

    New things in a batch differ by their ids: their kind is compared. An answer may repeat what it was asked:
    stand-ins count as what they stand for. Without data nothing was executed, and the request is repeated in
    part: its codes are compared.
    """
    answer = reply.json()
    if "data" not in answer:
        return reply.status, [error["extensions"]["code"] for error in answer["errors"]]
    result = (answer["data"] or {}).get("result")
    if request.root == "createTasks" and result and "results" in result:
        return [each.get("message", each["__typename"]) for each in result["results"]]
    body = reply.body.decode()
    for foreign, stand_in in request.foreign.items():
        body = body.replace(stand_in, foreign)
    return reply.status, body
