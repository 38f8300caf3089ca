"""A request ends when its time is up, and leaves nothing running."""

import asyncio

import pytest
from starlette.applications import Starlette

from graphql_api.app import create_app
from tests.http import protocol
from tests.http.protocol import Services, post


@pytest.fixture
def services() -> Services:
    # Long enough for every task to have started, however slow the machine.
    return protocol.services(request_deadline=1.0)


async def running() -> set[asyncio.Task[object]]:
    """Other tasks than this one, once cancellations have had their ticks of the loop."""
    for _ in range(5):
        await asyncio.sleep(0)
    return asyncio.all_tasks() - {asyncio.current_task()}


@pytest.mark.parametrize(
    "query",
    [
        "{ slow }",
        "{ a: slow b: slow hello }",
        "{ thing { loaded } }",
        "{ things(first: 100) { loaded things { loaded } } }",
        "{ slow things { loaded refused } boom }",
    ],
)
async def test_execution_past_the_deadline_says_so_and_leaves_no_task(
    app: Starlette, services: Services, query: str
):
    before = await running()
    answer = await post(app, query)
    assert (answer.status, answer.codes, answer.json["data"]) == (200, ["DEADLINE_EXCEEDED"], None)
    assert answer.json["extensions"]["cost"]
    assert await running() == before
    assert services.contexts[0].is_closed


@pytest.mark.parametrize(
    "query", ["{ hello }", "{ slow(seconds: 0) }", "{ boom }", "{ a: slow(seconds: 0) strictBoom }"]
)
async def test_no_task_outlives_an_answer(app: Starlette, services: Services, query: str):
    before = await running()
    await post(app, query)
    assert await running() == before
    assert services.contexts[0].is_closed


@pytest.mark.parametrize(
    "query",
    ["{ slow(seconds: 0.01) strictBoom }", "{ maybe { slow(seconds: 0.01) strictBoom } slow(seconds: 0) }"],
)
async def test_siblings_that_a_failure_emptied_end_before_the_answer(query: str):
    before = await running()
    answer = await post(create_app(protocol.services()), query)
    assert answer.codes == ["INTERNAL_SERVER_ERROR"]
    assert asyncio.all_tasks() - {asyncio.current_task()} == before


@pytest.mark.parametrize("query", ["{ things { loaded } strictBoom }", "{ maybe { slow strictBoom } slow }"])
async def test_siblings_that_a_failure_emptied_end_at_the_deadline(app: Starlette, query: str):
    before = await running()
    assert (await post(app, query)).codes == ["DEADLINE_EXCEEDED"]
    assert await running() == before


async def test_a_deadline_set_by_the_door_holds_if_it_is_the_earlier_one(services: Services):
    app = create_app(protocol.services())

    async def door(scope, receive, send):
        await app({**scope, "state": {"deadline": protocol.Deadline.after(0.01)}}, receive, send)

    assert (await post(door, "{ slow }")).codes == ["DEADLINE_EXCEEDED"]


async def test_a_request_that_arrives_too_late_is_not_left_hanging():
    app = create_app(protocol.services(request_deadline=-1))
    assert (await post(app, "{ slow }")).codes == ["DEADLINE_EXCEEDED"]


async def test_what_hangs_outside_execution_is_ended_too(app: Starlette, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("graphql_api.app.middleware.GRACE", 0.0)
    answer = await post(app, "{ hello }", token="slow")
    assert (answer.status, answer.codes) == (503, ["DEADLINE_EXCEEDED"])
