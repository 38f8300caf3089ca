import asyncio
import http.client
import json
import re
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import ClientError, ReadTimeoutError
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from graphql_api.local.gateway import Faults, Limits, WebSocketGateway
from graphql_api.local.gateway import connection as connection_module
from tests.local.served import PATIENCE_SECONDS, eventually, served

KB = 1024
OK = {"statusCode": 200}
SESSION = get_session()  # loads the service model once
ID = re.compile(r"\A[A-Za-z0-9_-]{15}=\Z")

Answer = Callable[[dict[str, Any]], Awaitable[Any]]


class Recorder:
    """A handler that keeps every event and answers 200, unless an event type has an answer of its own."""

    def __init__(self, **answers: Answer) -> None:
        self.events: list[dict[str, Any]] = []
        self.answers = answers

    async def __call__(self, event: dict[str, Any]) -> dict[str, Any]:
        assert json.loads(json.dumps(event)) == event
        self.events.append(event)
        answer = self.answers.get(event["requestContext"]["eventType"])
        return await answer(event) if answer else OK

    def of(self, event_type: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["requestContext"]["eventType"] == event_type]

    def bodies(self) -> list[str]:
        return [event["body"] for event in self.of("MESSAGE")]


@dataclass
class Stage:
    """A served gateway, and a client of its management API."""

    gateway: WebSocketGateway
    handler: Recorder
    address: str
    api: Any
    clients: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def connect(self, query: str = "", **options: Any) -> tuple[ClientConnection, str]:
        """A client and its connection id."""
        before = len(self.handler.of("CONNECT"))
        opening = connect(f"ws://{self.address}/graphql{query}", compression=None, **options)
        client = await self.clients.enter_async_context(opening)
        [event] = self.handler.of("CONNECT")[before:]
        return client, event["requestContext"]["connectionId"]

    async def post(self, connection_id: str, data: str | bytes) -> None:
        await self.api.post_to_connection(ConnectionId=connection_id, Data=data)

    async def post_until_refused(self, connection_id: str, data: str) -> None:
        for _ in range(500):
            await self.post(connection_id, data)

    async def disconnected(self) -> dict[str, Any]:
        """The first `$disconnect` event, once there is one."""
        await eventually(lambda: self.handler.of("DISCONNECT"))
        return self.handler.of("DISCONNECT")[0]


@asynccontextmanager
async def staged(
    handler: Recorder | None = None, limits: Limits | None = None, faults: Faults | None = None
) -> AsyncGenerator[Stage]:
    handler = handler or Recorder()
    gateway = WebSocketGateway(handler, stage="dev", limits=limits, faults=faults)
    config = AioConfig(read_timeout=1, retries={"total_max_attempts": 1})
    async with (
        served(gateway.routes("/graphql", "/_gateway")) as address,
        SESSION.create_client(
            "apigatewaymanagementapi",
            region_name="us-east-1",
            endpoint_url=f"http://{address}/_gateway",
            config=config,
        ) as api,
        AsyncExitStack() as clients,
    ):
        yield Stage(gateway, handler, address, api, clients)
        await gateway.close()


@pytest.fixture
async def stage() -> AsyncGenerator[Stage]:
    async with staged() as opened:
        yield opened


async def frame(client: ClientConnection) -> str | bytes:
    return await asyncio.wait_for(client.recv(), PATIENCE_SECONDS)


async def closed(client: ClientConnection) -> int | None:
    await asyncio.wait_for(client.wait_closed(), PATIENCE_SECONDS)
    return client.close_code


async def refused(call: Awaitable[Any]) -> tuple[int, str]:
    with pytest.raises(ClientError) as error:
        await call
    metadata = error.value.response.get("ResponseMetadata", {})
    return metadata.get("HTTPStatusCode", 0), error.value.response.get("Error", {}).get("Code", "")


def answering(response: Any) -> Answer:
    async def answer(_: dict[str, Any]) -> Any:
        return response

    return answer


async def failing(_: dict[str, Any]) -> Any:
    raise LookupError("a secret")


async def test_connect_tells_the_handshake_with_headers_and_query(stage: Stage):
    before = int(time.time() * 1000)
    await stage.connect(
        "?after=a%20b&after=c",
        user_agent_header="probe/1",
        additional_headers=[("X-Two", "1"), ("X-Two", "2")],
    )
    [event] = stage.handler.events
    context = event["requestContext"]
    assert ID.match(context["connectionId"])
    assert ID.match(context["requestId"])
    assert before <= context["connectedAt"] <= context["requestTimeEpoch"] <= time.time() * 1000
    told = datetime.strptime(context["requestTime"], "%d/%b/%Y:%H:%M:%S %z")
    assert told == datetime.fromtimestamp(context["requestTimeEpoch"] // 1000, UTC)
    assert context == {
        "routeKey": "$connect",
        "eventType": "CONNECT",
        "extendedRequestId": context["requestId"],
        "requestTime": context["requestTime"],
        "messageDirection": "IN",
        "stage": "dev",
        "connectedAt": context["connectedAt"],
        "requestTimeEpoch": context["requestTimeEpoch"],
        "identity": {"sourceIp": "127.0.0.1", "userAgent": "probe/1"},
        "requestId": context["requestId"],
        "domainName": stage.address,
        "connectionId": context["connectionId"],
        "apiId": "local",
    }
    assert event["headers"]["Host"] == stage.address
    assert event["headers"]["Sec-WebSocket-Version"] == "13"
    assert event["headers"]["X-Forwarded-For"] == "127.0.0.1"
    assert (event["headers"]["X-Two"], event["multiValueHeaders"]["X-Two"]) == ("2", ["1", "2"])
    assert event["queryStringParameters"] == {"after": "c"}
    assert event["multiValueQueryStringParameters"] == {"after": ["a b", "c"]}
    assert event["isBase64Encoded"] is False
    assert "body" not in event


async def test_a_handshake_without_query_has_no_query_parameters(stage: Stage):
    await stage.connect()
    assert not {name for name in stage.handler.events[0] if "uery" in name}


async def test_a_message_is_an_event_with_its_body_and_without_headers(stage: Stage):
    client, connection_id = await stage.connect()
    await client.send('{"type":"ping"}')
    await eventually(lambda: stage.handler.of("MESSAGE"))
    connected, event = stage.handler.events
    context = event["requestContext"]
    assert event.keys() == {"requestContext", "body", "isBase64Encoded"}
    assert (event["body"], event["isBase64Encoded"]) == ('{"type":"ping"}', False)
    assert (context["routeKey"], context["connectionId"]) == ("$default", connection_id)
    assert context["connectedAt"] == connected["requestContext"]["connectedAt"]
    assert ID.match(context["messageId"])
    assert context["requestId"] != connected["requestContext"]["requestId"]


@pytest.mark.parametrize(
    ("code", "reason", "told"), [(1000, "", 1000), (4001, "enough", 4001), (None, "", 1005)]
)
async def test_a_client_that_closes_is_told_with_its_code(
    stage: Stage, code: int | None, reason: str, told: int
):
    client, connection_id = await stage.connect()
    client.protocol.send_close(code, reason)
    client.transport.write(b"".join(client.protocol.data_to_send()))
    event = await stage.disconnected()
    context = event["requestContext"]
    assert (context["routeKey"], context["connectionId"]) == ("$disconnect", connection_id)
    assert (context["disconnectStatusCode"], context["disconnectReason"]) == (told, reason)
    assert event["headers"] == {
        "Host": stage.address,
        "x-api-key": "",
        "X-Forwarded-For": "",
        "x-restapi": "",
    }
    assert event["multiValueHeaders"]["Host"] == [stage.address]
    assert "body" not in event


async def test_a_client_that_vanishes_is_told_as_1006(stage: Stage):
    client, connection_id = await stage.connect()
    client.transport.abort()
    event = await stage.disconnected()
    assert event["requestContext"]["disconnectStatusCode"] == 1006
    assert await refused(stage.post(connection_id, "late")) == (410, "GoneException")


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (answering({"statusCode": 401}), 401),
        (answering({"statusCode": 403, "body": "no"}), 403),
        (answering({"statusCode": 503}), 503),
        (answering({"statusCode": 302}), 500),
        (answering({"statusCode": "200"}), 500),
        (answering({}), 500),
        (answering(None), 500),
        (failing, 500),
    ],
)
async def test_the_handler_decides_who_may_connect(answer: Answer, status: int):
    async with staged(Recorder(CONNECT=answer)) as stage:
        with pytest.raises(InvalidStatus) as refusal:
            await stage.connect()
        assert refusal.value.response.status_code == status
        assert b"secret" not in refusal.value.response.body
        assert not stage.handler.of("DISCONNECT")


@pytest.mark.parametrize("header", ["Sec-WebSocket-Protocol", "sec-websocket-protocol"])
async def test_the_sub_protocol_is_what_connect_echoes(header: str):
    response = {"statusCode": 200, "headers": {header: "graphql-transport-ws"}}
    async with staged(Recorder(CONNECT=answering(response))) as stage:
        client, _ = await stage.connect(subprotocols=["other", "graphql-transport-ws"])
        assert client.subprotocol == "graphql-transport-ws"


async def test_no_sub_protocol_is_chosen_for_the_handler(stage: Stage):
    client, _ = await stage.connect(subprotocols=["graphql-transport-ws"])
    assert client.subprotocol is None


async def test_a_connection_is_gone_until_connect_has_returned():
    posted: list[tuple[int, str]] = []

    async def post_too_early(event: dict[str, Any]) -> dict[str, Any]:
        connection_id = event["requestContext"]["connectionId"]
        posted.append(await refused(stage.post(connection_id, "early")))
        return OK

    async with staged(Recorder(CONNECT=post_too_early)) as stage:
        client, connection_id = await stage.connect()
        assert posted == [(410, "GoneException")]
        await stage.post(connection_id, "in time")
        assert await frame(client) == "in time"


async def test_messages_of_one_socket_are_handled_at_once():
    second = asyncio.Event()
    ended: list[str] = []

    async def first_waits_for_second(event: dict[str, Any]) -> dict[str, Any]:
        if event["body"] == "first":
            await second.wait()
        second.set()
        ended.append(event["body"])
        return OK

    async with staged(Recorder(MESSAGE=first_waits_for_second)) as stage:
        client, _ = await stage.connect()
        await client.send("first")
        await eventually(stage.handler.bodies)
        await client.send("second")
        await eventually(lambda: len(ended) == 2)
    assert ended == ["second", "first"]


async def test_what_the_handler_returns_for_a_message_is_dropped():
    async with staged(Recorder(MESSAGE=answering({"statusCode": 200, "body": "dropped"}))) as stage:
        client, connection_id = await stage.connect()
        await client.send("question")
        await eventually(stage.handler.bodies)
        await stage.post(connection_id, "posted")
        assert await frame(client) == "posted"


@pytest.mark.parametrize("answer", [failing, answering(None), answering({"body": "no status"})])
async def test_a_failed_invocation_is_told_without_its_reason(answer: Answer):
    async with staged(Recorder(MESSAGE=answer)) as stage:
        client, connection_id = await stage.connect()
        await client.send("question")
        told = json.loads(await frame(client))
        request_id = stage.handler.of("MESSAGE")[0]["requestContext"]["requestId"]
        assert told == {
            "message": "Internal server error",
            "connectionId": connection_id,
            "requestId": request_id,
        }


async def test_an_invocation_that_takes_too_long_counts_as_failed_and_runs_on():
    released, finished = asyncio.Event(), asyncio.Event()

    async def slow(_: dict[str, Any]) -> dict[str, Any]:
        await released.wait()
        finished.set()
        return OK

    async with staged(Recorder(MESSAGE=slow), Limits(integration_seconds=0.05)) as stage:
        client, _ = await stage.connect()
        await client.send("question")
        assert json.loads(await frame(client))["message"] == "Internal server error"
        released.set()
        await asyncio.wait_for(finished.wait(), PATIENCE_SECONDS)


async def test_a_message_may_have_128_kilobytes_and_no_byte_more(stage: Stage):
    client, _ = await stage.connect()
    await client.send("ü" * 64 * KB)
    await eventually(stage.handler.bodies)
    await client.send("ü" * 64 * KB + "x")
    assert await closed(client) == 1009
    event = await stage.disconnected()
    assert event["requestContext"]["disconnectStatusCode"] == 1009
    assert stage.handler.bodies() == ["ü" * 64 * KB]


async def test_a_binary_message_arrives_as_text(stage: Stage):
    client, _ = await stage.connect()
    await client.send(b"caf\xc3\xa9 \xff")
    await client.send(b"")
    await eventually(lambda: len(stage.handler.of("MESSAGE")) == 2)
    assert stage.handler.bodies() == ["café \N{REPLACEMENT CHARACTER}", ""]
    assert stage.handler.of("MESSAGE")[0]["isBase64Encoded"] is False


async def test_an_idle_connection_is_closed_and_traffic_keeps_it_open():
    async with staged(limits=Limits(idle_seconds=0.8)) as stage:
        client, connection_id = await stage.connect()
        began = time.monotonic()
        for _ in range(2):
            await asyncio.sleep(0.4)
            await client.send("ping")
            await asyncio.sleep(0.4)
            await stage.post(connection_id, "pong")
        assert await closed(client) == 1001
        assert time.monotonic() - began > 2.3
        assert (await stage.disconnected())["requestContext"]["disconnectStatusCode"] == 1001


async def test_a_connection_ends_with_its_lifetime_however_busy():
    async with staged(limits=Limits(lifetime_seconds=0.3)) as stage:
        client, _ = await stage.connect()
        ended = asyncio.create_task(closed(client))
        with suppress(ConnectionClosed):
            while not ended.done():
                await client.send("busy")
                await asyncio.sleep(0.02)
        assert await ended == 1001


async def test_posts_arrive_in_order_as_text(stage: Stage):
    client, connection_id = await stage.connect()
    for number in range(20):
        await stage.post(connection_id, str(number))
    await stage.post(connection_id, b"\xff")
    frames = [await frame(client) for _ in range(21)]
    assert frames == [*map(str, range(20)), "\N{REPLACEMENT CHARACTER}"]


async def test_an_unknown_connection_is_gone(stage: Stage):
    unknown = {"ConnectionId": "AAAAAAAAAAAAAAA="}
    gone = (410, "GoneException")
    assert await refused(stage.post(unknown["ConnectionId"], "x")) == gone
    assert await refused(stage.api.get_connection(**unknown)) == gone
    assert await refused(stage.api.delete_connection(**unknown)) == gone


async def test_a_post_may_have_128_kilobytes_and_no_byte_more(stage: Stage):
    client, connection_id = await stage.connect()
    await stage.post(connection_id, "x" * 128 * KB)
    assert await frame(client) == "x" * 128 * KB
    too_large = await refused(stage.post(connection_id, "x" * (128 * KB + 1)))
    assert too_large == (413, "PayloadTooLargeException")


async def test_a_client_that_does_not_read_fills_its_buffer_alone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connection_module, "CLOSE_SECONDS", 0.2)
    async with staged(limits=Limits(unsent_frames=3)) as stage:
        stalled, stalled_id = await stage.connect()
        stalled.transport.pause_reading()
        other, other_id = await stage.connect()
        full = await refused(stage.post_until_refused(stalled_id, "x" * 128 * KB))
        assert full == (429, "LimitExceededException")
        await stage.post(other_id, "hello")
        assert await frame(other) == "hello"
        await stage.api.delete_connection(ConnectionId=stalled_id)
        assert await refused(stage.post(stalled_id, "late")) == (410, "GoneException")
        event = await stage.disconnected()
        assert event["requestContext"]["connectionId"] == stalled_id
        stalled.transport.abort()


async def test_a_deleted_connection_gets_what_was_posted_before_and_is_gone(stage: Stage):
    client, connection_id = await stage.connect()
    await stage.post(connection_id, "last words")
    deleted = await stage.api.delete_connection(ConnectionId=connection_id)
    assert deleted["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert await refused(stage.post(connection_id, "too late")) == (410, "GoneException")
    assert await frame(client) == "last words"
    assert await closed(client) == 1000
    event = await stage.disconnected()
    assert event["requestContext"]["connectionId"] == connection_id
    assert event["requestContext"]["disconnectStatusCode"] == 1000


async def test_a_connection_can_be_described(stage: Stage):
    client, connection_id = await stage.connect(user_agent_header="probe/1")
    await asyncio.sleep(0.05)
    await client.send("ping")
    await eventually(stage.handler.bodies)
    described = await stage.api.get_connection(ConnectionId=connection_id)
    connected_at = stage.handler.events[0]["requestContext"]["connectedAt"]
    assert described["ConnectedAt"].timestamp() == pytest.approx(connected_at / 1000, abs=0.002)
    assert described["LastActiveAt"] > described["ConnectedAt"]
    assert described["Identity"] == {"SourceIp": "127.0.0.1", "UserAgent": "probe/1"}


SIGNATURE = "AWS4-HMAC-SHA256 Credential=test/20261120/us-east-1/execute-api/aws4_request"


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer token"},
        {"authorization": SIGNATURE, "origin": "https://elsewhere.example"},
    ],
)
async def test_the_management_api_refuses_what_a_web_page_could_send(
    stage: Stage, method: str, headers: dict[str, str]
):
    client, connection_id = await stage.connect()

    def request() -> tuple[int, str | None, Any]:
        with closing(http.client.HTTPConnection(stage.address, timeout=PATIENCE_SECONDS)) as direct:
            direct.request(method, f"/_gateway/@connections/{connection_id}", "x", headers)
            response = direct.getresponse()
            return response.status, response.getheader("x-amzn-errortype"), json.load(response)

    assert await asyncio.to_thread(request) == (403, "ForbiddenException", {"message": "Forbidden"})
    await stage.post(connection_id, "still here")
    assert await frame(client) == "still here"


class Refusing(Faults):
    def __init__(self, status: int) -> None:
        self.status = status

    async def post(self, connection_id: str, frame: str, deliver: Callable[[], int]) -> int:
        return self.status


class Mischief(Faults):
    """Does with a frame what it says."""

    def __init__(self) -> None:
        self.later = asyncio.Event()

    async def post(self, connection_id: str, frame: str, deliver: Callable[[], int]) -> int:
        match frame:
            case "lose":
                return 200
            case "late":
                await self.later.wait()
            case "twice":
                deliver()
            case "hang":
                deliver()
                await asyncio.sleep(PATIENCE_SECONDS)
            case _:
                pass
        return deliver()

    def loses_disconnect(self, connection_id: str) -> bool:
        return True


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (410, "GoneException"),
        (413, "PayloadTooLargeException"),
        (429, "LimitExceededException"),
        (500, "InternalServerErrorException"),
    ],
)
async def test_a_fault_can_refuse_a_post(status: int, code: str):
    async with staged(faults=Refusing(status)) as stage:
        _, connection_id = await stage.connect()
        assert await refused(stage.post(connection_id, "x")) == (status, code)


async def test_faults_can_lose_delay_repeat_and_hang_posts():
    faults = Mischief()
    async with staged(faults=faults) as stage:
        client, connection_id = await stage.connect()
        late = asyncio.create_task(stage.post(connection_id, "late"))
        for data in ("lose", "twice"):
            await stage.post(connection_id, data)
        faults.later.set()
        await late
        with pytest.raises(ReadTimeoutError):
            await stage.post(connection_id, "hang")
        assert [await frame(client) for _ in range(4)] == ["twice", "twice", "late", "hang"]


async def test_a_fault_can_lose_the_disconnect():
    async with staged(faults=Mischief()) as stage:
        client, connection_id = await stage.connect()
        await client.close()
        gone = await refused(stage.post_until_refused(connection_id, "x"))
        assert gone == (410, "GoneException")
        await stage.gateway.close()
    assert not stage.handler.of("DISCONNECT")


async def test_closing_ends_every_socket_and_waits_for_what_runs():
    finished: list[str] = []

    async def slow(event: dict[str, Any]) -> dict[str, Any]:
        await asyncio.sleep(0.2)
        finished.append(event["requestContext"]["eventType"])
        return OK

    async with staged(Recorder(MESSAGE=slow, DISCONNECT=slow)) as stage:
        clients = [(await stage.connect())[0] for _ in range(3)]
        await clients[0].send("work")
        await eventually(stage.handler.bodies)
        await stage.gateway.close()
        assert sorted(finished) == ["DISCONNECT"] * 3 + ["MESSAGE"]
        assert [await closed(client) for client in clients] == [1001] * 3


async def test_a_client_that_connects_while_the_gateway_closes_is_sent_away():
    released = asyncio.Event()

    async def slow(_: dict[str, Any]) -> dict[str, Any]:
        await released.wait()
        return OK

    async with staged(Recorder(CONNECT=slow)) as stage:
        connecting = asyncio.create_task(stage.connect())
        await eventually(lambda: stage.handler.of("CONNECT"))
        closing = asyncio.create_task(stage.gateway.close())
        await asyncio.sleep(0)
        released.set()
        client, _ = await connecting
        assert await closed(client) == 1001
        await closing


async def test_closing_does_not_wait_for_ever():
    async def endless(_: dict[str, Any]) -> dict[str, Any]:
        await asyncio.Event().wait()
        return OK

    async with staged(Recorder(MESSAGE=endless)) as stage:
        client, _ = await stage.connect()
        await client.send("work")
        await eventually(stage.handler.bodies)
        began = time.monotonic()
        await stage.gateway.close(seconds=0.3)
        assert time.monotonic() - began < 5
