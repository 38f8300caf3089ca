import asyncio
import json
from typing import Any

import pytest
from websockets import ClientConnection, InvalidHandshake

from tests.e2e.followers import following
from tests.e2e.system import CHANGES, ORIGIN, PROTOCOL, SUSPEND, Member, System

PATIENCE_SECONDS = 30
CLIENTS = ["graphql-ws", "gql"]


async def said(socket: ClientConnection) -> dict[str, Any]:
    """The next message of the server."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        return json.loads(await socket.recv())


async def until_closed(socket: ClientConnection) -> list[dict[str, Any]]:
    """Everything the server still says before it closes the socket."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        return [json.loads(message) async for message in socket]


EVERYTHING = "subscription { taskChanged { id task { id title version } } }"


async def subscribe(socket: ClientConnection, member: Member, query: str = CHANGES) -> None:
    """Sign in and listen, to the member's project by default; returns when the server knows of it."""
    init = {"type": "connection_init", "payload": {"authorization": f"Bearer {member.token}"}}
    await socket.send(json.dumps(init))
    assert await said(socket) == {"type": "connection_ack"}
    variables = {"project": member.project} if query == CHANGES else {}
    payload = {"query": query, "variables": variables}
    await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": payload}))
    # Messages of a socket are handled in their order here, and a subscribe is not answered.
    await socket.send(json.dumps({"type": "ping"}))
    assert (await said(socket))["type"] == "pong"


async def test_the_handshake_echoes_the_sub_protocol(system: System):
    async with system.socket() as socket:
        assert socket.subprotocol == PROTOCOL


async def test_a_handshake_without_our_sub_protocol_is_refused(system: System):
    with pytest.raises(InvalidHandshake):
        async with system.socket("graphql-ws"):
            pass


async def test_a_browser_of_another_origin_is_refused(system: System):
    async with system.socket(origin=ORIGIN):
        pass
    with pytest.raises(InvalidHandshake):
        async with system.socket(origin="https://other.example"):
            pass


async def test_a_push_comes_through_the_stream_and_the_management_api(system: System, acme: Member):
    async with system.socket() as socket:
        await subscribe(socket, acme)
        task = system.create_task(acme)
        event = await said(socket)
    assert event["type"] == "next"
    change = event["payload"]["data"]["taskChanged"]
    assert (change["action"], change["task"]) == ("CREATED", task)


@pytest.mark.parametrize("client", CLIENTS)
async def test_a_client_library_receives_the_push(client: str, system: System, acme: Member):
    async with following(client, system, acme) as follower:
        task = system.create_task(acme)
        change = await follower.told(task["title"])
    assert (change["action"], change["entityId"]) == ("CREATED", task["id"])


async def test_another_tenants_subscriber_hears_nothing(system: System, acme: Member, globex: Member):
    async with system.socket() as ours, system.socket() as theirs:
        # Not by project, so that nothing but the tenant keeps them apart.
        await subscribe(ours, acme, EVERYTHING)
        await subscribe(theirs, globex, EVERYTHING)
        first, second = system.create_task(acme), system.create_task(globex)
        heard = [(await said(socket))["payload"]["data"]["taskChanged"]["task"] for socket in (ours, theirs)]
        # The stream is told in order: what globex hears first was written after what acme heard.
        assert heard == [first, second]


async def test_another_tenants_project_cannot_be_listened_to(system: System, acme: Member, globex: Member):
    async with system.socket() as socket:
        await subscribe(socket, globex)
        payload = {"query": CHANGES, "variables": {"project": acme.project}}
        await socket.send(json.dumps({"type": "subscribe", "id": "2", "payload": payload}))
        answer = await said(socket)
        assert (answer["type"], answer["id"]) == ("error", "2")
        assert answer["payload"][0]["extensions"]["code"] == "NOT_FOUND"


async def test_who_comes_back_with_a_cursor_is_told_what_was_missed(system: System, acme: Member):
    async with following("graphql-ws", system, acme) as follower:
        cursor = (await follower.told(system.create_task(acme)["title"]))["cursor"]
    missed = [system.create_task(acme)["title"] for _ in range(3)]
    async with following("graphql-ws", system, acme, after=cursor) as follower:
        await follower.told(missed[-1])
        assert follower.titles == missed


async def test_a_suspension_closes_the_tenants_sockets(system: System, acme: Member):
    initech = system.onboard("initech")
    async with system.socket() as socket, system.socket() as other:
        await subscribe(socket, initech)
        await subscribe(other, acme)
        suspended = system.data(SUSPEND, system.platform_token(), input={"slug": initech.tenant})
        assert suspended["tenant"] == {"status": "SUSPENDED"}
        assert "next" not in [message["type"] for message in await until_closed(socket)]
        task = system.create_task(acme)
        assert (await said(other))["payload"]["data"]["taskChanged"]["task"] == task
