"""Reading tasks: one by id, or a part of a list."""

import strawberry

from graphql_api.auth.identity import Role
from graphql_api.auth.permissions import at_least
from graphql_api.context import Info
from graphql_api.errors import InvalidInputError
from graphql_api.features.projects import Project
from graphql_api.features.tasks.task import Task
from graphql_api.features.users import User
from graphql_api.relay import Connection, uid_of
from graphql_api.task_lists import AGENDA_SHARDS, TaskFilter, TaskOrder, Whose, read_tasks


def _whose(wanted: TaskFilter | None) -> Whose:
    if wanted is None:
        return Whose()
    project, assignee = wanted.project_id, wanted.assignee_id
    if project is not None and assignee is not None:
        raise InvalidInputError("Give projectId or assigneeId, not both.", "filter")
    return Whose(
        project_uid=None if project is None else uid_of(Project, project),
        assignee_uid=None if assignee is None else uid_of(User, assignee),
    )


@strawberry.type
class TaskQuery:
    @strawberry.field(description="One task, by its id.", permission_classes=[at_least(Role.VIEWER)])
    async def task(self, info: Info, id: strawberry.ID) -> Task | None:
        return await info.context.repository.get(Task, uid_of(Task, id))

    @strawberry.field(
        description="Tasks of the tenant, of a project or of a person. Lists can lag a moment behind a "
        "write; `task` and `node` do not lag behind one that was answered a second ago.",
        permission_classes=[at_least(Role.VIEWER)],
        metadata={"query": AGENDA_SHARDS},
    )
    async def tasks(
        self,
        info: Info,
        filter: TaskFilter | None = None,
        order_by: TaskOrder | None = None,
        first: int | None = 20,
        after: str | None = None,
    ) -> Connection[Task]:
        return await read_tasks(info, _whose(filter), filter, order_by, first, after)
