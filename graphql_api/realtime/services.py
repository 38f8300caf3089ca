"""What real time is built from, once for a process."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from graphql_api.auth.membership import Memberships
from graphql_api.auth.tokens import Claims
from graphql_api.context import Sources
from graphql_api.operations import Operations
from graphql_api.realtime.gateway import Gateway
from graphql_api.realtime.subscriptions import Groups

# Who was suspended is sent nothing more after this many seconds, however the news of it travels.
MEMBERSHIP_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class RealtimeServices:
    """`memberships` remembers for MEMBERSHIP_SECONDS; `verify` is the claims of a token, or its refusal."""

    sources: Sources
    operations: Operations
    memberships: Memberships
    verify: Callable[[str], Awaitable[Claims]]
    gateway: Gateway
    groups: Groups
    allowed_origins: tuple[str, ...]
