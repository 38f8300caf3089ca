"""What happens to tasks, as it happens."""

from collections.abc import AsyncGenerator

import strawberry

from graphql_api.auth.identity import Role
from graphql_api.auth.permissions import at_least
from graphql_api.context import Info
from graphql_api.errors import InvalidInputError, NotFoundError
from graphql_api.features.changes import ChangeEvent, listened_to
from graphql_api.features.projects import Project
from graphql_api.features.tasks.task import ALL_TASKS, Task, task_topic
from graphql_api.features.users import User
from graphql_api.store.entity import Topic
from graphql_api.task_lists import assignee_path, project_path


@strawberry.type(description="Something happened to a task.")
class TaskChange(ChangeEvent):
    @strawberry.field(description="As the change left it; one that was deleted, as it was last.")
    def task(self) -> Task:
        return self.event.change.entity


async def _topic(
    info: Info, project_id: str | None, task_id: str | None, assignee_id: str | None, after: str | None
) -> Topic:
    """Raises NotFoundError for what is not there, InvalidInputError for more than one."""
    if sum(one is not None for one in (project_id, task_id, assignee_id)) > 1:
        raise InvalidInputError("Give one of projectId, taskId and assigneeId at most.", "taskChanged")
    if project_id is not None:
        # Who resumes may have its last events still to hear.
        resumes = after is not None
        return project_path(await listened_to(info, Project, project_id, may_be_deleted=resumes))
    if assignee_id is not None:
        return assignee_path(await listened_to(info, User, assignee_id, may_be_deleted=False))
    if task_id is not None:
        # A deleted one can be restored, and who listens to it hears of that.
        return task_topic(await listened_to(info, Task, task_id, may_be_deleted=True))
    return ALL_TASKS


@strawberry.type
class TaskSubscription:
    @strawberry.subscription(
        description="Changes of all tasks, or of those of one project or person, or of one task.",
        permission_classes=[at_least(Role.VIEWER)],
    )
    async def task_changed(
        self,
        info: Info,
        project_id: strawberry.ID | None = None,
        task_id: strawberry.ID | None = None,
        assignee_id: strawberry.ID | None = None,
        after: str | None = None,
    ) -> AsyncGenerator[TaskChange]:
        topic = await _topic(info, project_id, task_id, assignee_id, after)
        async for event in info.context.listen(topic, after):
            if event.change.kind == Project.kind:
                raise NotFoundError(Project.noun)  # It was deleted, which ends this.
            yield TaskChange(event=event)
