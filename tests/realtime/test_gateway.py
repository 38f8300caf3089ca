"""The management API's answers, and what becomes of a frame: sent, gone, or undeliverable."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from urllib.parse import unquote

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from graphql_api.deadline import Deadline
from graphql_api.realtime import gateway
from graphql_api.realtime.gateway import ApiGateway, GoneError, UndeliverableError
from tests.local.served import served
from tests.world import settings

ID = "L0SM9cOFvHcCIhw="


@dataclass
class Api:
    """The management API: answers with these statuses in turn, then 200; 0 is no answer at all."""

    statuses: list[int] = field(default_factory=list[int])
    requests: list[tuple[str, str, bytes]] = field(default_factory=list[tuple[str, str, bytes]])

    async def answer(self, request: Request) -> Response:
        path = unquote(request.url.path)
        self.requests.append((request.method, path, await request.body()))
        status = self.statuses.pop(0) if self.statuses else 200
        if not status:
            await asyncio.sleep(5)
        return Response(status_code=status)


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
async def client(api: Api, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ApiGateway]:
    monkeypatch.setattr(gateway, "BASE_DELAY", 0.001)
    route = Route("/dev/@connections/{id:path}", api.answer, methods=["POST", "DELETE"])
    async with served([route]) as address:
        chosen = dataclasses.replace(settings("http://unused"), connections_endpoint=f"http://{address}/dev")
        opened = ApiGateway(chosen)
        await opened.open()
        await opened.open()
        try:
            yield opened
        finally:
            await opened.close()


async def test_a_frame_is_posted_as_it_is_to_its_connection(api: Api, client: ApiGateway):
    await client.post(ID, b'{"type":"pong"}', Deadline.after(5))
    await client.disconnect(ID, Deadline.after(5))
    assert api.requests == [
        ("POST", f"/dev/@connections/{ID}", b'{"type":"pong"}'),
        ("DELETE", f"/dev/@connections/{ID}", b""),
    ]


async def test_who_is_gone_is_said_to_be_gone(api: Api, client: ApiGateway):
    api.statuses = [410, 410]
    with pytest.raises(GoneError):
        await client.post(ID, b"{}", Deadline.after(5))
    with pytest.raises(GoneError):
        await client.disconnect(ID, Deadline.after(5))
    assert len(api.requests) == 2


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_a_post_that_fails_for_a_moment_is_tried_again(api: Api, client: ApiGateway, status: int):
    api.statuses = [status, status]
    await client.post(ID, b"{}", Deadline.after(5))
    assert len(api.requests) == 3


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_post_that_keeps_failing_is_given_up(api: Api, client: ApiGateway, status: int):
    api.statuses = [status] * 50
    with pytest.raises(UndeliverableError):
        await client.post(ID, b"{}", Deadline.after(5))
    assert len(api.requests) == gateway.MAX_TRIES


@pytest.mark.parametrize("status", [400, 403, 413])
async def test_a_post_that_is_refused_is_not_repeated(api: Api, client: ApiGateway, status: int):
    api.statuses = [status]
    with pytest.raises(UndeliverableError):
        await client.post(ID, b"{}", Deadline.after(5))
    assert len(api.requests) == 1


async def test_a_post_ends_with_its_deadline(api: Api, client: ApiGateway):
    api.statuses = [0]
    with pytest.raises(UndeliverableError):
        await client.post(ID, b"{}", Deadline.after(0.2))
    with pytest.raises(UndeliverableError):
        await client.post(ID, b"{}", Deadline.after(0))


async def test_without_an_endpoint_nothing_is_opened_and_nothing_can_be_posted():
    unset = ApiGateway(settings("http://unused"))
    await unset.open()
    with pytest.raises(RuntimeError, match="CONNECTIONS_ENDPOINT"):
        await unset.post(ID, b"{}", Deadline.after(5))
    await unset.close()
