"""A stage with a queue in the hand of the test, and a receiver that webhooks are delivered to."""

import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from graphql_api.auth.identity import Role
from graphql_api.bootstrap import Services
from graphql_api.handlers.events import MAX_SECONDS, Event, Response, WebhookHandler
from graphql_api.webhooks.services import WebhookServices
from tests.features.builders import a_task, done, outcome
from tests.iam.guard import REGISTRY_READER_ROLE
from tests.realtime.stage import Clock, Stage, StreamFunction, SweepFunction, open_stage
from tests.webhooks.queue import Mailbox
from tests.webhooks.receiver import Receiver
from tests.world import REGISTRY, World

TITLES = "subscription { taskChanged { id cursor sequence action task { title } } }"
WEBHOOK = "webhook { id url status pausedReason version }"


class WebhookFunction(WebhookHandler):
    """The webhooks' function, with the rights of its own role."""

    async def handle(self, event: Event, seconds: float = MAX_SECONDS) -> Response:
        mark = REGISTRY.set(REGISTRY_READER_ROLE)
        try:
            return await super().handle(event, seconds)
        finally:
            REGISTRY.reset(mark)


@dataclasses.dataclass
class Hooks:
    """The stage, its queue and its delivery function."""

    stage: Stage
    clock: Clock
    mailbox: Mailbox
    receiver: Receiver
    function: WebhookFunction

    @property
    def admin(self) -> World:
        return self.stage.world.as_("acme", Role.ADMIN)

    @property
    def manager(self) -> World:
        return self.stage.world.as_("acme", Role.MANAGER)

    async def register(self, query: str = TITLES, **fields: Any) -> tuple[str, str]:
        """A new webhook to the receiver, which the stream has told of; its id and its secret."""
        fields = {"url": self.receiver.url, "query": query, **fields}
        made = await outcome(self.admin, "createWebhook", "webhook { id } secret", **fields)
        assert made["__typename"] == "CreateWebhookPayload", made
        await self.settle()
        return made["webhook"]["id"], made["secret"]

    async def settle(self) -> None:
        """Let the stream and the queue run until there is nothing to do at this time."""
        while True:
            await self.stage.pump()
            if not await self.mailbox.deliver(self.function.handle):
                return

    async def later(self, **by: float) -> None:
        """Let time pass, and a look at every webhook."""
        self.clock.forward(**by)
        await self.look()
        await self.settle()

    async def look(self) -> None:
        """Five minutes of the sweep, so that each webhook has its turn."""
        for _ in range(5):
            self.clock.forward(minutes=1)
            await self.stage.sweep.handle()

    async def tasks(self, *titles: str, project: str | None = None) -> None:
        """Tasks of these titles, each a change of its own."""
        for title in titles:
            await a_task(self.manager, project, title)

    async def change(self, field: str, **payload: Any) -> Any:
        """A mutation of a webhook by the administrator, and what follows from it."""
        changed = await done(self.admin, field, WEBHOOK, **payload)
        await self.settle()
        return changed

    async def webhook(self, id: str) -> Any:
        query = f"query ($id: ID!) {{ node(id: $id) {{ ... on Webhook {{ {WEBHOOK[10:-2]} }} }} }}"
        return (await self.admin.data(query, id=id))["node"]

    async def deliveries(self, id: str, first: int = 50) -> list[dict[str, Any]]:
        query = """query ($id: ID!, $first: Int) { node(id: $id) { ... on Webhook {
            deliveries(first: $first) { edges { node {
                at changeId sequence attempt status problem milliseconds response nextAttemptAt } } } } } }"""
        found = (await self.admin.data(query, id=id, first=first))["node"]["deliveries"]["edges"]
        return [edge["node"] for edge in found]

    def titles(self) -> list[str]:
        """The titles that the receiver was told of since the last look."""
        return [one.event["task"]["title"] for one in self.receiver.taken()]


@asynccontextmanager
async def open_hooks(endpoint: str, receiver: Receiver) -> AsyncIterator[Hooks]:
    clock = Clock()
    async with open_stage(endpoint, now=clock) as stage:
        mailbox = Mailbox(clock)
        stage.world.services = dataclasses.replace(stage.world.services, queue=mailbox)
        stage.stream = StreamFunction(stage.world.services)
        stage.sweep = SweepFunction(stage.world.services)
        function = WebhookFunction(_Steady.of(stage.world.services))
        yield Hooks(stage, clock, mailbox, receiver, function)


class _Steady(Services):
    """Services whose retries wait half of the longest delay."""

    @classmethod
    def of(cls, services: Services) -> "_Steady":
        return cls(**{field.name: getattr(services, field.name) for field in dataclasses.fields(services)})

    @property
    def webhooks(self) -> WebhookServices:
        return dataclasses.replace(super().webhooks, share=lambda: 0.5)
