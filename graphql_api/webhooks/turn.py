"""One webhook's turn: what stands behind its place in the log is sent, one change after another.

However a turn ends, the place says what was delivered, and the next turn goes on behind it. A message is sent
until it is taken, and nothing that came after it before.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import NamedTuple

from graphql_api.auth.identity import Identity, Role
from graphql_api.changes.log import LogEntry
from graphql_api.context import RequestContext
from graphql_api.deadline import Deadline
from graphql_api.errors import ConflictError, NotFoundError
from graphql_api.features.webhooks.deliveries import DeliveryLog, WebhookDelivery
from graphql_api.features.webhooks.webhook import Webhook, WebhookSecret, WebhookStatus
from graphql_api.metering.figures import WEBHOOKS
from graphql_api.outbound.outbound import POST_SECONDS, Calls, Reply
from graphql_api.realtime.delivery import Delivery
from graphql_api.realtime.endpoints import Wake
from graphql_api.realtime.socket import MovedError
from graphql_api.store.codec import decode
from graphql_api.store.entity import key_of
from graphql_api.store.idempotency import UNMARKED
from graphql_api.store.keys import tenant_family
from graphql_api.store.queue import MAX_DELAY, UnsentError
from graphql_api.store.writes import Put
from graphql_api.webhooks.message import Endpoint, Messages, RefusedError
from graphql_api.webhooks.services import WebhookServices
from graphql_api.webhooks.state import State, States

TURN_SECONDS = 20.0  # Then it is the others'.
MARGIN_SECONDS = 4.0  # for what is read before a call, and written after it
GONE = 410
DELIVERER = "webhooks"  # who paused a webhook, in the log

_log = logging.getLogger(__name__)


class WakeMessage(NamedTuple):
    """A message as it was received: `id` is the same each time it is."""

    id: str
    wake: Wake

    @property
    def is_look(self) -> bool:
        return self.wake.is_look


class _Attempt(NamedTuple):
    """A call that has ended."""

    entry: LogEntry
    reply: Reply


class Turn:
    """What one message leads to, for one invocation. Raises StoreBusyError; the message then comes again."""

    def __init__(self, services: WebhookServices, message: WakeMessage, deadline: Deadline) -> None:
        sources, tenant, uid = services.sources, message.wake.tenant, message.wake.uid
        family = tenant_family(tenant)
        control = sources.control(family, deadline)
        self._services = services
        self._message = message
        self._family = family
        self._deadline = deadline
        last = Deadline(deadline.at - POST_SECONDS - MARGIN_SECONDS)
        self._last_call = min(last, Deadline.after(TURN_SECONDS), key=lambda one: one.at)
        self._data = sources.data(family, deadline)
        self._states = States(control, family, uid)
        self._deliveries = DeliveryLog(control, family, uid)
        self._log = sources.change_log(family, deadline)
        self._messages = Messages(services, tenant)

    async def run(self) -> None:
        """Deliver what there is, while the turn lasts."""
        endpoint = await self._endpoint()
        if endpoint is None or not endpoint.webhook.is_enabled:
            return
        state = await self._states.hold(endpoint.webhook, self._message, self._services.sources.now())
        if state is None:
            return
        try:
            async with self._services.sources.outbound.session() as calls:
                while state is not None:
                    state = await self._step(calls, endpoint.webhook, state)
        except MovedError:
            _log.info("Another turn has taken over.", extra={"webhook": endpoint.webhook.uid})

    async def _step(self, calls: Calls, webhook: Webhook, state: State) -> State | None:
        """The state after the next entries of the log; None where the turn is over."""
        if self._last_call.remaining() <= 0:
            return await self._hand_on(state, state.place)
        entries = await self._log.after(state.place)
        if not entries:
            return await self._at_the_end(webhook, state)
        if entries[0].sequence != state.place + 1:
            state = await self._skip_to(entries[0].sequence - 1, state)
        sources, operations = self._services.sources, self._services.operations
        delivery = Delivery(sources, operations, self._message.wake.tenant, self._deadline)
        try:
            return await self._send_all(calls, delivery, webhook, state, entries)
        finally:
            await delivery.close()

    async def _at_the_end(self, webhook: Webhook, state: State) -> State | None:
        head = await self._log.head()
        if head.sequence == state.place:
            # A note that was left before the last write is gone, but what it told of is seen by now.
            if not await self._is_current(webhook) or not await self._states.release(state):
                await self._hand_on(state, state.place)
            return None
        if await self._log.after(state.place, 1):
            return state
        return await self._skip_to(head.sequence, state)

    async def _skip_to(self, place: int, state: State) -> State:
        """Go on from where the log goes on, and say what is not delivered."""
        if place > state.place:
            problem = f"Changes {state.place + 1} to {place} are not in the log any more: not delivered."
        else:
            problem = f"The log was restored and ended with change {place}: it goes on from there."
        row = WebhookDelivery(at=self._services.sources.now(), problem=problem)
        return await self._states.write(state.delivered(place), state, self._row(row))

    async def _send_all(
        self, calls: Calls, delivery: Delivery, webhook: Webhook, state: State, entries: Sequence[LogEntry]
    ) -> State | None:
        place = state.place
        for entry in entries:
            try:
                body = await self._messages.body(delivery, webhook, entry)
            except RefusedError as refused:
                await self._let_go(state, place)
                return await self._pause(webhook, str(refused))
            if body is not None:
                endpoint = await self._endpoint()
                is_over = self._last_call.remaining() <= 0
                if endpoint is None or endpoint.webhook.version != webhook.version or is_over:
                    return await self._hand_on(state, place)
                reply = await self._messages.send(calls, endpoint, entry.change.id, body)
                self._services.usage.count(self._family, WEBHOOKS, {"webhook_calls": 1})
                after = await self._ended(webhook, state, _Attempt(entry, reply))
                if after is None:
                    return None
                state = after
            place = entry.sequence
        return state if place == state.place else await self._states.write(replace(state, place=place), state)

    async def _ended(self, webhook: Webhook, state: State, attempt: _Attempt) -> State | None:
        """A call has ended: write how, and go on or try again later."""
        now, reply, sequence = self._services.sources.now(), attempt.reply, attempt.entry.sequence
        row = WebhookDelivery(
            at=now,
            change_id=attempt.entry.change.id,
            sequence=sequence,
            attempt=state.failures + 1,
            status=reply.status,
            problem=reply.problem,
            milliseconds=reply.milliseconds,
            response=reply.text,
        )
        if reply.is_success:
            return await self._states.write(state.delivered(sequence), state, self._row(row))
        failed = replace(state.failed(now, self._services.share()), place=sequence - 1, holder=None)
        if reply.status == GONE:
            failed = replace(failed, next_attempt_at=None)
        row.next_attempt_at = failed.next_attempt_at
        await self._states.write(failed, state, self._row(row))
        if failed.next_attempt_at is not None:
            return await self._wake(failed.next_attempt_at - now)
        if reply.status == GONE:
            return await self._pause(webhook, "The receiver answered 410: it wants nothing more.")
        last = reply.problem or f"status {reply.status}"
        return await self._pause(webhook, f"It failed for 24 hours. The last time: {last}")

    async def _hand_on(self, state: State, place: int) -> None:
        """End the turn; another one goes on."""
        await self._let_go(state, place)
        await self._wake(timedelta())

    async def _let_go(self, state: State, place: int) -> None:
        await self._states.write(replace(state, place=place, holder=None), state)

    async def _wake(self, delay: timedelta) -> None:
        """Have it go on after the delay; one that no message can wait for is looked after when it is over."""
        if delay > MAX_DELAY:
            return
        try:
            await self._services.queue.send([self._message.wake._replace(is_look=False).to_text()], delay)
        except UnsentError:
            _log.warning("A webhook was not woken.", extra={"webhook": self._message.wake.uid})

    async def _pause(self, webhook: Webhook, reason: str) -> None:
        """Pause the webhook as it was known; its owner finds the reason there, and in the log."""
        actor = Identity(DELIVERER, Role.ADMIN, self._message.wake.tenant, 0)
        context = RequestContext(self._services.sources, actor, self._message.id, self._deadline)
        try:
            await context.repository.update(
                webhook,
                lambda now: replace(now, status=WebhookStatus.PAUSED, paused_reason=reason),
                expected_version=webhook.version,
                mark=UNMARKED,
            )
            _log.info("A webhook was paused.", extra={"webhook": webhook.uid, "reason": reason})
        except (ConflictError, NotFoundError):
            await self._wake(timedelta())
        finally:
            await context.close()

    async def _endpoint(self) -> Endpoint | None:
        """The webhook as it is now; None if it is not there."""
        uid = self._message.wake.uid
        keys = [key_of(self._family, cls, uid) for cls in (Webhook, WebhookSecret)]
        items = await self._data.batch_get(keys, consistent=True)
        if len(items) < len(keys):
            return None
        return Endpoint(decode(Webhook, items[keys[0]]), decode(WebhookSecret, items[keys[1]]))

    async def _is_current(self, webhook: Webhook) -> bool:
        endpoint = await self._endpoint()
        return endpoint is not None and endpoint.webhook.version == webhook.version

    def _row(self, delivery: WebhookDelivery) -> Put:
        return self._deliveries.write(self._services.sources.new_uid(), delivery)
