import asyncio
from collections import deque
from random import SystemRandom

from gql import Client, GraphQLRequest
from gql.transport.exceptions import TransportConnectionFailed, TransportQueryError
from gql.transport.websockets import WebsocketsTransport


async def follow(url, document, variables, *, token, read, held):
    """`read` reads the data anew, and answers its `eventCursor`; `held` is the version you hold of an id."""
    cursor, seen = None, deque(maxlen=1000)
    while True:
        cursor = cursor or await read()
        request = GraphQLRequest(document, variable_values={**variables, "after": cursor})
        async for change in received(url, {"authorization": f"Bearer {await token()}"}, request):
            cursor = change.get("cursor")
            if cursor and change["id"] not in seen and change["version"] >= held(change["entityId"]):
                yield change
            seen.append(change.get("id"))
        await asyncio.sleep(SystemRandom().uniform(0, 2))


async def received(url, init, request, speaks=("graphql-transport-ws",)):
    """What one connection brings; {} at its end if the data has to be read anew."""
    options = {"init_payload": init, "subprotocols": [*speaks], "ping_interval": 60, "pong_timeout": 10}
    try:
        async with Client(transport=WebsocketsTransport(url, **options)) as session:
            async for data in session.subscribe(request):
                yield next(iter(data.values()))
    except TransportQueryError as error:
        told = (error.errors or [{}])[0].get("extensions", {})
        if told.get("truncated"):
            yield {"id": told["changeId"], **told}
        elif told.get("code") in ("CURSOR_EXPIRED", "INTERNAL_SERVER_ERROR"):
            yield {}
        elif told.get("code") not in ("UNAUTHENTICATED", "DEADLINE_EXCEEDED"):  # A new connection mends them.
            raise
    except TransportConnectionFailed:
        return
