"""What real time is built from, once for a process."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from graphql_api.auth.membership import Memberships
from graphql_api.auth.tokens import Claims
from graphql_api.metering.usage import Usage
from graphql_api.operations import Operations
from graphql_api.realtime.gateway import Gateway
from graphql_api.realtime.subscriptions import Groups
from graphql_api.sinks.sink import Sink
from graphql_api.sources import Sources
from graphql_api.store.queue import Queue

# Who was suspended is sent nothing more after this many seconds, however the news of it travels.
MEMBERSHIP_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class RealtimeServices:
    """`memberships` remembers for MEMBERSHIP_SECONDS; `verify` is the claims of a token or an API key,
    or its refusal; `stands` is whether the key behind some claims, if one is, has not been revoked;
    `queue` takes the messages that wake who delivers to webhooks.
    """

    sources: Sources
    operations: Operations
    memberships: Memberships
    verify: Callable[[str], Awaitable[Claims]]
    stands: Callable[[Claims], Awaitable[bool]]
    gateway: Gateway
    groups: Groups
    queue: Queue
    allowed_origins: tuple[str, ...]
    usage: Usage
    sinks: tuple[Sink, ...] = ()
