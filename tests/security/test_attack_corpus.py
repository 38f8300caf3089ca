import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from graphql_api.auth.identity import Role
from graphql_api.errors import ErrorCode
from graphql_api.metering.limits import Limits
from graphql_api.operations import Operations
from graphql_api.operations.documents import Documents
from graphql_api.schema import build_schema
from graphql_api.settings import Profile
from tests.http.protocol import Answer, send
from tests.realtime.stage import open_stage
from tests.security.corpus import ATTACKS, CANARY, Attack
from tests.world import CALLER, World

MAX_BYTES = 4096
MAX_CPU_SECONDS = 0.05
LEAK = re.compile(
    r'(?i:arn:aws|traceback|botocore|dynamodb|strawberry|File "|/usr)|\b\d{12}\b|Did you mean|Maybe\[|<enum'
)
INVENTORY = """{ projects { edges { node { id } } } tasks { edges { node { id } } }
    users(first: 100) { edges { node { email role status } } } changes { edges { node { id } } } }"""

by_name = pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)


@pytest.fixture(scope="module")
async def world(engine_endpoint: str) -> AsyncIterator[World]:
    """A production system, seen by an administrator of `acme`; the attacks must leave it as it was."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", "test")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "test")
        async with open_stage(engine_endpoint) as stage:
            administrator = in_production(stage.world).as_("acme", Role.ADMIN)
            before = await administrator.data(INVENTORY)
            assert before["changes"]["edges"]
            yield administrator
            assert await stage.records() == []
            assert await administrator.data(INVENTORY) == before


def in_production(opened: World) -> World:
    """The same installation as production answers for it, but for a table that is not reached by https."""
    services = opened.services
    settings = replace(
        services.settings,
        profile=Profile.PRODUCTION,
        dynamodb_endpoint=None,
        webhook_allowed_networks=(),
    )
    operations = Operations(build_schema(), Limits(), Profile.PRODUCTION)
    return World(replace(services, settings=settings, operations=operations), opened.guard)


async def answer_to(attack: Attack, world: World) -> Answer:
    headers = [*(attack.headers.items() if isinstance(attack.headers, Mapping) else attack.headers)]
    if not any(name == "authorization" for name, _ in headers):
        headers += world.caller.headers.items()
    mark = CALLER.set(world.caller.tenant)
    try:
        return await send(
            world.app,
            attack.body,
            method=attack.method,
            path=attack.path,
            query=attack.query,
            headers=headers,
        )
    finally:
        CALLER.reset(mark)


def codes_in(payload: Any) -> Iterator[str]:
    """The codes of errors, and those of typed results inside the data."""
    if isinstance(payload, dict):
        yield from [payload["code"]] if "code" in payload else []
        payload = list(payload.values())
    for member in payload if isinstance(payload, list) else []:
        yield from codes_in(member)


def forget_documents(world: World) -> None:
    """So that a second run is no cheaper than the first."""
    operations = world.services.operations
    known = operations._documents
    operations._documents = Documents(known._schema, known._limits, is_public=known._is_public)


@by_name
async def test_an_attack_gets_a_typed_answer_that_gives_nothing_away(attack: Attack, world: World):
    answer = await answer_to(attack, world)
    codes = set(codes_in(answer.json))
    assert codes
    assert codes <= set(attack.codes) <= set(ErrorCode)
    assert answer.status == attack.status
    assert len(answer.body) <= MAX_BYTES
    assert not LEAK.search(answer.body.decode())
    assert not any(CANARY in value for value in answer.headers.values())
    request_id = answer.headers["x-request-id"]
    for error in answer.json.get("errors", []):
        assert error["extensions"]["requestId"] == request_id
        assert len(error["message"]) <= 256


@pytest.mark.cpu
@by_name
async def test_an_attack_costs_at_most_50_milliseconds(attack: Attack, world: World):
    spent: list[float] = []
    while len(spent) < 3 and min(spent, default=1.0) > MAX_CPU_SECONDS:
        forget_documents(world)
        started = time.process_time()
        await answer_to(attack, world)
        spent.append(time.process_time() - started)
    assert min(spent) <= MAX_CPU_SECONDS


def test_the_corpus_is_large_and_each_attack_has_its_name():
    assert len(ATTACKS) >= 80
    assert [name for name, count in Counter(attack.name for attack in ATTACKS).items() if count > 1] == []


def test_every_leak_would_be_seen():
    leaks = (
        "arn:aws:iam::1",
        'File "a.py"',
        "/usr/lib",
        "of account 123456789012",
        "Did you mean 'a'?",
        "Maybe[str]",
    )
    assert all(LEAK.search(leak) for leak in leaks)
