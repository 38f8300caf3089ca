import time
from collections.abc import Sequence
from typing import Literal

import pytest

from graphql_api.auth.identity import Role
from tests.clients.stack import Stack
from tests.protocol.doors import Session, handler_session, idle, pause, socket_session
from tests.protocol.frames import BAD_TOKEN, EXPIRED_TOKEN, OWN_ORIGIN, TOKEN, without_codes
from tests.protocol.row import Row, Step
from tests.protocol.table import TABLE
from tests.realtime.stage import Stage
from tests.world import AUDIENCE, ISSUER, KEYS, token, user_uid

pytestmark = pytest.mark.slow
rows = pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)

Server = Literal["reference", "ours"]


async def play(session: Session, row: Row, server: Server) -> None:
    """Walks through the row and holds each answer against the table."""
    for step in [*([row.handshake] if row.handshake else []), *row.steps]:
        expected = answers(step, server)
        if step.frames:
            await session.send(step)
        taken = await session.take(len(expected))
        if step.any_order:
            taken, expected = sorted(taken), sorted(expected)
        assert taken == expected
        if expected and expected[-1].startswith("close "):
            break
        await session.settle()
    assert await session.rest() == []


def answers(step: Step, server: Server) -> list[str]:
    if server == "ours":
        return list(step.ours)
    return [without_codes(answer) for answer in step.reference]


def expired_token() -> str:
    then = int(time.time()) - 7200
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": user_uid("acme", Role.MANAGER), "roles": ["MANAGER"]}
    return KEYS.sign(claims | {"tenant": "acme", "iat": then, "exp": then + 3600})


@pytest.mark.node
@rows
async def test_the_reference_server_answers_as_the_table_says(row: Row, reference: str):
    words = {TOKEN: "good", BAD_TOKEN: "bad", EXPIRED_TOKEN: "expired", OWN_ORIGIN: f"http://{reference}"}
    async with socket_session(reference, row, words, pause) as session:
        await play(session, row, "reference")


@rows
async def test_our_gateway_answers_as_the_table_says(row: Row, stack: Stack):
    words = {
        TOKEN: stack.token(Role.MANAGER),
        BAD_TOKEN: "x.y.z",
        EXPIRED_TOKEN: stack.expired_token(),
        OWN_ORIGIN: f"http://{stack.address}",
    }
    async with socket_session(stack.address, row, words, idle(stack)) as session:
        await play(session, row, "ours")


@pytest.mark.parametrize("row", [row for row in TABLE if row.at_handler], ids=lambda row: row.name)
async def test_our_handler_answers_as_the_table_says(row: Row, stage: Stage):
    words = {TOKEN: token("acme", Role.MANAGER), BAD_TOKEN: "x.y.z", EXPIRED_TOKEN: expired_token()}
    async with handler_session(stage, row, words) as session:
        await play(session, row, "ours")


@rows
def test_a_difference_has_its_reason(row: Row):
    steps = [*([row.handshake] if row.handshake else []), *row.steps]
    differs = any(
        sorted(map(without_codes, step.ours)) != sorted(map(without_codes, step.reference)) for step in steps
    )
    assert differs == bool(row.why)


def test_no_case_is_there_twice():
    names: Sequence[str] = [row.name for row in TABLE]
    assert len(set(names)) == len(names) >= 40
