"""The clients of AWS KMS and of Amazon EventBridge, against an emulator of both."""

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import aiobotocore.session
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from graphql_api.audit.heads import Heads, verified_head
from graphql_api.changes.head import LogHead
from graphql_api.deadline import Deadline
from graphql_api.local import dynamodb
from graphql_api.local.dynamodb import EmbeddedDynamoDB
from graphql_api.store.event_bus import MAX_EVENTS, BusEvent, EventBus, NotTakenError
from graphql_api.store.keys import tenant_family
from graphql_api.store.signing import KmsSigner
from tests.world import World, settings

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    """An emulator of these services, besides DynamoDB."""
    with pytest.MonkeyPatch.context() as patch:
        services = dynamodb.ENVIRONMENT | {"SERVICES": "dynamodb,events,kms,sqs"}
        patch.setattr(dynamodb, "ENVIRONMENT", services)
        with EmbeddedDynamoDB() as emulator:
            yield emulator.endpoint


@pytest.fixture(autouse=True)
def endpoints(aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for service in ("EVENTBRIDGE", "KMS"):
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", aws)


def client(service: str, endpoint: str) -> Any:
    return aiobotocore.session.get_session().create_client(
        service, region_name="us-east-1", endpoint_url=endpoint
    )


async def test_a_key_of_kms_signs_what_its_published_half_verifies(aws: str, world: World):
    async with client("kms", aws) as kms:
        made = await kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    arn = made["KeyMetadata"]["Arn"]
    signer = KmsSigner(dataclasses.replace(settings(aws), head_key_arn=arn), arn)
    sources, family = world.services.sources, tenant_family("acme")
    head = LogHead(epoch="e", sequence=42, hash="9f", logged_at=AT)
    table = sources.control(family, Deadline.after(10))
    try:
        heads = Heads(table, family, signer, now=sources.now, retention=sources.log_retention)
        signed = await heads.sign(head)
        assert signed is not None
        place = verified_head(signed, [await signer.public_key()])
    finally:
        await signer.close()

    assert (place.tenant, place.epoch, place.sequence, place.hash) == ("acme", "e", 42, "9f")


async def test_a_bus_hands_on_every_event(aws: str):
    async with client("events", aws) as events, client("sqs", aws) as queues:
        await events.create_event_bus(Name="product")
        queue = (await queues.create_queue(QueueName="seen"))["QueueUrl"]
        asked = await queues.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
        await events.put_rule(
            Name="all", EventBusName="product", EventPattern='{"source": ["graphql-api"]}', State="ENABLED"
        )
        target = {"Id": "1", "Arn": asked["Attributes"]["QueueArn"]}
        await events.put_targets(Rule="all", EventBusName="product", Targets=[target])
        bus = EventBus(settings(aws), "product")
        count = 2 * MAX_EVENTS + 1
        try:
            await bus.put([BusEvent(AT, "Task.CREATED", {"sequence": n}) for n in range(count)])
        finally:
            await bus.close()
        seen = await _received(queues, queue, count)

    assert sorted(one["detail"]["sequence"] for one in seen) == list(range(count))
    assert {(one["source"], one["detail-type"]) for one in seen} == {("graphql-api", "Task.CREATED")}


async def test_what_a_bus_refuses_is_put_again_and_nothing_else(monkeypatch: pytest.MonkeyPatch):
    taken: list[int] = []
    async with half_hearted(taken, times=1) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL_EVENTBRIDGE", endpoint)
        bus = EventBus(settings(endpoint), "product")
        try:
            await bus.put([BusEvent(AT, "Task.CREATED", {"sequence": n}) for n in range(4)])
        finally:
            await bus.close()

    assert taken == [0, 2, 1, 3]


async def test_what_a_bus_goes_on_refusing_is_an_error(monkeypatch: pytest.MonkeyPatch):
    async with half_hearted([], times=99) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL_EVENTBRIDGE", endpoint)
        bus = EventBus(settings(endpoint), "product")
        try:
            with pytest.raises(NotTakenError, match="4 events"):
                await bus.put([BusEvent(AT, "Task.CREATED", {"sequence": n}) for n in range(4)])
        finally:
            await bus.close()


async def test_a_bus_that_nobody_answers_for_has_taken_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_EVENTBRIDGE", "http://127.0.0.1:9")
    bus = EventBus(settings("http://127.0.0.1:9"), "product")
    try:
        with pytest.raises(NotTakenError):
            await bus.put([BusEvent(AT, "Task.CREATED", {})])
    finally:
        await bus.close()


@asynccontextmanager
async def half_hearted(taken: list[int], *, times: int) -> AsyncIterator[str]:
    """A bus that takes every other event of a call, so many times, and all of them from then on."""
    left = times

    async def put_events(request: Request) -> Response:
        nonlocal left
        refuses, left = left > 0, left - 1
        answers: list[dict[str, str]] = []
        for number, entry in enumerate((await request.json())["Entries"]):
            if refuses and (number % 2 or times > MAX_EVENTS):
                answers.append({"ErrorCode": "InternalFailure", "ErrorMessage": "half-hearted"})
            else:
                answers.append({"EventId": str(number)})
                taken.append(json.loads(entry["Detail"])["sequence"])
        return JSONResponse({"FailedEntryCount": len(answers), "Entries": answers})

    app = Starlette(routes=[Route("/", put_events, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, access_log=False, lifespan="off"))
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


async def _received(queues: Any, queue: str, count: int) -> list[dict[str, Any]]:
    seen: list[dict[str, Any]] = []
    async with asyncio.timeout(10):
        while len(seen) < count:
            answer = await queues.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
            seen += [json.loads(one["Body"]) for one in answer.get("Messages", [])]
    return seen
