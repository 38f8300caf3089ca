"""The doors of real time as Lambda calls them: WebSocket events, stream batches and the sweep."""

import asyncio
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from aiobotocore.session import AioSession
from botocore.exceptions import ClientError

from graphql_api.auth.identity import Role
from graphql_api.handlers import loop
from graphql_api.handlers.api_gateway import HttpHandler
from graphql_api.realtime.gateway import UndeliverableError
from tests.features.builders import a_project, before_each
from tests.handlers.events import LambdaContext, http_event, http_reply
from tests.log_lines import log_lines
from tests.realtime.board import TITLES, titles
from tests.realtime.stage import SUBPROTOCOL, Client, Stage, open_stage
from tests.world import token

ID = "L0SM9cOFvHcCIhw="


@pytest.fixture
def stage(engine_endpoint: str) -> Iterator[Stage]:
    """A stage on the handlers' own loop."""
    opened = open_stage(engine_endpoint)
    stage = loop.run(opened.__aenter__())
    yield stage
    loop.run(opened.__aexit__(None, None, None))


def event(kind: str, **more: Any) -> dict[str, Any]:
    """What API Gateway makes of something that happened to a connection."""
    route = {"CONNECT": "$connect", "DISCONNECT": "$disconnect", "MESSAGE": "$default"}[kind]
    context = {"routeKey": route, "eventType": kind, "connectionId": ID, "requestId": "of-the-event"}
    return {"requestContext": context, "isBase64Encoded": False, **more}


def connect(stage: Stage, **headers: str) -> dict[str, Any]:
    headers = {"Sec-WebSocket-Protocol": SUBPROTOCOL, **headers}
    response = stage.door(event("CONNECT", headers=headers), LambdaContext())
    stage.sink.open_ids.add(ID)
    return response


def say(stage: Stage, message: Any) -> list[dict[str, Any]]:
    """The frames that a message is answered; the gateway itself is answered 200 whatever it was."""
    body = message if isinstance(message, str) else json.dumps(message)
    assert stage.door(event("MESSAGE", body=body), LambdaContext()) == {"statusCode": 200}
    return Client(stage, ID).taken()


def init(stage: Stage) -> None:
    payload = {"authorization": f"Bearer {token('acme', Role.MEMBER)}"}
    assert say(stage, {"type": "connection_init", "payload": payload}) == [{"type": "connection_ack"}]


HOSTILE = [
    "",
    "null",
    "[]",
    "{}",
    "{",
    '"connection_init"',
    "\ud800",
    '{"type": "ping", "payload": NaN}',
    '{"type": "ping", "type": "ping"}',
    '{"type": "ping", "payload": ' + '{"a":' * 5_000 + "1" + "}" * 5_000 + "}",
    '{"type": "ping", "payload": {"a": ' + "9" * 5_000 + "}}",
    '{"type": "ping", "payload": {"a": "' + "x" * 131_072 + '"}}',
    {"type": 7},
    {"type": None},
    {"type": "start"},
    {"type": "next", "id": "1", "payload": {}},
    {"type": "connection_ack"},
    {"type": "connection_init", "payload": []},
    {"type": "ping", "payload": "x"},
    {"type": "complete"},
    {"type": "complete", "id": 1},
    {"type": "complete", "id": ""},
    {"type": "subscribe", "id": "x" * 129, "payload": {"query": "{ __typename }"}},
    {"type": "subscribe", "id": "\x00", "payload": {"query": "{ __typename }"}},
    {"type": "subscribe", "payload": {"query": "{ __typename }"}},
    {"type": "subscribe", "id": "1"},
    {"type": "subscribe", "id": "1", "payload": {"query": 7}},
    {"type": "subscribe", "id": "1", "payload": {"query": "{ __typename }", "variables": []}},
]


def test_what_is_no_message_closes_the_socket_and_never_fails_towards_the_gateway(stage: Stage):
    for frame in HOSTILE:
        connect(stage)
        init(stage)
        (answer,) = say(stage, frame)
        assert (answer["type"], answer["payload"]["code"]) == ("connection_error", 4400), frame
        assert ID not in stage.sink.open_ids, frame
        stage.door(event("DISCONNECT"), LambdaContext())
    assert loop.run(stage.kept()) == []


UNEXECUTABLE = [
    "{",
    "{ nothing }",
    "subscription { taskChanged { id } other: taskChanged { id } }",
    "{" * 300,
    "#",
    "\x00",
]


def test_a_document_that_cannot_be_executed_is_refused_and_the_socket_stays(stage: Stage):
    connect(stage)
    init(stage)
    for query in UNEXECUTABLE:
        (answer,) = say(stage, {"type": "subscribe", "id": "1", "payload": {"query": query}})
        assert (answer["type"], answer["id"]) == ("error", "1"), query
    assert say(stage, {"type": "pong"}) == []
    assert ID in stage.sink.open_ids


def test_what_is_logged_of_a_socket_says_whose_it_is(stage: Stage):
    connect(stage)
    with log_lines() as logged:
        init(stage)
        say(stage, {"type": "subscribe", "id": "1", "payload": {"query": "{ nothing }"}})
    assert [line["message"] for line in logged()] == ["Operation answered with errors."]
    assert {(line["tenant"], line["request_id"]) for line in logged()} == {("acme", "of-the-event")}


def test_a_message_without_a_body_is_no_message(stage: Stage):
    for more in ({}, {"body": None}, {"body": ""}):
        connect(stage)
        assert stage.door(event("MESSAGE", **more), LambdaContext()) == {"statusCode": 200}
        assert Client(stage, ID).taken()[0]["payload"]["code"] == 4400


def test_a_connection_that_names_no_sub_protocol_is_refused(stage: Stage):
    for headers in ({}, {"headers": None}, {"headers": {"host": "a"}}):
        assert stage.door(event("CONNECT", **headers), LambdaContext()) == {"statusCode": 400}


def test_the_sub_protocol_is_answered(stage: Stage):
    response = connect(stage)
    assert response == {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": SUBPROTOCOL}}


def test_a_message_of_a_connection_that_nobody_knows_closes_it(stage: Stage):
    stage.sink.open_ids.add(ID)
    assert say(stage, {"type": "ping"}) == []
    assert ID not in stage.sink.open_ids


def test_a_connection_is_refused_where_it_cannot_be_remembered(
    stage: Stage, caplog: pytest.LogCaptureFixture
):
    with before_each(stage.world, "PutItem", fail):
        assert connect(stage)["statusCode"] == 500
    assert "Bearer" not in caplog.text


def fail(**_event: object) -> None:
    raise ClientError({"Error": {"Code": "ValidationException", "Message": "a bug"}}, "PutItem")


def test_a_message_that_fails_unexpectedly_ends_its_client_for_good(
    stage: Stage, caplog: pytest.LogCaptureFixture
):
    connect(stage)
    init(stage)
    with before_each(stage.world, "TransactWriteItems", fail):
        (frame,) = say(stage, {"type": "subscribe", "id": "1", "payload": {"query": TITLES}})
    assert (frame["type"], frame["payload"]["code"]) == ("connection_error", 4500)
    assert "a bug" not in str(frame)
    assert ID not in stage.sink.open_ids
    (error,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert error.exc_info


def test_a_gateway_that_fails_fails_no_event(stage: Stage):
    connect(stage)
    stage.sink.fails[ID] = stage.sink.cannot_close[ID] = UndeliverableError()
    for message in ({"type": "ping"}, {"type": "connection_init"}, "{"):
        assert say(stage, message) == []
    assert stage.door(event("DISCONNECT"), LambdaContext()) == {"statusCode": 200}


def create_task(project: str, title: str) -> dict[str, Any]:
    """The event of an HTTP request."""
    query = f'''mutation {{ createTask(input: {{ projectId: "{project}", title: "{title}" }}) {{
        ... on CreateTaskPayload {{ task {{ version }} }} }} }}'''
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token('acme', Role.MANAGER)}"}
    return http_event("POST", "/graphql", headers, json.dumps({"query": query}).encode())


def test_fifty_invocations_of_every_door_share_one_loop_and_its_clients(
    stage: Stage, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    ask, loops, clients = HttpHandler(stage.world.services), set[asyncio.AbstractEventLoop](), list[str]()
    project = loop.run(a_project(stage.world.as_("acme", Role.MANAGER)))
    connect(stage)
    init(stage)
    assert say(stage, {"type": "subscribe", "id": "1", "payload": {"query": TITLES}}) == []
    with monkeypatch.context() as patch:
        patch.setattr(AioSession, "create_client", lambda _, service, **__: clients.append(service))
        for number in range(13):
            reply = http_reply(ask(create_task(project, f"task {number}"), LambdaContext()))
            assert json.loads(reply.body)["data"] == {"createTask": {"task": {"version": 1}}}
            records = loop.run(stage.records())
            assert stage.stream({"Records": records}, LambdaContext()) == {"batchItemFailures": []}
            assert titles(Client(stage, ID)) == [f"task {number}"]
            assert say(stage, {"type": "ping"})[0]["type"] == "pong"
            assert stage.sweep({}, LambdaContext()) is None
            assert loop.run(_tasks(loops)) == set()
    stage.door(event("DISCONNECT"), LambdaContext())
    assert (clients, len(loops)) == ([], 1)
    assert "Work was left after the response." not in caplog.messages
    assert loop.run(stage.kept()) == []


def test_a_batch_that_cannot_be_done_in_time_stops_early_and_names_the_rest(
    stage: Stage, caplog: pytest.LogCaptureFixture
):
    records = made(stage, "globex", 1) + made(stage, "acme", 1)
    before = {tenant: logged(stage, tenant) for tenant in ("acme", "globex")}

    async def dawdle(params: Any, **_event: object) -> None:
        if "T#acme#" in str(params):
            await asyncio.sleep(10)

    with before_each(stage.world, "TransactWriteItems", dawdle):
        assert stage.stream({"Records": records}, LambdaContext(3_000)) == number_of(records[1])
    assert logged(stage, "globex") == before["globex"] + 1
    assert stage.stream({"Records": records[1:]}, LambdaContext()) == {"batchItemFailures": []}
    assert logged(stage, "acme") == before["acme"] + 1
    assert "Work was left after the response." not in caplog.messages


async def _tasks(loops: set[asyncio.AbstractEventLoop]) -> set[Any]:
    loops.add(asyncio.get_running_loop())
    return asyncio.all_tasks() - {asyncio.current_task()}


def logged(stage: Stage, tenant: str) -> int:
    """How many changes a tenant's log holds."""
    items = loop.run(stage.items())
    (head,) = [item for item in items if (item["pk"]["S"], item["sk"]["S"]) == (f"T#{tenant}#LOG", "HEAD")]
    return int(head["sequence"]["N"])


def made(stage: Stage, tenant: str, number: int) -> list[dict[str, Any]]:
    """The records of so many changes of a tenant."""
    for _ in range(number):
        loop.run(a_project(stage.world.as_(tenant, Role.MANAGER)))
    return loop.run(stage.records())


def number_of(record: dict[str, Any]) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": record["dynamodb"]["SequenceNumber"]}]}


@pytest.mark.parametrize(
    "spoilt",
    [
        {"NewImage": {"version": {"S": "one"}}},
        {"NewImage": {}, "OldImage": {}},
        {"NewImage": "nothing"},
        {"ApproximateCreationDateTime": "yesterday"},
    ],
)
def test_a_malformed_record_stops_its_batch_there_and_what_stands_before_is_logged(
    stage: Stage, spoilt: dict[str, Any], caplog: pytest.LogCaptureFixture
):
    records = made(stage, "acme", 3)
    before = logged(stage, "acme")
    records[1] = {**records[1], "dynamodb": {**records[1]["dynamodb"], **spoilt}}
    assert stage.stream({"Records": records}, LambdaContext()) == number_of(records[1])
    assert logged(stage, "acme") == before + 1
    assert stage.stream({"Records": records[1:2]}, LambdaContext()) == number_of(records[1])
    assert stage.stream({"Records": records[2:]}, LambdaContext()) == {"batchItemFailures": []}
    assert logged(stage, "acme") == before + 2
    assert "A stream record cannot be read." in caplog.messages


def test_one_tenants_failure_is_no_other_tenants(stage: Stage, caplog: pytest.LogCaptureFixture):
    records = made(stage, "globex", 2) + made(stage, "acme", 2) + made(stage, "globex", 2)
    before = {tenant: logged(stage, tenant) for tenant in ("acme", "globex")}

    def fail_for_acme(params: Any, **_event: object) -> None:
        if "T#acme#" in str(params):
            fail()

    with before_each(stage.world, "TransactWriteItems", fail_for_acme):
        assert stage.stream({"Records": records}, LambdaContext()) == number_of(records[2])
    assert logged(stage, "globex") == before["globex"] + 4
    assert logged(stage, "acme") == before["acme"]
    assert stage.stream({"Records": records[2:]}, LambdaContext()) == {"batchItemFailures": []}
    assert logged(stage, "globex") == before["globex"] + 4
    assert logged(stage, "acme") == before["acme"] + 2


def test_a_busy_store_is_no_error_in_the_log(stage: Stage, caplog: pytest.LogCaptureFixture):
    records = made(stage, "acme", 1)

    def be_busy(**_event: object) -> None:
        raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow down"}}, "Any")

    with before_each(stage.world, "*", be_busy):
        assert stage.stream({"Records": records}, LambdaContext()) == number_of(records[0])
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert stage.stream({"Records": records}, LambdaContext()) == {"batchItemFailures": []}


def test_a_batch_for_which_there_is_no_time_comes_again(stage: Stage):
    records = made(stage, "acme", 2)
    assert stage.stream({"Records": records}, LambdaContext(milliseconds=900)) == number_of(records[0])
    assert stage.stream({"Records": records}, LambdaContext()) == {"batchItemFailures": []}


def test_records_that_are_nobodys_business_succeed_and_are_not_logged(stage: Stage):
    world = stage.world.as_("acme", Role.MANAGER)
    loop.run(
        world.mutate("createProject", "project { id }", name="Site", idempotencyKey="a-key-of-the-client")
    )
    records = loop.run(stage.records())
    others = [record for record in records if "PROJECT" not in record["dynamodb"]["Keys"]["sk"]["S"]]
    assert len(records) > len(others) > 0
    before = logged(stage, "acme")
    expired = {**records[0], "eventName": "REMOVE"} | {
        "userIdentity": {"principalId": "dynamodb.amazonaws.com"}
    }
    nothing: dict[str, Any] = {
        "dynamodb": {**records[0]["dynamodb"], "Keys": {"pk": {"S": "?"}, "sk": {"S": "!"}}}
    }
    assert stage.stream({"Records": [*others, expired, nothing]}, LambdaContext()) == {
        "batchItemFailures": []
    }
    assert logged(stage, "acme") == before
    assert stage.stream({"Records": records}, LambdaContext()) == {"batchItemFailures": []}
    assert logged(stage, "acme") == before + 1


def test_an_empty_batch_succeeds(stage: Stage):
    assert stage.stream({"Records": []}, LambdaContext()) == {"batchItemFailures": []}
