"""From signing up to leaving without a trace, as somebody would who has never been here before."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from graphql_api.__main__ import main
from graphql_api.lifecycle import erasure
from graphql_api.metering.usage import FLUSH_SECONDS
from tests.local.server import PATIENCE_SECONDS, Server, run, serving
from tests.webhooks.receiver import Received, a_receiver
from tests.webhooks.verifying import verify

pytestmark = pytest.mark.slow

SIGN_UP = """mutation { signUp(input: {slug: "initech", name: "Initech", adminName: "Bill"
    adminEmail: "bill@initech.example"}) { ... on SignUpPayload { secret } ... on Error { message } } }"""
INVITE = """mutation { inviteUser(input: {email: "milton@initech.example", name: "Milton"}) {
    ... on InviteUserPayload { token } ... on Error { message } } }"""
ACCEPT = """mutation ($invitation: String!) { acceptInvite(input: {token: $invitation}) {
    ... on AcceptInvitePayload { secret user { role } } ... on Error { message } } }"""
PROJECT = (
    """mutation { createProject(input: {name: "TPS"}) { ... on CreateProjectPayload { project { id } } } }"""
)
TASKS = """mutation ($tasks: [TaskRowInput!]!) { createTasks(input: {tasks: $tasks}) {
    ... on CreateTasksPayload { results { __typename } } } }"""
TASK = """mutation ($project: ID!) { createTask(input: {projectId: $project, title: "Cover sheet"}) {
    ... on CreateTaskPayload { task { id } } } }"""
UPGRADE = """mutation { choosePlan(input: {plan: PRO}) {
    ... on ChoosePlanPayload { entitlements { plan } } ... on Error { message } } }"""
WEBHOOK = """mutation ($url: String!) { createWebhook(input: {url: $url,
    query: "subscription { taskChanged { action task { title } } }"}) {
    ... on CreateWebhookPayload { secret } ... on Error { message } } }"""
USAGE = """query ($from: Date!, $to: Date!) { usage(from: $from, to: $to) {
    totals { points operations } cost { total } operations { name } } }"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("newcomer")) as running:
        yield running


def raw(server: Server, key: str, query: str, **variables: Any) -> tuple[int, dict[str, Any]]:
    headers = {"content-type": "application/json", "authorization": f"Bearer {key}"}
    body = json.dumps({"query": query, "variables": variables})
    status, answer = server.request("POST", "/graphql", body, headers)
    return status, json.loads(answer)


def eventually(look: Callable[[], Any]) -> Any:
    """What there is to see once there is something."""
    until = time.monotonic() + PATIENCE_SECONDS
    while not (seen := look()):
        assert time.monotonic() < until, "it never comes"
        time.sleep(0.2)
    return seen


async def delivered(server: Server, key: str, project: str) -> str:
    """The action that the webhook tells of a new task, its signature verified."""
    told: asyncio.Queue[Received] = asyncio.Queue()

    async def answer(received: Received) -> web.Response:
        # What was made just before the webhook may be told as well.
        if received.event["task"]["title"] == "Cover sheet":
            told.put_nowait(received)
        return web.Response(status=204)

    async with a_receiver() as receiver:
        receiver.answer = answer
        made = await asyncio.to_thread(server.data, key, WEBHOOK, url=receiver.url)
        await asyncio.to_thread(server.data, key, TASK, project=project)
        message = await asyncio.wait_for(told.get(), PATIENCE_SECONDS)
        verify(made["createWebhook"]["secret"], message.headers, message.body, time.time())
        return message.event["action"]


def come(server: Server) -> tuple[str, str]:
    """The keys of who signs up and of a colleague who was invited."""
    founder = server.data(None, SIGN_UP)["signUp"]["secret"]
    invitation = server.data(founder, INVITE)["inviteUser"]["token"]
    joined = server.data(None, ACCEPT, invitation=invitation)["acceptInvite"]
    assert joined["user"]["role"] == "MEMBER"
    return founder, joined["secret"]


def work_up_to_the_limit_and_beyond(server: Server, founder: str, member: str) -> str:
    """The project that was worked on."""
    project = server.data(founder, PROJECT)["createProject"]["project"]["id"]
    rows = [{"projectId": project, "title": f"Report {number}"} for number in range(100)]
    answers = [raw(server, member, TASKS, tasks=rows) for _ in range(12)]
    status, refused = answers[-1]
    assert (answers[0][0], status) == (200, 429)
    assert refused["errors"][0]["extensions"]["code"] == "RATE_LIMITED"
    assert refused["errors"][0]["extensions"]["retryAfter"] > 0
    assert server.data(founder, UPGRADE)["choosePlan"] == {"entitlements": {"plan": "PRO"}}
    time.sleep(1.1)  # who was refused reads the plan again, once in a second
    assert raw(server, member, TASKS, tasks=rows[:1])[0] == 200
    return project


def leave(server: Server, directory: Path, founder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exported, shut out, erased."""
    assert run(directory, "export-tenant", "--tenant", "initech", "--output", "out").returncode == 0
    manifest = json.loads((directory / "out" / "manifest.json").read_text())
    assert sum(manifest["items"].values()) > 500
    suspension = 'mutation { suspendTenant(input: {slug: "initech"}) { __typename } }'
    server.data(server.tokens["platform operator"], suspension)
    eventually(lambda: raw(server, founder, "{ tenant { name } }")[0] == 403)
    time.sleep(FLUSH_SECONDS + 1)  # for what the server has counted of its usage
    monkeypatch.setattr(erasure, "SHUT_OUT", timedelta(0))
    monkeypatch.setattr(erasure, "APART", timedelta(seconds=1))
    main(["erase-tenant", "--tenant", "initech", "--confirm", "initech"])


def test_a_tenant_comes_works_pays_and_goes(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = server.log.parent
    monkeypatch.chdir(directory)
    founder, member = come(server)
    project = work_up_to_the_limit_and_beyond(server, founder, member)
    assert asyncio.run(delivered(server, founder, project)) == "CREATED"

    today = datetime.now(UTC).date().isoformat()

    def used() -> Any:
        report = server.data(founder, USAGE, **{"from": today, "to": today})["usage"]
        return report if report["totals"]["points"] > 1_000 else None

    assert float(eventually(used)["cost"]["total"]) > 0

    leave(server, directory, founder, monkeypatch)
    assert capsys.readouterr().out.endswith("erased; nothing is left of it but its slug.\n")
    assert run(directory, "export-tenant", "--tenant", "initech", "--output", "again").returncode == 1
    assert raw(server, founder, "{ tenant { name } }")[0] in (401, 403)
    assert server.data(None, SIGN_UP)["signUp"] == {"message": "This slug is taken."}
