"""The tenant that is measured, founded and filled by the API's own mutations."""

import asyncio
import itertools
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Address
from typing import Any

from graphql import OperationType

from graphql_api.auth.identity import Identity, Role
from graphql_api.bootstrap import Services
from graphql_api.deadline import Deadline
from graphql_api.operations import OperationRequest
from graphql_api.relay import parse_global_id

SLUG = "bench"
PEOPLE = ("Ada Berg", "Ben Ito", "Cleo Marsh", "Dan Okoro", "Eve Novak")
TASKS, BOARD_TASKS, COMMENTS = 120, 20, 4
_ADDRESSES = itertools.count(1)
FIELDS = frozenset({OperationType.QUERY, OperationType.MUTATION})


class BenchError(Exception):
    """An operation did not do what the measurement rests on."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What is there: global ids, and a caller who may see all of it. The tasks are the board's first."""

    admin: Identity
    email: str
    project_id: str
    task_ids: list[str]
    user_ids: list[str]
    comments_cursor: str


@dataclass(frozen=True, slots=True)
class Session:
    """Operations of one caller, from the pipeline inwards."""

    services: Services
    caller: Identity | None

    async def data(self, query: str, variables: dict[str, Any]) -> Any:
        """The data of an operation. Raises BenchError for one that fails."""
        # Each from an address of its own, as people are; what comes from one is bounded.
        address = str(IPv4Address(0x0A000000 + next(_ADDRESSES)))
        context = self.services.new_context(
            self.caller, request_id="bench", deadline=Deadline.after(30), address=address
        )
        try:
            request = OperationRequest(query, variables=variables)
            result = await self.services.operations.execute(request, context, allowed=FIELDS)
        finally:
            await context.close()
        if result.errors:
            raise BenchError(result.errors)
        return result.data

    async def mutate(self, field: str, selection: str, **payload: Any) -> Any:
        """The payload of one mutation. Raises BenchError for every other answer."""
        name = field[0].upper() + field[1:]
        data = await self.data(
            f"""mutation ($input: {name}Input!) {{ answer: {field}(input: $input) {{
                ... on {name}Payload {{ {selection} }} ... on Error {{ message }} }} }}""",
            {"input": payload},
        )
        if "message" in data["answer"]:
            raise BenchError(data["answer"]["message"])
        return data["answer"]


async def found(services: Services) -> Sample:
    """A tenant with a project of 120 tasks, the first 20 of which have 4 comments by several people."""
    operator = Session(services, Identity("operator", Role.PLATFORM, None, 0))
    email = "ada@bench.example"
    onboarded = await operator.mutate(
        "onboardTenant", "adminSubject", slug=SLUG, name="Bench", adminEmail=email, adminName=PEOPLE[0]
    )
    admin = Identity(onboarded["adminSubject"], Role.ADMIN, SLUG, 0)
    session = Session(services, admin)
    user_ids = [await invite(session, name) for name in PEOPLE[1:]]
    created = await session.mutate("createProject", "project { id }", name="Gripper arm")
    project_id = created["project"]["id"]
    rows = [_row(services, number, project_id, user_ids) for number in range(TASKS)]
    for start in range(0, TASKS, 60):
        await session.mutate("createTasks", "results { __typename }", tasks=rows[start : start + 60])
    board = await session.data(
        "query ($p: ID!, $n: Int!) { tasks(filter: { projectId: $p }, first: $n) { edges { node { id } } } }",
        {"p": project_id, "n": BOARD_TASKS},
    )
    task_ids = [edge["node"]["id"] for edge in board["tasks"]["edges"]]
    authors = [Session(services, member(user_id)) for user_id in user_ids]
    await asyncio.gather(*(_discuss(task_id, authors) for task_id in task_ids))
    return Sample(admin, email, project_id, task_ids, user_ids, await _cursor(session, task_ids[0]))


async def invite(session: Session, name: str) -> str:
    """The id of a new member."""
    email = f"{name.split(maxsplit=1)[0].lower()}@bench.example"
    invited = await session.mutate("inviteUser", "user { id } token", name=name, email=email, role="MEMBER")
    await Session(session.services, None).mutate("acceptInvite", "subject", token=invited["token"])
    return invited["user"]["id"]


def _row(services: Services, number: int, project_id: str, user_ids: list[str]) -> dict[str, Any]:
    due_on = services.sources.now().date() + timedelta(days=number - TASKS // 2)
    return {
        "projectId": project_id,
        "title": f"Check axis {number}",
        "description": f"Measure the play of axis {number} and note it in the protocol.",
        "dueOn": due_on.isoformat(),
        "priority": ("LOW", "MEDIUM", "HIGH")[number % 3],
        "assigneeId": user_ids[number % len(user_ids)],
    }


def member(user_id: str) -> Identity:
    """Who a member's token names."""
    parsed = parse_global_id(user_id)
    assert parsed is not None
    return Identity(parsed[1], Role.MEMBER, SLUG, 0)


async def _discuss(task_id: str, authors: list[Session]) -> None:
    for number in range(COMMENTS):
        body = f"Reading {number}: within the limits."
        await authors[number % len(authors)].mutate("addComment", "comment { id }", taskId=task_id, body=body)


async def _cursor(session: Session, task_id: str) -> str:
    data = await session.data(
        "query ($t: ID!) { task(id: $t) { comments(first: 3) { pageInfo { endCursor } } } }", {"t": task_id}
    )
    return data["task"]["comments"]["pageInfo"]["endCursor"]
