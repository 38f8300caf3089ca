"""What lies between a client and its engine: every request passes here, and can meet with an accident."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, cast

from aiobotocore.awsrequest import AioAWSResponse
from aiobotocore.httpsession import AIOHTTPSession
from botocore.compat import HTTPHeaders
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
)
from types_aiobotocore_dynamodb import DynamoDBClient

from tests.reliability.virtual_time import VirtualTimeLoop

Request = (
    Any  # botocore's AWSPreparedRequest; what types there are for it are wrong in half of what is used here
)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request on the wire; the SDK's own repetitions are attempts of their own."""

    number: int
    operation: str
    at: float
    body: dict[str, Any]


class Network:
    """Carries requests to the engine one at a time, as they were sent; `accident` may spoil each."""

    def __init__(self, session: Any) -> None:
        self.attempts: list[Attempt] = []
        self.accident: Callable[[Attempt], Accident | None] = lambda _: None
        self._session = session
        self._on_the_wire = 0
        self._wire = asyncio.Lock()

    @property
    def is_quiet(self) -> bool:
        return self._on_the_wire == 0

    @property
    def operations(self) -> list[str]:
        return [attempt.operation for attempt in self.attempts]

    @property
    def waits(self) -> list[float]:
        """Seconds between each attempt and the next."""
        times = [attempt.at for attempt in self.attempts]
        return [later - earlier for earlier, later in pairwise(times)]

    def script(self, *accidents: "Accident | None") -> None:
        """Let the next attempts meet with these, one each, None being a good one; then all is well."""
        remaining = iter(accidents)
        self.accident = lambda _: next(remaining, None)

    async def carry(self, request: Request, **_event: object) -> AioAWSResponse:
        operation = request.headers["X-Amz-Target"].decode().rpartition(".")[2]
        body = json.loads(request.body)
        now = asyncio.get_running_loop().time()
        attempt = Attempt(len(self.attempts) + 1, operation, now, body)
        self.attempts.append(attempt)
        accident = self.accident(attempt)
        return await (accident(self, request) if accident else self.deliver(request))

    async def deliver(self, request: Request) -> AioAWSResponse:
        """The engine's answer."""
        self._on_the_wire += 1
        try:
            async with self._wire:
                return await self._session.send(request)
        finally:
            self._on_the_wire -= 1


Accident = Callable[[Network, Request], Awaitable[AioAWSResponse]]


@asynccontextmanager
async def network_of(client: DynamoDBClient) -> AsyncIterator[Network]:
    """The network under a client from now on."""
    # Idle connections are kept, however far the clock jumps.
    async with AIOHTTPSession(verify=False, connector_args={"keepalive_timeout": 1e9}) as session:
        network, events = Network(session), cast("Any", client.meta.events)
        events.register("before-send.dynamodb", network.carry)
        try:
            yield network
        finally:
            events.unregister("before-send.dynamodb", network.carry)


@contextmanager
def skipping_time(network: Network) -> Iterator[None]:
    """Inside, the loop's time passes only while nothing is on the wire, and then at once."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    loop.skip_time_while(lambda: network.is_quiet)
    try:
        yield
    finally:
        loop.skip_time_while(None)


class _Body:
    def __init__(self, content: bytes) -> None:
        self._content = content

    async def read(self) -> bytes:
        return self._content


def answer_of(request: Request, status: int, content: bytes) -> AioAWSResponse:
    return AioAWSResponse(request.url, status, HTTPHeaders(), _Body(content))


def refused(code: str, status: int = 400, **fields: Any) -> Accident:
    """DynamoDB says no, by its name for it."""

    async def accident(_: Network, request: Request) -> AioAWSResponse:
        error = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": code, **fields}
        return answer_of(request, status, json.dumps(error).encode())

    return accident


def cancelled(*codes: str) -> Accident:
    """A transaction is cancelled for one reason for each of its members."""
    reasons = [{"Code": code, "Message": code} for code in codes]
    return refused("TransactionCanceledException", CancellationReasons=reasons)


async def bad_gateway(_: Network, request: Request) -> AioAWSResponse:
    """Something in front of DynamoDB answers with a page."""
    return answer_of(request, 502, b"<html>Bad gateway</html>")


async def reset(_: Network, request: Request) -> AioAWSResponse:
    raise ConnectionClosedError(endpoint_url=request.url)


async def unreachable(_: Network, request: Request) -> AioAWSResponse:
    raise EndpointConnectionError(endpoint_url=request.url)


async def no_connection(_: Network, request: Request) -> AioAWSResponse:
    await asyncio.sleep(1)
    raise ConnectTimeoutError(endpoint_url=request.url)


async def no_answer(_: Network, request: Request) -> AioAWSResponse:
    """The request never arrives."""
    await asyncio.sleep(2)
    raise ReadTimeoutError(endpoint_url=request.url)


async def hangs(_: Network, request: Request) -> AioAWSResponse:
    """For longer than any deadline, as if there were no timeout."""
    await asyncio.sleep(3600)
    raise ReadTimeoutError(endpoint_url=request.url)


async def lost_answer(network: Network, request: Request) -> AioAWSResponse:
    """The engine does what it was asked to, and nobody hears of it."""
    await network.deliver(request)
    await asyncio.sleep(2)
    raise ReadTimeoutError(endpoint_url=request.url)


def slow(there: float, back: float) -> Accident:
    """The way there and back takes its time, in seconds."""

    async def accident(network: Network, request: Request) -> AioAWSResponse:
        await asyncio.sleep(there)
        answer = await network.deliver(request)
        await asyncio.sleep(back)
        return answer

    return accident


def unprocessed(is_left_out: Callable[[dict[str, Any]], bool]) -> Accident:
    """A batch of reads comes back without the keys that the predicate names."""

    async def accident(network: Network, request: Request) -> AioAWSResponse:
        answer = await network.deliver(request)
        content = json.loads(await cast("Any", answer.content))
        ((table, asked),) = json.loads(request.body)["RequestItems"].items()
        left_out = [key for key in asked["Keys"] if is_left_out(key)]
        content["Responses"][table] = [
            item
            for item in content["Responses"].get(table, [])
            if not any(key.items() <= item.items() for key in left_out)
        ]
        if left_out:
            content["UnprocessedKeys"] = {table: {**asked, "Keys": left_out}}
        return answer_of(request, 200, json.dumps(content).encode())

    return accident


def short_page(rows: int) -> Accident:
    """A Query's answer ends early, as at 1 MB."""

    async def accident(network: Network, request: Request) -> AioAWSResponse:
        answer = await network.deliver(request)
        content = json.loads(await cast("Any", answer.content))
        query = json.loads(request.body)
        position = {name: query["ExpressionAttributeNames"][name] for name in ("#p", "#s")}
        before_all = {
            "pk": {"S": "0"},
            "sk": {"S": "0"},
            position["#p"]: query["ExpressionAttributeValues"][":p"],
            position["#s"]: query["ExpressionAttributeValues"][":low"],
        }
        shown = content["Items"][:rows]
        last = shown[-1] if shown else query.get("ExclusiveStartKey", before_all)
        content |= {"Items": shown, "LastEvaluatedKey": {name: last[name] for name in before_all}}
        return answer_of(request, 200, json.dumps(content).encode())

    return accident
