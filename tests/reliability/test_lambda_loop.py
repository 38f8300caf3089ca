"""The Lambda door over the real store: one loop, one client, and nothing left between two invocations."""

import asyncio
import gc
import json
import logging
import random
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from itertools import count
from typing import Any, Literal

import pytest

from graphql_api.auth.identity import Role
from graphql_api.handlers import loop
from graphql_api.handlers.api_gateway import HttpHandler
from graphql_api.store import client as client_module
from graphql_api.store.client import PRINCIPAL
from graphql_api.telemetry import JsonFormatter
from tests.handlers.events import LambdaContext, Reply, http_event, http_reply, rest_event, rest_reply
from tests.iam.guard import TenantSession
from tests.log_lines import log_lines
from tests.reliability.keepalive import Proxy, proxy_to
from tests.reliability.network import Accident, Network, hangs, network_of, refused, reset
from tests.reliability.seeds import chance
from tests.world import World, open_world, token

VIEWER = "{ viewer { email } projects { edges { node { name } } } }"
CREATE = """mutation { createProject(input: { name: "Site" }) {
    ... on CreateProjectPayload { project { id } } ... on Error { code } } }"""
ABSENT = '{ project(id: "UHJvamVjdDpub3RoaW5n") { name } }'
# graphql-core leaves a resolver unstarted whose field was cancelled before its first step, as at a deadline.
pytestmark = pytest.mark.filterwarnings("ignore:coroutine 'GraphQLCoreConverter:RuntimeWarning")

DIALECTS = [(http_event, http_reply), (rest_event, rest_reply)]


class Function:
    """A Lambda function's environment: what one process of it serves, one invocation after the other."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.handler = HttpHandler(world.services)
        self.invocations = 0

    def invoke(
        self,
        query: str,
        tenant: str = "acme",
        role: Role = Role.ADMIN,
        *,
        milliseconds: int = 30_000,
        **headers: str,
    ) -> Reply:
        self.invocations += 1
        event, reply = DIALECTS[self.invocations % 2]
        sent = {
            "Content-Type": "application/json",
            "Authorization": f"Bearer {token(tenant, role)}",
            "X-Request-Id": f"invocation-{self.invocations}",
            **headers,
        }
        body = json.dumps({"query": query}).encode()
        answer = reply(self.handler(event("POST", "/graphql", sent, body), LambdaContext(milliseconds)))
        assert left_over() == set()
        return answer

    def data(self, query: str, tenant: str = "acme", role: Role = Role.ADMIN) -> Any:
        answer = self.invoke(query, tenant, role)
        payload = json.loads(answer.body)
        assert (answer.status, payload.get("errors")) == (200, None)
        return payload["data"]

    def code(self, query: str, **options: Any) -> str:
        errors = json.loads(self.invoke(query, **options).body)["errors"]
        return errors[0]["extensions"]["code"]


def left_over() -> set[str]:
    async def others() -> set[str]:
        return {task.get_name() for task in asyncio.all_tasks() - {asyncio.current_task()}}

    return loop.run(others())


@contextmanager
def a_function(endpoint: str) -> Iterator[Function]:
    world = loop.run(open_world(endpoint))
    try:
        yield Function(world)
    finally:
        loop.run(world.services.close())
    assert not world.guard.refused


@pytest.fixture
def function(engine_endpoint: str) -> Iterator[Function]:
    with a_function(engine_endpoint) as opened:
        yield opened


@pytest.fixture
def network(function: Function) -> Iterator[Network]:
    resources = AsyncExitStack()
    entering = network_of(function.world.services.sources.database.client)
    yield loop.run(resources.enter_async_context(entering))
    loop.run(resources.aclose())
    # Here, where it is passed over, and not in whatever test comes to collect it.
    gc.collect()


@pytest.fixture(autouse=True)
def nothing_is_left(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No invocation of any test here may leave work that the next one would have to end."""
    yield
    assert [record.message for record in caplog.records if "left after" in record.message] == []


class CountingSession:
    """The process's session, counting the clients it makes."""

    def __init__(self, session: Any) -> None:
        self.session = session
        self.made = 0

    def create_client(self, *arguments: Any, **options: Any) -> Any:
        self.made += 1
        return self.session.create_client(*arguments, **options)


def test_fifty_warm_invocations_share_one_client_and_one_loop(
    engine_endpoint: str, monkeypatch: pytest.MonkeyPatch
):
    session = CountingSession(client_module._SESSION)
    monkeypatch.setattr(client_module, "_SESSION", session)
    loops = set[asyncio.AbstractEventLoop]()

    async def other_handler() -> None:
        loops.add(asyncio.get_running_loop())

    with a_function(engine_endpoint) as function:
        for number in range(50):
            tenant = ("acme", "globex")[number % 2]
            if number % 5 == 4:
                function.data(CREATE, tenant)
            elif number % 5 == 3:
                assert function.code(ABSENT, tenant=tenant) == "NOT_FOUND"
            elif number % 5 == 2:
                assert function.code(VIEWER, Authorization="Bearer bad") == "UNAUTHENTICATED"
            else:
                email = f"admin@{tenant}.example"
                assert function.data(VIEWER, tenant)["viewer"] == {"email": email}
            loop.run(other_handler())
        assert len(function.data(VIEWER)["projects"]["edges"]) == 5
    assert session.made == 1
    assert len(loops) == 1


FAILURES: list[tuple[str, Accident, int]] = [
    ("a failing store", refused("ValidationException"), 30_000),
    ("a denied call", refused("AccessDeniedException"), 30_000),
    ("a store that hangs", hangs, 1_050),
    ("a connection that breaks", reset, 1_200),
    ("a busy store", refused("ThrottlingException"), 1_200),
]


@pytest.mark.parametrize(
    ("accident", "milliseconds"), [each[1:] for each in FAILURES], ids=[e[0] for e in FAILURES]
)
@pytest.mark.parametrize("query", [VIEWER, CREATE, ABSENT])
def test_a_failing_invocation_leaves_nothing_and_the_next_one_is_well(
    function: Function, network: Network, query: str, accident: Accident, milliseconds: int
):
    function.data("{ __typename }")
    network.accident = lambda _: accident
    answer = function.invoke(query, milliseconds=milliseconds)
    codes = {error["extensions"]["code"] for error in json.loads(answer.body)["errors"]}
    assert codes <= {"DEADLINE_EXCEEDED", "INTERNAL_SERVER_ERROR"}
    assert answer.status == 200
    network.script()
    assert function.data(VIEWER, "globex")["viewer"] == {"email": "admin@globex.example"}


def test_an_invocation_that_is_cancelled_anywhere_leaves_nothing(function: Function, network: Network):
    admin = function.world.as_("acme", Role.ADMIN)
    loop.run(admin.data("{ __typename }"))

    async def cancelled(ticks: int) -> bool:
        running = asyncio.ensure_future(admin.execute(VIEWER))
        for _ in range(ticks):
            await asyncio.sleep(0)
        running.cancel()
        await asyncio.wait([running])
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return running.cancelled()

    outcomes = [loop.run(cancelled(ticks)) for ticks in range(80)]
    assert any(outcomes)
    assert function.data(VIEWER)["viewer"] == {"email": "admin@acme.example"}


@pytest.fixture
def proxied(engine_endpoint: str) -> Iterator[tuple[Function, Proxy]]:
    # The first waits that the SDK draws are short ones.
    random.seed(next(seed for seed in count() if max(chance(seed).random(), _second(seed)) < 0.03))
    with proxy_to(engine_endpoint) as proxy, a_function(proxy.url) as function:
        function.data(VIEWER)
        proxy.operations.clear()
        yield function, proxy


def _second(seed: int) -> float:
    dice = chance(seed)
    dice.random()
    return dice.random()


def test_connections_closed_while_the_process_was_frozen_cost_nothing(proxied: tuple[Function, Proxy]):
    function, proxy = proxied
    before = len(proxy.opened)
    proxy.close_idle()
    assert function.data(VIEWER)["viewer"] == {"email": "admin@acme.example"}
    assert sorted(proxy.operations) == ["BatchGetItem", "Query"]
    assert len(proxy.opened) > before


def test_a_connection_that_closes_under_a_request_costs_one_transparent_retry(
    proxied: tuple[Function, Proxy],
):
    function, proxy = proxied
    proxy.drop_next("before")
    assert function.data("{ viewer { email } }") == {"viewer": {"email": "admin@acme.example"}}
    assert proxy.operations == ["BatchGetItem"] * 2


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_write_whose_connection_closes_around_its_effect_has_one(
    proxied: tuple[Function, Proxy], when: Literal["before", "after"]
):
    function, proxy = proxied
    proxy.drop_next(when)
    assert set(function.data(CREATE)["createProject"]) == {"project"}
    assert proxy.operations == ["PutItem"] * 2
    assert len(function.data(VIEWER)["projects"]["edges"]) == 1


async def who() -> tuple[object, dict[str, Any]]:
    """Whose rights a call would have now, and what a line logged now would say."""
    record = logging.makeLogRecord({"msg": "now"})
    line = json.loads(JsonFormatter().format(record))
    return PRINCIPAL.get(), {
        name: line[name] for name in line if name in ("request_id", "tenant", "operation")
    }


def test_nothing_of_a_request_is_visible_in_the_next_one(function: Function, network: Network):
    for accident in (None, refused("ValidationException"), hangs):
        for tenant in ("acme", "globex"):
            function.data("{ __typename }", tenant)
            network.accident = lambda _, accident=accident: accident
            function.world.guard.forget_calls()
            function.invoke(VIEWER, tenant, milliseconds=1_050 if accident is hangs else 30_000)
            network.script()
            principals = {call.principal for call in function.world.guard.calls}
            assert principals == {TenantSession(tenant)}
            assert loop.run(who()) == (None, {})
    assert PRINCIPAL.get() is None


@pytest.fixture
def lines() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """What the product has logged so far."""
    with log_lines() as logged:
        yield logged


def test_every_line_is_logged_for_its_own_request(
    function: Function, network: Network, lines: Callable[[], list[dict[str, Any]]]
):
    expected = set[tuple[str, str | None]]()
    for number in range(12):
        tenant = ("acme", "globex")[number % 2]
        function.data("{ __typename }", tenant)
        accident = (None, refused("ValidationException"), hangs)[number % 3]
        network.accident = lambda _, accident=accident: accident
        if number % 4 == 3:
            assert function.code(ABSENT, Authorization="Bearer bad") == "UNAUTHENTICATED"
            tenant = None
        else:
            function.invoke(ABSENT, tenant, milliseconds=1_050 if accident is hangs else 30_000)
        network.script()
        expected.add((f"invocation-{function.invocations}", tenant))
    logging.getLogger("graphql_api").info("between requests")
    *logged, last = lines()
    assert (last.get("request_id"), last.get("tenant")) == (None, None)
    assert {(line["request_id"], line.get("tenant")) for line in logged} == expected
