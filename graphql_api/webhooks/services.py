"""What delivery to webhooks is built from, once for a process."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from graphql_api.auth.membership import Memberships
from graphql_api.metering.usage import Usage
from graphql_api.operations import Operations
from graphql_api.sources import Sources
from graphql_api.store.queue import Queue


@dataclass(frozen=True, slots=True)
class WebhookServices:
    """`share` draws how much of the longest delay a retry waits, from 0 to 1."""

    sources: Sources
    operations: Operations
    memberships: Memberships
    queue: Queue
    usage: Usage
    share: Callable[[], float] = random.random
