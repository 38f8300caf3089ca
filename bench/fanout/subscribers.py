"""Clients that connect, sign in and subscribe through the door that API Gateway invokes."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from bench.fanout.gateways import Unsent
from bench.fanout.questions import Payload
from bench.tenant import BenchError
from graphql_api.bootstrap import Services
from graphql_api.handlers.events import WebSocketHandler
from graphql_api.realtime.messages import SUBPROTOCOL

LANES = 8


class Subscribers:
    """Sockets of many people, in turn. `services` have `gateway`, which keeps what a client was refused."""

    def __init__(self, services: Services, gateway: Unsent, tokens: Sequence[str]) -> None:
        self._door = WebSocketHandler(services)
        self._gateway = gateway
        self._tokens = tokens
        self._connected = 0

    async def subscribe(self, first: int, payloads: Sequence[Payload], operation_id: str) -> None:
        """A subscription for each payload, on the sockets from `first` on. Raises BenchError."""
        numbers = iter(enumerate(payloads, first))

        async def lane() -> None:
            for number, payload in numbers:
                if number >= self._connected:
                    await self._connect(number)
                await self._send(number, {"type": "subscribe", "id": operation_id, "payload": payload})

        await asyncio.gather(*(lane() for _ in range(LANES)))
        self._connected = max(self._connected, first + len(payloads))
        if self._gateway.refusals:
            raise BenchError(self._gateway.refusals[0])

    async def _connect(self, number: int) -> None:
        await self._event(number, "CONNECT", headers={"Sec-WebSocket-Protocol": SUBPROTOCOL})
        token = self._tokens[number % len(self._tokens)]
        await self._send(number, {"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}})

    async def _send(self, number: int, message: Payload) -> None:
        await self._event(number, "MESSAGE", body=json.dumps(message), isBase64Encoded=False)

    async def _event(self, number: int, event_type: str, **more: Any) -> None:
        context = {
            "routeKey": "$connect" if event_type == "CONNECT" else "$default",
            "eventType": event_type,
            "connectionId": f"socket{number}=",
            "requestId": "bench",
            "stage": "bench",
            "apiId": "bench",
        }
        response = await self._door.handle({"requestContext": context, **more})
        if response["statusCode"] != 200:
            raise BenchError(response)
