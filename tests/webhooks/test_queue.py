"""The two queues that wake who delivers: SQS's client, and the one inside a process."""

import asyncio
import dataclasses
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web

from graphql_api.local import queue as local
from graphql_api.local.queue import LocalQueue
from graphql_api.settings import Profile
from graphql_api.store.queue import MAX_DELAY, SqsQueue, UnsentError
from tests.webhooks.receiver import Received, Receiver
from tests.world import settings


@asynccontextmanager
async def a_queue(receiver: Receiver, patch: pytest.MonkeyPatch) -> AsyncIterator[SqsQueue]:
    """A client of an SQS that the receiver stands for."""
    patch.setenv("AWS_ENDPOINT_URL_SQS", f"http://127.0.0.1:{receiver.port}")
    url = f"http://127.0.0.1:{receiver.port}/1/webhooks"
    queue = SqsQueue(dataclasses.replace(settings("http://127.0.0.1:1"), webhook_queue_url=url))
    try:
        yield queue
    finally:
        await queue.close()


def takes(failed: list[dict[str, Any]]) -> Any:
    async def answer(received: Received) -> web.Response:
        entries = received.message["Entries"]
        sent = [
            {"Id": entry["Id"], "MessageId": entry["Id"], "MD5OfMessageBody": _digest(entry["MessageBody"])}
            for entry in entries
        ]
        return web.json_response({"Successful": [] if failed else sent, "Failed": failed})

    return answer


def _digest(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()  # noqa: S324 - SQS's own


async def test_messages_are_sent_ten_at_a_time(receiver: Receiver, monkeypatch: pytest.MonkeyPatch):
    receiver.answer = takes([])
    async with a_queue(receiver, monkeypatch) as queue:
        await queue.send([f"message {number}" for number in range(12)], timedelta(seconds=7))
    first, second = [received.message["Entries"] for received in receiver.taken()]
    assert [entry["MessageBody"] for entry in (*first, *second)] == [f"message {n}" for n in range(12)]
    assert {entry["DelaySeconds"] for entry in (*first, *second)} == {7}


async def test_no_delay_is_longer_than_sqs_allows(receiver: Receiver, monkeypatch: pytest.MonkeyPatch):
    receiver.answer = takes([])
    async with a_queue(receiver, monkeypatch) as queue:
        await queue.send(["late"], timedelta(hours=4))
    (received,) = receiver.taken()
    assert received.message["Entries"][0]["DelaySeconds"] == MAX_DELAY.total_seconds()


async def test_what_is_not_taken_is_told(receiver: Receiver, monkeypatch: pytest.MonkeyPatch):
    async with a_queue(receiver, monkeypatch) as queue:
        receiver.answer = takes([{"Id": "0", "Code": "InternalError", "SenderFault": False}])
        with pytest.raises(UnsentError):
            await queue.send(["refused"])
        receiver.says(503)
        with pytest.raises(UnsentError):
            await queue.send(["refused"])


async def test_a_queue_that_hangs_is_not_waited_for(receiver: Receiver, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("graphql_api.store.queue.SEND_SECONDS", 0.3)
    goes_on = asyncio.Event()

    async def answer(_: Received) -> web.Response:
        await goes_on.wait()
        return web.Response()

    receiver.answer = answer
    async with a_queue(receiver, monkeypatch) as queue:
        with pytest.raises(UnsentError):
            await queue.send(["waits"])
        goes_on.set()


async def test_without_a_queue_nothing_is_sent():
    queue = SqsQueue(settings("http://127.0.0.1:1", profile=Profile.PRODUCTION))
    with pytest.raises(UnsentError):
        await queue.send(["nowhere"])
    await queue.close()


class Function:
    """Takes batches; `fails` are bodies that are failed so many times."""

    def __init__(self, **fails: int) -> None:
        self.bodies: list[str] = []
        self.ids: list[str] = []
        self._fails = fails

    async def __call__(self, event: dict[str, Any]) -> dict[str, Any]:
        failed: list[dict[str, str]] = []
        for record in event["Records"]:
            self.bodies.append(record["body"])
            self.ids.append(record["messageId"])
            if self._fails.get(record["body"], 0) > 0:
                self._fails[record["body"]] -= 1
                failed.append({"itemIdentifier": record["messageId"]})
        return {"batchItemFailures": failed}

    async def until(self, number: int) -> None:
        async with asyncio.timeout(5):
            while len(self.bodies) < number:  # noqa: ASYNC110 - the queue has no event to wait for
                await asyncio.sleep(0.01)


@asynccontextmanager
async def served(queue: LocalQueue, function: Function) -> AsyncIterator[None]:
    task = asyncio.create_task(queue.serve(function))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_the_queue_of_a_process_hands_on_once_what_is_done_with():
    queue, function = LocalQueue(), Function()
    await queue.send(["a", "b"])
    async with served(queue, function):
        await function.until(2)
        await asyncio.sleep(0.3)
    assert function.bodies == ["a", "b"]


async def test_a_delayed_message_is_delayed():
    queue, function = LocalQueue(), Function()
    await queue.send(["late"], timedelta(seconds=0.4))
    await queue.send(["early"])
    async with served(queue, function):
        await function.until(2)
    assert function.bodies == ["early", "late"]


async def test_a_failed_message_comes_again_as_itself_and_is_given_up_at_last(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(local, "VISIBILITY_SECONDS", 0.01)
    queue, function = LocalQueue(), Function(twice=2, always=99)
    await queue.send(["twice", "always"])
    async with served(queue, function):
        await function.until(3 + local.MAX_RECEIVES)
        await asyncio.sleep(0.3)
    assert (function.bodies.count("twice"), function.bodies.count("always")) == (3, local.MAX_RECEIVES)
    assert len(set(function.ids)) == 2
    assert queue.dead_letters == ["always"]
