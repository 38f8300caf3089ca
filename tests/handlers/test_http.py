"""The HTTP door of Lambda: API Gateway's events in, its responses out, one loop for the process."""

import asyncio
import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from graphql_api.handlers import loop
from graphql_api.handlers.api_gateway import HttpHandler
from tests.handlers.events import LambdaContext, http_event, http_reply, rest_event, rest_reply
from tests.http import protocol

ROOT = Path(__file__).parent.parent.parent
HEADERS = {"Content-Type": "application/json", "Accept": protocol.GRAPHQL, "Authorization": "Bearer good"}
DIALECTS = [(http_event, http_reply), (rest_event, rest_reply)]


@pytest.fixture
def services() -> protocol.Services:
    return protocol.services()


@pytest.fixture
def handler(services: protocol.Services) -> HttpHandler:
    return HttpHandler(services)


def body(query: str) -> bytes:
    return json.dumps({"query": query}).encode()


@pytest.mark.parametrize(("event", "reply"), DIALECTS)
def test_a_query_is_answered(handler: HttpHandler, event: Any, reply: Any):
    answer = reply(handler(event("POST", "/graphql", HEADERS, body("{ tenant }")), LambdaContext()))
    assert (answer.status, json.loads(answer.body)["data"]) == (200, {"tenant": "acme"})
    assert answer.headers["content-type"] == f"{protocol.GRAPHQL}; charset=utf-8"


@pytest.mark.parametrize(("event", "reply"), DIALECTS)
def test_a_get_is_answered(handler: HttpHandler, event: Any, reply: Any):
    answer = reply(handler(event("GET", "/graphql?query=%7Bhello%7D&variables=", HEADERS), LambdaContext()))
    assert (answer.status, json.loads(answer.body)["data"]) == (200, {"hello": "world"})


@pytest.mark.parametrize(("event", "reply"), DIALECTS)
def test_a_refusal_is_text_that_a_rest_api_delivers_as_it_is(handler: HttpHandler, event: Any, reply: Any):
    headers = {**HEADERS, "Authorization": "Bearer bad"}
    answer = reply(handler(event("POST", "/graphql", headers, body("{ hello }")), LambdaContext()))
    assert answer.status == 401
    assert json.loads(answer.body)["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


def test_a_body_in_base64_is_read(handler: HttpHandler):
    headers = {**HEADERS, "Content-Type": "APPLICATION/JSON"}
    event = http_event("POST", "/graphql", headers, body("{ hello }"))
    assert event["isBase64Encoded"]
    assert http_reply(handler(event, LambdaContext())).status == 200


@pytest.mark.parametrize(
    ("stage", "path"), [("$default", "/health"), ("dev", "/health"), ("health", "/health")]
)
def test_the_stage_is_no_part_of_the_path(handler: HttpHandler, stage: str, path: str):
    event = http_event("GET", path, {}, stage=stage)
    assert http_reply(handler(event, LambdaContext())).status == 200


@pytest.mark.parametrize(
    "spoilt",
    [
        {"body": '{"query": "\ud800"}'},
        {"body": "=", "isBase64Encoded": True},
        {"headers": {"host": "a:b:c"}},
        {"headers": {"host": "a", "x-forwarded-port": "x"}},
        {"rawQueryString": "\ud800"},
    ],
)
def test_an_event_that_cannot_be_read_is_a_typed_400(handler: HttpHandler, spoilt: dict[str, Any]):
    event = {**http_event("POST", "/graphql", HEADERS, body("{ hello }")), **spoilt}
    answer = http_reply(handler(event, LambdaContext()))
    assert answer.status == 400
    assert json.loads(answer.body)["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


def test_the_deadline_leaves_a_second_of_what_lambda_grants(handler: HttpHandler):
    event = http_event("POST", "/graphql", HEADERS, body("{ slow }"))
    answer = http_reply(handler(event, LambdaContext(milliseconds=1050)))
    assert json.loads(answer.body)["errors"][0]["extensions"]["code"] == "DEADLINE_EXCEEDED"


def test_fifty_warm_invocations_share_one_loop_and_open_once(
    handler: HttpHandler, services: protocol.Services
):
    loops: set[asyncio.AbstractEventLoop] = set()

    async def other_work() -> None:
        loops.add(asyncio.get_running_loop())

    for number in range(50):
        event, reply = DIALECTS[number % 2]
        token = ("good", "other", "bad")[number % 3]
        headers = {**HEADERS, "Authorization": f"Bearer {token}"}
        answer = reply(
            handler(event("POST", "/graphql", headers, body("{ slow(seconds: 0) tenant }")), LambdaContext())
        )
        assert answer.status == (401 if token == "bad" else 200)
        if token != "bad":
            assert json.loads(answer.body)["data"]["tenant"] == protocol.IDENTITIES[token].tenant
        loop.run(other_work())
        if number == 20:
            asyncio.run(asyncio.sleep(0))
    assert len(loops) == 1
    assert services.calls["open"] == 1
    assert asyncio.all_tasks(loops.pop()) == set()


def test_work_left_by_a_request_is_ended_before_the_answer_leaves(
    handler: HttpHandler, caplog: pytest.LogCaptureFixture
):
    answer = http_reply(
        handler(http_event("POST", "/graphql", HEADERS, body("{ abandon }")), LambdaContext())
    )
    assert json.loads(answer.body)["data"] == {"abandon": "left"}
    assert loop.run(_names()) == set()
    assert [record.message for record in caplog.records] == ["Work was left after the response."]


IMPORT_AND_ASK = """
import gc, json, sys
from graphql_api.handlers.http import handler
from tests.handlers.events import LambdaContext, http_event
assert gc.get_freeze_count() > 10_000
print(json.dumps(handler(http_event("GET", "/health", {}), LambdaContext())))
"""
ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "TABLE_NAME": "data",
    "CONTROL_TABLE_NAME": "control",
    "JWT_ISSUER": "https://issuer.example",
    "JWT_AUDIENCE": "graphql",
    "JWKS_URL": "https://issuer.example/jwks.json",
    "CURSOR_SECRETS": "0" * 32,
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
}


def import_and_ask(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", IMPORT_AND_ASK],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_the_function_builds_itself_from_its_environment():
    run = import_and_ask(ENVIRONMENT)
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["statusCode"] == 200


async def _names() -> set[str]:
    return {task.get_name() for task in asyncio.all_tasks() - {asyncio.current_task()}}


def test_work_that_will_not_end_does_not_hold_the_answer(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(loop, "SETTLE_SECONDS", 0.02)
    release: list[bool] = []

    async def stubborn() -> None:
        while not release:
            try:
                await asyncio.sleep(0.001)
            except asyncio.CancelledError:
                continue

    async def leave() -> str:
        asyncio.get_running_loop().create_task(stubborn())
        await asyncio.sleep(0)
        return "answer"

    assert loop.run(leave()) == "answer"
    assert caplog.records[0].__dict__["stubborn"] == 1
    release.append(True)
    loop.run(asyncio.sleep(0.01))


def test_an_exception_reaches_lambda_and_still_settles(caplog: pytest.LogCaptureFixture):
    async def fail() -> None:
        asyncio.get_running_loop().create_task(asyncio.sleep(60))
        raise KeyError("boom")

    with caplog.at_level(logging.WARNING), pytest.raises(KeyError):
        loop.run(fail())
    assert loop.run(_names()) == set()
