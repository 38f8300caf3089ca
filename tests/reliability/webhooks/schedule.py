"""One schedule of deliveries: writers, a stream, a queue, turns that die, receivers that fail; then calm."""

import asyncio
import itertools
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, cast

from graphql_api.auth.identity import Role
from graphql_api.deadline import Deadline
from graphql_api.errors import ApiError
from graphql_api.features.webhooks.webhook import Webhook, WebhookSecret, WebhookStatus
from graphql_api.handlers.events import SweepHandler, WebhookHandler
from graphql_api.outbound.outbound import POST_SECONDS, Outbound, Reply
from graphql_api.outbound.signature import new_secret
from graphql_api.sources import SubscriptionText
from graphql_api.store.entity import Topic
from graphql_api.store.idempotency import UNMARKED
from graphql_api.store.keys import tenant_family
from graphql_api.store.queue import UnsentError
from tests.reliability.realtime.installation import Process
from tests.reliability.realtime.schedule import Cast, Schedule
from tests.reliability.realtime.timeline import seconds
from tests.reliability.realtime.weather import FunctionError, KilledError, Plan

VISIBILITY, MAX_RECEIVES, BATCH = 120.0, 5, 10
CONSUMERS = 3
TURN_SECONDS = 58.0
# Two looks find a turn that is dead, and the longest delay that a storm leads to is over.
CALM_SECONDS = 2400.0
EVERYTHING = "subscription { taskChanged { id sequence } }"


@dataclass(frozen=True, slots=True, kw_only=True)
class Troubles:
    """Chances, besides those of a Plan: of messages that are lost, come twice or are not taken; of turns that
    die; of calls that fail, are taken and not answered, or end in a pause.
    """

    lost: float = 0.0
    twice: float = 0.0
    unsent: float = 0.0
    killed: float = 0.0
    fails: float = 0.0
    silent: float = 0.0
    gone: float = 0.0


@dataclass(slots=True)
class _Message:
    id: str
    body: str
    visible_at: float
    receives: int = 0


@dataclass(slots=True)
class Receiver:
    """What came to one URL, in the order in which it came: change ids, and whether they were taken."""

    received: list[tuple[str, bool]] = field(default_factory=list[tuple[str, bool]])


class HookSchedule(Schedule):
    """Everything random in it comes from its number, as in its parent."""

    def __init__(self, number: int, plan: Plan, troubles: Troubles) -> None:
        super().__init__(number, plan, Cast((), ("acme", "acme", "globex")))
        self.troubles = troubles
        self.receivers: dict[str, Receiver] = defaultdict(Receiver)
        self.webhooks: dict[str, tuple[str, Topic, int]] = {}
        self._messages: list[_Message] = []
        self._ids = itertools.count(1)

    def open(self) -> None:
        super().open()
        for tenant in ("acme", "acme", "globex"):
            self.act(self._register(tenant))
        for _ in range(CONSUMERS):
            self.act(self._consume())
        self.act(self._sweep())
        self.act(self._resume_what_was_paused())

    async def calm(self) -> None:
        self.weather.is_calm = True
        for reader in self.readers:
            await reader.redrive()
        await asyncio.sleep(CALM_SECONDS)

    def process(self, skew: float = 0.0) -> Process:
        services = super().process(skew).services
        outbound = cast("Outbound", _Internet(self))
        return Process(replace(services, queue=self, sources=replace(services.sources, outbound=outbound)))

    async def send(self, bodies: Sequence[str], delay: timedelta = timedelta()) -> None:
        await self.weather.travel()
        if self.weather.strikes("unsent", self.troubles.unsent):
            raise UnsentError
        for body in bodies:
            if self.weather.strikes("lost message", self.troubles.lost):
                continue
            at = seconds() + delay.total_seconds()
            self._messages.append(_Message(f"message-{next(self._ids)}", body, at))

    async def post(self, url: str, headers: Mapping[str, str]) -> Reply:
        """A call: taken or not, answered or not."""
        await self.weather.travel()
        change_id, receiver = headers["webhook-id"], self.receivers[url]
        if self.weather.strikes("silent", self.troubles.silent):
            receiver.received.append((change_id, True))
            await asyncio.sleep(POST_SECONDS)
            return Reply(10_000, problem="There was no answer.")
        status = 204
        if self.weather.strikes("fails", self.troubles.fails):
            status = 500
        elif self.weather.strikes("gone", self.troubles.gone):
            status = 410
        receiver.received.append((change_id, status == 204))
        await self.weather.travel()
        return Reply(1, status)

    async def _consume(self) -> None:
        """One of the mapping's pollers: it waits for its invocation to end."""
        process = self.process()
        while True:
            batch = self._received()
            if not batch:
                await asyncio.sleep(self.dice.uniform(0.2, 2))
                continue
            records = [{"messageId": one.id, "body": one.body} for one in batch]
            invocation = self.weather.invocation(self.troubles.killed)
            handler = WebhookHandler(cast("Any", process.services))
            event = {"Records": records}
            try:
                answer = await self.invoke(invocation, lambda h=handler, e=event: h.handle(e, TURN_SECONDS))
            except (KilledError, FunctionError):
                process = self.process()
                continue
            failed = {one["itemIdentifier"] for one in answer["batchItemFailures"]}
            done = {one.id for one in batch} - failed
            self._messages = [one for one in self._messages if one.id not in done]

    def _received(self) -> list[_Message]:
        ready = [one for one in self._messages if one.visible_at <= seconds()]
        batch = ready[: self.dice.randint(1, BATCH)]
        for message in batch:
            message.receives += 1
            is_seen_twice = self.weather.strikes("message twice", self.troubles.twice)
            message.visible_at = seconds() + (0.0 if is_seen_twice else VISIBILITY)
        for spent in [one for one in batch if one.receives > MAX_RECEIVES]:
            batch.remove(spent)
            self._messages.remove(spent)
        return batch

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(60)
            handler = SweepHandler(cast("Any", self.process().services))
            try:
                await self.invoke(self.weather.invocation(self.plan.killed), lambda h=handler: h.handle(50))
            except (KilledError, FunctionError):
                continue

    async def _register(self, tenant: str) -> None:
        """An administrator's webhook, stored as the mutation stores it."""
        await asyncio.sleep(self.dice.uniform(0, 10))
        uid = self.new_uid()
        topic: Topic = ("TASKS",)
        while True:
            context = self.process().context(tenant, "writer", "register")
            repository = context.repository
            try:
                topic = await context.topic_of(SubscriptionText(EVERYTHING, None, {}, Role.ADMIN))
                begins_at = (await context.change_log.head()).sequence
                webhook = repository.new(
                    Webhook,
                    uid=uid,
                    url=f"https://{uid}.example/",
                    query=EVERYTHING,
                    role=Role.ADMIN,
                    secret_changed_at=repository.stamp.now(),
                    topic=list(topic),
                    begins_at=begins_at,
                )
                secret = repository.new(WebhookSecret, uid=uid, current=new_secret())
                await repository.commit(repository.put(webhook), repository.put(secret), leaves=[webhook])
            except ApiError:
                uid = self.new_uid()
                continue
            self.webhooks[uid] = (tenant, topic, begins_at)
            return

    async def _resume_what_was_paused(self) -> None:
        """Its owner finds a webhook paused, and lets it go on."""
        while True:
            await asyncio.sleep(20)
            for uid, (tenant, _, _) in list(self.webhooks.items()):
                repository = self.process().repository(tenant, "writer", "resume")
                try:
                    webhook = await repository.fresh().get(Webhook, uid)
                    if webhook.status is WebhookStatus.PAUSED:
                        await repository.update(webhook, _resumed, expected_version=None, mark=UNMARKED)
                except ApiError:
                    continue

    async def expected(self, uid: str) -> list[str]:
        """The ids of the changes that a webhook hears of, in the order of its tenant's log."""
        tenant, topic, begins_at = self.webhooks[uid]
        log = self.process().services.sources.change_log(tenant_family(tenant), Deadline.after(60))
        entries = await log.after(begins_at, 100_000)
        return [entry.change.id for entry in entries if topic in entry.change.topics]


def _resumed(webhook: Webhook) -> Webhook:
    return replace(
        webhook, status=WebhookStatus.ENABLED, paused_reason=None, resumptions=webhook.resumptions + 1
    )


class _Internet:
    """Sessions whose calls end in a schedule's receivers."""

    def __init__(self, schedule: HookSchedule) -> None:
        self._schedule = schedule

    @asynccontextmanager
    async def session(self) -> AsyncIterator["_Internet"]:
        yield self

    async def post(self, url: str, _: bytes, headers: Mapping[str, str]) -> Reply:
        return await self._schedule.post(url, headers)
