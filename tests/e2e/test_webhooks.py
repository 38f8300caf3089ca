"""A webhook on the deployed system: through the stream, the queue and the function of its own."""

import asyncio
import time

from tests.e2e.system import Member, System
from tests.webhooks.receiver import a_receiver
from tests.webhooks.verifying import verify

CREATE = """mutation ($input: CreateWebhookInput!) { createWebhook(input: $input) {
    ... on CreateWebhookPayload { secret webhook { id } } } }"""
EVERYTHING = "subscription { taskChanged { id task { id title } } }"
PATIENCE_SECONDS = 30


async def test_a_change_is_delivered_and_signed(system: System, acme: Member):
    async with a_receiver() as receiver:
        created = await asyncio.to_thread(
            system.data, CREATE, acme.token, input={"url": receiver.url, "query": EVERYTHING}
        )
        secret = created["secret"]
        task = await asyncio.to_thread(system.create_task, acme)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not receiver.received:  # noqa: ASYNC110 - it is another process that sends
                await asyncio.sleep(0.1)
        received = receiver.received[-1]
        verify(secret, received.headers, received.body, time.time())
        assert received.event["task"]["id"] == task["id"]
