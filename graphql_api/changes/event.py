"""An event: one change as one view hears of it."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from graphql_api.changes.change import Change, ChangeAction
from graphql_api.store.entity import Topic


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """`action` is the view's own: what left it is DELETED there. `cursor` is the place behind the change."""

    sequence: int
    cursor: str
    action: ChangeAction
    change: Change
    logged_at: datetime


# Where a subscription's events come from: its topic and the cursor to begin behind, None to begin now.
EventSource: TypeAlias = Callable[[Topic, str | None], AsyncIterator[Event]]
