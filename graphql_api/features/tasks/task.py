"""The task: what is stored of it, what it shows, and where it stands in the lists."""

import dataclasses
from collections.abc import Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, ClassVar

import strawberry

from graphql_api.auth.identity import Role
from graphql_api.auth.permissions import at_least
from graphql_api.context import Info
from graphql_api.custom_fields.definition import CUSTOM_FIELDS_UID, CustomFields
from graphql_api.custom_fields.lists import slot_paths
from graphql_api.custom_fields.value import Assignments, CustomFieldValue, StoredValue, shown
from graphql_api.features.projects import Project
from graphql_api.features.users import User
from graphql_api.features.workflows.workflow import StateCategory
from graphql_api.relay import READS_A_LIST, Connection, Node, connection, page_size
from graphql_api.store.entity import Entity, Placement, Topic, entity_class
from graphql_api.store.keys import sort_key
from graphql_api.store.page import ListRange, Page
from graphql_api.store.repository import together
from graphql_api.store.schema import Index
from graphql_api.store.uid import mirrored
from graphql_api.task_lists import agenda_position, assignee_path, project_path, shard_path

if TYPE_CHECKING:
    from graphql_api.features.comments import Comment

# A task carries the ids of its latest comments and of who made them: a board reads no list for each of its
# tasks, and comments and authors in one batch.
RECENT_COMMENTS = 10


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class RecentComment:
    """A comment that its task knows of; ordered as its uid is, by time."""

    uid: str
    author_uid: str


@strawberry.enum(description="How urgent a task is.")
class TaskPriority(StrEnum):
    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"
    URGENT = "URGENT"


@strawberry.type(description="A piece of work.")
class Task(Node, Entity):
    kind: ClassVar[str] = "TASK"
    noun: ClassVar[str] = "Task"
    bounded_by: ClassVar[str | None] = "max_tasks"
    guards: ClassVar[tuple[str, ...]] = ("version", "comments_version")
    derived: ClassVar[frozenset[str]] = frozenset({"recent_comments", "comments_version", "slots"})

    project_uid: strawberry.Private[str]
    assignee_uid: strawberry.Private[str | None] = None
    title: str
    description: str | None = None
    status: str = strawberry.field(description="Key of a state of the tenant's workflow.")
    priority: TaskPriority = TaskPriority.MEDIUM
    due_on: date | None = None
    position: str = strawberry.field(description="Sorts the tasks of a project on its board.")
    completed_at: datetime | None = strawberry.field(
        default=None, description="When it reached a state of category DONE."
    )
    comment_count: int = 0
    recent_comments: strawberry.Private[list[RecentComment]] = dataclasses.field(
        default_factory=list[RecentComment]
    )
    # Counts the changes of the two fields above, which are no version of the task's own.
    comments_version: strawberry.Private[int] = 0
    # None rather than empty: what most tasks have not is not stored with each of them.
    custom_fields: strawberry.Private[list[StoredValue] | None] = None
    # For each index that tenants filter by, the key of the field whose value it holds; "" for none.
    slots: strawberry.Private[list[str] | None] = None

    def placement(self) -> Placement:
        return Placement(
            project_pk=project_path(self.project_uid),
            assignee_pk=assignee_path(self.assignee_uid) if self.assignee_uid else None,
            listing_pk=shard_path(self.uid),
            slots=slot_paths(self.custom_fields or (), self.slots or ()),
            position_sk=sort_key(self.position, self.uid),
            status_sk=sort_key(self.status, self.position, self.uid),
            agenda_sk=agenda_position(self.uid, self.due_on, self.completed_at),
        )

    def topics(self) -> Sequence[Topic]:
        assigned = [assignee_path(self.assignee_uid)] if self.assignee_uid else []
        return [ALL_TASKS, task_topic(self.uid), project_path(self.project_uid), *assigned]

    def moved(self, status: str, category: StateCategory, now: datetime) -> "Task":
        """The task in another state; entering a DONE state completes it, leaving one reopens it."""
        completed_at = (self.completed_at or now) if category is StateCategory.DONE else None
        return dataclasses.replace(self, status=status, completed_at=completed_at)

    def assigned(self, values: Assignments) -> "Task":
        """The task with other values of custom fields. Raises ConflictError."""
        custom_fields, slots = values.onto(self.custom_fields or (), self.slots or ())
        return dataclasses.replace(self, custom_fields=custom_fields or None, slots=slots or None)

    @strawberry.field(
        name="customFields",
        description="Its values of your tenant's own fields, in their order; those without one are left out.",
        permission_classes=[at_least(Role.VIEWER)],
        metadata={"cost": 0},
    )
    async def values(self, info: Info) -> list[CustomFieldValue]:
        if self.custom_fields is None:
            return []
        fields = await info.context.repository.find(CustomFields, CUSTOM_FIELDS_UID)
        return shown(fields, self.custom_fields) if fields else []

    @strawberry.field(permission_classes=[at_least(Role.VIEWER)])
    async def project(self, info: Info) -> Project:
        project = await info.context.repository.find(Project, self.project_uid)
        assert project is not None, "a deleted project leaves its item for good"
        return project

    @strawberry.field(permission_classes=[at_least(Role.VIEWER)])
    async def assignee(self, info: Info) -> User | None:
        if self.assignee_uid is None:
            return None
        return await info.context.repository.find(User, self.assignee_uid)

    @strawberry.field(permission_classes=[at_least(Role.VIEWER)])
    async def created_by(self, info: Info) -> User | None:
        return await info.context.repository.find(User, self.created_by_uid)

    @strawberry.field(
        description=f"Comments, the latest first. The first {RECENT_COMMENTS} cost no list to be read.",
        permission_classes=[at_least(Role.VIEWER)],
        metadata=READS_A_LIST | {"embedded": RECENT_COMMENTS},
    )
    async def comments(
        self, info: Info, first: int | None = 20, after: str | None = None
    ) -> Connection[Annotated["Comment", strawberry.lazy("graphql_api.features.comments")]]:
        repository, comment = info.context.repository, entity_class("COMMENT")
        wanted, size = comments_of(self.uid), page_size(first)
        known = self.recent_comments[:size]
        if after is not None or (len(known) < size and len(known) < self.comment_count):
            return connection(await repository.page(comment, wanted, size, after), after)
        authors = {recent.author_uid for recent in known}
        found = await together(
            [repository.find(comment, recent.uid) for recent in known]
            + [repository.find(User, uid) for uid in authors]
        )
        shown = [entity for entity in found[: len(known)] if entity and not entity.deleted_at]
        cursors = [repository.cursor_at(wanted, mirrored(entity.uid)) for entity in shown]
        return connection(Page(shown, cursors, self.comment_count > len(known)), after)


ALL_TASKS: Topic = ("TASKS",)


def task_topic(uid: str) -> Topic:
    """What happens to one task."""
    return ("TASK", uid)


def comments_of(task_uid: str) -> ListRange:
    """The comments of a task, the latest first."""
    return ListRange(Index.LISTING, (("TASK", task_uid, "COMMENTS"),))
