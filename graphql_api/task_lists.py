"""The lists tasks stand in: how a client asks for a part of one, and which keys answer.

Each list is one Query on one index. Two orders exist: by position (a board) and the agenda: open tasks by
due date, undated last, then completed ones, the latest first. An agenda is kept for a project, for an
assignee and for the whole tenant, the last one in shards.
"""

import re
import zlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from typing import Any

import strawberry

from graphql_api.context import Info
from graphql_api.custom_fields.lists import Path, tasks_with
from graphql_api.custom_fields.value import CustomFieldInput
from graphql_api.errors import InvalidInputError
from graphql_api.relay import Connection, connection, page_size
from graphql_api.store.entity import entity_class
from graphql_api.store.keys import LAST, sort_key
from graphql_api.store.page import ListRange
from graphql_api.store.schema import Index
from graphql_api.store.uid import encode, mirrored

AGENDA_SHARDS = 4  # each takes 1,000 writes/s (limit of a partition)
UNDATED = "9999-12-32"
OPEN, COMPLETED = "0", "1"
STATE_KEY = re.compile(r"\A[a-z][a-z0-9_]{0,39}\Z")
_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@strawberry.enum(description="The order of a list of tasks.")
class TaskOrder(Enum):
    POSITION = strawberry.enum_value("POSITION", description="As on the board; lists of one project only.")
    AGENDA = strawberry.enum_value(
        "AGENDA", description="Open tasks by due date, undated last; then completed ones, latest first."
    )


@strawberry.input(
    description="Which tasks. One of `projectId`, `assigneeId` and `customField` at most; the rest narrows "
    "the agenda."
)
class TaskFilter:
    project_id: strawberry.ID | None = strawberry.field(default=None, description="Tasks of this project.")
    assignee_id: strawberry.ID | None = strawberry.field(default=None, description="Tasks of this person.")
    status: str | None = strawberry.field(
        default=None, description="Key of a workflow state; only for a project's tasks by position."
    )
    completed: bool | None = strawberry.field(default=None, description="Only completed or only open tasks.")
    due_from: date | None = strawberry.field(default=None, description="Open tasks due on this day or later.")
    due_to: date | None = strawberry.field(default=None, description="Open tasks due on this day or earlier.")
    overdue: bool = strawberry.field(
        default=False, description="Open tasks due before today, in your tenant's time zone."
    )
    custom_field: CustomFieldInput | None = strawberry.field(
        default=None, description="Tasks with this value in a filterable custom field; of the whole tenant."
    )


@dataclass(frozen=True, slots=True)
class Whose:
    """What a list of tasks has in common: project, assignee, value of a custom field, or nothing."""

    project_uid: str | None = None
    assignee_uid: str | None = None
    value: tuple[Index, Path] | None = None


def project_path(uid: str) -> tuple[str, ...]:
    """The partition of a project's tasks."""
    return ("PROJECT", uid, "TASKS")


def assignee_path(uid: str) -> tuple[str, ...]:
    """The partition of a person's tasks."""
    return ("USER", uid, "TASKS")


def shard_path(task_uid: str) -> tuple[str, ...]:
    """The partition of the tenant's agenda that a task belongs to."""
    return _shard(zlib.crc32(task_uid.encode()) % AGENDA_SHARDS)


def _shard(number: int) -> tuple[str, ...]:
    return ("AGENDA", str(number))


def agenda_position(uid: str, due_on: date | None, completed_at: datetime | None) -> str:
    """Where a task stands in every agenda."""
    if completed_at is None:
        return sort_key(OPEN, due_on.isoformat() if due_on else UNDATED, uid)
    return sort_key(COMPLETED, mirrored(encode((completed_at - _EPOCH) // _MICROSECOND)), uid)


def tasks_in_status(project_uid: str, status: str) -> ListRange:
    """A project's tasks in one state, by position."""
    low = sort_key(status, "")
    return ListRange(Index.BY_STATUS, (project_path(project_uid),), low, low + LAST)


def tasks_wanted(whose: Whose, wanted: TaskFilter | None, order: TaskOrder | None, today: date) -> ListRange:
    """The part of a list that filter and order ask for. Raises InvalidInputError for a combination that no
    index answers: a filter never reads rows it does not return.
    """
    wanted = wanted or TaskFilter()
    narrows = wanted.completed is not None or wanted.overdue or wanted.due_from or wanted.due_to
    if order is None:
        order = TaskOrder.AGENDA if whose.project_uid is None or narrows else TaskOrder.POSITION
    if order is TaskOrder.AGENDA:
        if wanted.status is not None:
            raise InvalidInputError("status goes with a project and the order POSITION.", "filter.status")
        return _agenda(whose, *_agenda_range(wanted, today))
    if whose.project_uid is None:
        raise InvalidInputError("The order POSITION needs a projectId.", "orderBy")
    if narrows:
        raise InvalidInputError("completed, due and overdue go with the order AGENDA.", "filter")
    if wanted.status is not None:
        if not STATE_KEY.match(wanted.status):
            raise InvalidInputError("status is the key of a workflow state.", "filter.status")
        return tasks_in_status(whose.project_uid, wanted.status)
    return ListRange(Index.BY_POSITION, (project_path(whose.project_uid),))


def _agenda(whose: Whose, low: str, high: str) -> ListRange:
    if whose.project_uid is not None:
        return ListRange(Index.PROJECT_AGENDA, (project_path(whose.project_uid),), low, high)
    if whose.assignee_uid is not None:
        return ListRange(Index.ASSIGNEE_AGENDA, (assignee_path(whose.assignee_uid),), low, high)
    if whose.value is not None:
        index, path = whose.value
        return ListRange(index, (path,), low, high)
    shards = tuple(_shard(number) for number in range(AGENDA_SHARDS))
    return ListRange(Index.LISTING, shards, low, high)


def _agenda_range(wanted: TaskFilter, today: date) -> tuple[str, str]:
    if wanted.overdue:
        wanted = TaskFilter(
            completed=wanted.completed,
            due_from=wanted.due_from,
            due_to=min(wanted.due_to or date.max, today - timedelta(days=1)),
        )
    if wanted.due_from is None and wanted.due_to is None:
        first, last = {None: (OPEN, COMPLETED), False: (OPEN, OPEN), True: (COMPLETED, COMPLETED)}[
            wanted.completed
        ]
        return sort_key(first, ""), sort_key(last, LAST)
    if wanted.completed:
        raise InvalidInputError("Due dates select open tasks; leave out completed.", "filter.completed")
    low, high = wanted.due_from or date.min, wanted.due_to or date.max
    if low > high:
        raise InvalidInputError("dueFrom must not be after dueTo; overdue ends yesterday.", "filter.dueFrom")
    return sort_key(OPEN, low.isoformat(), ""), sort_key(OPEN, high.isoformat(), LAST)


async def read_tasks(
    info: Info,
    whose: Whose,
    wanted: TaskFilter | None,
    order: TaskOrder | None,
    first: int | None,
    after: str | None,
) -> Connection[Any]:
    """A page of the tasks that stand in a list. Raises InvalidInputError or BadCursorError."""
    if wanted is not None and wanted.custom_field is not None:
        if whose != Whose():
            raise InvalidInputError("customField selects among all of the tenant.", "filter.customField")
        whose = Whose(value=await tasks_with(info.context.repository, wanted.custom_field))
    part = tasks_wanted(whose, wanted, order, info.context.today)
    page = await info.context.repository.page(entity_class("TASK"), part, page_size(first), after)
    return connection(page, after)


def without_owner(wanted: TaskFilter | None) -> TaskFilter | None:
    """The filter of a list that has its owner already. Raises InvalidInputError if it names another."""
    if wanted and (wanted.project_id, wanted.assignee_id) != (None, None):
        raise InvalidInputError("This list is one project's or person's already.", "filter")
    return wanted
