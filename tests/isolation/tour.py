"""Requests for every field that the schema has, until each has succeeded for everybody who may make it."""

from typing import Any

from tests.asgi import Reply
from tests.isolation.arguments import OPERATIONS, Drawing
from tests.isolation.documents import roots
from tests.isolation.judge import Judge
from tests.isolation.party import repeatable
from tests.isolation.stage import Stage

MOST_REQUESTS = 1000


def succeeded(reply: Reply) -> bool:
    payload: dict[str, Any] = reply.json()
    result = (payload.get("data") or {}).get("result")
    return bool(result) and not payload.get("errors") and "code" not in result


async def tour(stage: Stage) -> set[tuple[str, str]]:
    """Who has not succeeded with which root field. Raises IsolationError for what shows in another."""
    choice = repeatable("tour").choice
    missing = {(party.slug, root) for party in stage.parties for root in roots() if root not in OPERATIONS}
    missing |= {(stage.operator.slug, root) for root in OPERATIONS}
    everybody = {party.slug: party for party in (*stage.parties, stage.operator)}
    judge = Judge(stage, await stage.rows())
    for number in range(MOST_REQUESTS):
        if not missing:
            break
        slug, root = choice(sorted(missing))
        party = everybody[slug]
        if party is not stage.operator:
            root = choice((root, root, root, "createProject", "createTask", "addComment"))
        other = stage.parties[party is stage.parties[0]]
        drawing = Drawing(choice, party, other, slugs=("late-1", "late-10"))
        request = drawing.request(root)
        reply = await stage.send(party.people[0], request, f"request-{number:04}")
        judge.stored(await stage.rows(), party)
        judge.heard(party, party.people[0], request, reply)
        judge.logged(party, party.people[0])
        party.learn(root, request.arguments, reply.json().get("data"))
        if succeeded(reply):
            missing.discard((slug, root))
    return missing
