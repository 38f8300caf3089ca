"""The walk through every field: by both tenants over each other's things, and by one beside the other."""

from collections.abc import Awaitable, Iterator, Sequence
from typing import Any

from tests.asgi import Reply
from tests.isolation.arguments import BY_NOBODY, OPERATIONS, Drawing
from tests.isolation.documents import roots
from tests.isolation.laps import LAPS, STRANGER, Lap, methods
from tests.isolation.party import PAIRS, Party, Pick
from tests.isolation.request import Request
from tests.isolation.stage import Plant, Stage
from tests.isolation.trace import Trace, require_no_difference
from tests.isolation.trial import LATECOMERS, Trial
from tests.world import Caller

# The platform's lists have no place in a tenant's change log, and no file of an export is an operator's; the
# rest of the answer stands.
REFUSED_PATHS = {
    "tenants": [["result", "eventCursor"]],
    "platformAuditEvents": [["result", "eventCursor"]],
    "eraseTenant": [["result", "job", "file"]],
}


async def walk(trial: Trial, laps: Sequence[Lap] = LAPS) -> set[tuple[str, str, str]]:
    """Whom no field has served: slug, field and method, of mutations the first alone; without what is for
    nobody known. Raises IsolationError
    for what shows in another.
    """
    mutations = {(root, "SOCKET") for root, (keyword, _) in roots().items() if keyword == "mutation"}
    ways = {(root, method) for root in roots() for method in methods(root)} - mutations
    parties = {party.slug: party for party in (*trial.stage.parties, trial.stage.operator)}
    missing = {
        (party.slug, *way)
        for party in parties.values()
        for way in ways
        if (party is trial.stage.operator) == (way[0] in OPERATIONS) and way[0] not in BY_NOBODY
    }
    for each in laps:
        for root, person in each.steps():
            for asked in each_step(trial, each, root, person):
                for (party, _, request), reply in zip(asked, await trial.serve(*asked), strict=True):
                    if succeeded(request.root, reply):
                        missing.discard((party.slug, request.root, request.method))
            await trial.pump()
        for party in trial.stage.parties:
            await trial.hang_up(party)
    return missing - {(slug, root, "SOCKET") for slug, root in trial.told}


def each_step(
    trial: Trial, lap: Lap, root: str, person: int
) -> Iterator[list[tuple[Party, Caller, Request]]]:
    """What is to be asked at once; drawn when it is to be asked, from what has been learnt by then."""
    if root in OPERATIONS:
        yield [_operation(trial, lap.pick, root)]
    if lap.at_once:
        yield [_asked(trial, lap.pick, party, root, person) for party in trial.stage.parties]
    else:
        for party in trial.stage.parties:
            yield [_asked(trial, lap.pick, party, root, person)]


def succeeded(root: str, reply: Reply) -> bool:
    payload: dict[str, Any] = reply.json()
    result = (payload.get("data") or {}).get("result")
    refused = [error.get("path") for error in payload.get("errors", ())]
    return bool(result) and "code" not in result and refused == REFUSED_PATHS.get(root, [])


def _asked(trial: Trial, pick: Pick, party: Party, root: str, person: int) -> tuple[Party, Caller, Request]:
    caller = trial.stranger(party) if person == STRANGER else party.people[person]
    return party, caller, trial.drawing(pick, party).request(root)


def _operation(trial: Trial, pick: Pick, root: str) -> tuple[Party, Caller, Request]:
    operator, (one, _) = trial.stage.operator, trial.stage.parties
    return operator, operator.people[0], trial.drawing(pick, operator, other=one).request(root)


class WalkingTrace(Trace):
    """A lap of the tenant; its neighbour goes before it to the letter, and is on the next lap itself."""

    def __init__(self, endpoint: str, number: int, plant: Plant | None) -> None:
        same_uids = bool(number % 2)
        super().__init__(Stage(endpoint, PAIRS[number % len(PAIRS)], same_uids=same_uids), plant)
        self._lap, self._next = LAPS[number], LAPS[(number + 1) % len(LAPS)]

    async def _go(self) -> None:
        for root, person in self._lap.steps():
            meanwhile: list[Awaitable[None]] = []
            if self.foreseen:
                await self._disturb(root, person)
                if self._lap.at_once:
                    meanwhile.append(self.repeated(len(self.exchanges)))
            request = Drawing(self._lap.pick, self.tenant, self.guessed).request(root)
            caller = self.stranger(self.tenant) if person == STRANGER else self.tenant.people[person]
            await self.taken(caller, request, meanwhile=meanwhile)

    async def _disturb(self, root: str, person: int) -> None:
        inputs = {"tenant": self.tenant.slug} if self._lap.at_once else None
        await self.repeated(len(self.exchanges), inputs)
        if root in OPERATIONS:
            drawing = Drawing(self._next.pick, self.stage.operator, self.neighbour, slugs=LATECOMERS)
            await self.worked(self.stage.operator.people[0], drawing.request(root))
        else:
            drawing = Drawing(self._next.pick, self.neighbour, self.tenant)
            await self.worked(self.neighbour.people[person], drawing.request(root))


async def compare_lap(endpoint: str, number: int, plant: Plant | None = None) -> None:
    """Raise IsolationError if the lap goes differently beside a neighbour."""
    await require_no_difference(lambda: WalkingTrace(endpoint, number, plant))
