"""Mutations that may be asked for only so often: by whom, from where, and under whatever alias."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from graphql import FragmentDefinitionNode, OperationDefinitionNode, parse

from graphql_api.auth.identity import Role
from graphql_api.features.invitations.inviting import INVITING
from graphql_api.features.sign_up import RATES as SIGN_UP_RATES
from graphql_api.metering.field_rates import network_of
from graphql_api.metering.root_fields import root_fields
from tests.asgi import call
from tests.features.builders import outcome
from tests.world import World, open_world

RATED = "inviteUser"
BURST = INVITING["rates"][0].burst


def invitations(count: int, start: int = 0) -> str:
    """A document that invites so many people under aliases."""
    fields = " ".join(
        f'i{n}: inviteUser(input: {{email: "p{n}@acme.example", name: "P"}}) {{ __typename }}'
        for n in range(start, start + count)
    )
    return f"mutation {{ {fields} }}"


async def ask(world: World, query: str) -> tuple[int, dict[str, Any], dict[str, str]]:
    body = json.dumps({"query": query}).encode()
    accept = "application/graphql-response+json"
    reply = await world.post(body, {"content-type": "application/json", "accept": accept})
    return reply.status, json.loads(reply.body), dict(reply.headers)


@pytest.fixture
async def world(engine_endpoint: str) -> AsyncIterator[World]:
    """One in which nobody has asked for anything yet."""
    opened = await open_world(engine_endpoint)
    yield opened
    await opened.services.close()


@pytest.fixture
def admin(world: World) -> World:
    return world.as_("acme", Role.ADMIN)


async def test_aliases_count_and_over_the_rate_nothing_is_executed(admin: World):
    for start in range(0, BURST - 10, 10):
        status, payload, _ = await ask(admin, invitations(10, start))
        assert (status, "errors" in payload) == (200, False)
    await ask(admin, invitations(5, BURST - 10))
    status, payload, headers = await ask(admin, invitations(10, BURST - 5))
    (error,) = payload["errors"]
    assert (status, error["extensions"]["code"], "data" in payload) == (429, "RATE_LIMITED", False)
    assert headers["retry-after"] == str(error["extensions"]["retryAfter"])
    status, _, _ = await ask(admin, invitations(5, BURST - 5))
    assert status == 200


async def test_one_person_s_rate_is_nobody_else_s(admin: World, world: World):
    for start in range(0, BURST, 10):
        assert (await ask(admin, invitations(10, start)))[0] == 200
    assert (await ask(admin, invitations(1, BURST)))[0] == 429
    globex = world.as_("globex", Role.ADMIN)
    answer = await outcome(globex, RATED, "subject", email="kim@globex.example", name="Kim")
    assert answer["__typename"] == "InviteUserPayload"


async def test_a_refusal_writes_nothing_of_the_tenant(admin: World):
    for start in range(0, BURST, 10):
        await ask(admin, invitations(10, start))
    admin.guard.forget_calls()
    await ask(admin, invitations(1, BURST))
    # One conditional write of the bucket, which fails; what it finds there says how long to wait.
    assert [call.operation for call in admin.guard.calls] == ["UpdateItem"]


@pytest.mark.parametrize(
    ("document", "counted"),
    [
        ("mutation { a b: a c: a d }", {"a": 3, "d": 1}),
        ("mutation { ... { a } ...F } fragment F on M { a d }", {"a": 2, "d": 1}),
        ("mutation { ...F ...F } fragment F on M { a ...G } fragment G on M { a ...F }", {"a": 4}),
        ("mutation { ...Absent }", {}),
    ],
)
def test_uses_are_counted_through_fragments(document: str, counted: dict[str, int]):
    definitions = parse(document).definitions
    (operation,) = (each for each in definitions if isinstance(each, OperationDefinitionNode))
    fragments = [each for each in definitions if isinstance(each, FragmentDefinitionNode)]
    named = {fragment.name.value: fragment for fragment in fragments}
    assert root_fields(operation.selection_set, named) == counted


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7/32"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        (None, "unknown"),
        ("nonsense#", "unknown"),
    ],
)
def test_an_address_counts_as_the_network_that_is_one_customer_s(address: str | None, network: str):
    assert network_of(address) == network


def sign_up(number: int) -> bytes:
    """A request to sign up for one more tenant."""
    query = """mutation ($slug: String!) { signUp(input: {slug: $slug, name: "Initech",
        adminEmail: "bill@initech.example", adminName: "Bill"}) { __typename } }"""
    return json.dumps({"query": query, "variables": {"slug": f"initech-{number}"}}).encode()


async def test_whoever_comes_from_one_address_is_counted_as_one(world: World):
    burst = SIGN_UP_RATES[0].burst
    headers = {"content-type": "application/json"}
    statuses = [
        (await call(world.app, "POST", "/graphql", headers, sign_up(number), address="192.0.2.1")).status
        for number in range(burst + 2)
    ]
    assert statuses == [200] * burst + [429] * 2
    another = await call(world.app, "POST", "/graphql", headers, sign_up(99), address="192.0.2.2")
    assert another.status == 200
