"""Writing tasks."""

import strawberry

from graphql_api.auth.identity import Role
from graphql_api.auth.permissions import at_least
from graphql_api.context import Info
from graphql_api.feature import once
from graphql_api.features.tasks import batch, rules
from graphql_api.features.tasks.inputs import (
    CreateTaskInput,
    CreateTaskPayload,
    CreateTaskResult,
    CreateTasksInput,
    CreateTasksPayload,
    CreateTasksResult,
    DeleteTaskInput,
    DeleteTaskPayload,
    DeleteTaskResult,
    MoveTaskInput,
    MoveTaskPayload,
    MoveTaskResult,
    RestoreTaskInput,
    RestoreTaskPayload,
    RestoreTaskResult,
    UpdateTaskInput,
    UpdateTaskPayload,
    UpdateTaskResult,
)
from graphql_api.features.tasks.task import Task


@strawberry.type
class TaskMutation:
    @strawberry.mutation(
        description="Add a task at the end of a project's board.",
        permission_classes=[at_least(Role.MEMBER)],
    )
    async def create_task(self, info: Info, input: CreateTaskInput) -> CreateTaskResult | None:
        task = await once(info.context.repository, info, input, Task, rules.create, adds=1)
        return CreateTaskPayload(task=task)

    @strawberry.mutation(
        description="Create up to 100 tasks in one call, each row by itself.",
        permission_classes=[at_least(Role.MEMBER)],
    )
    async def create_tasks(self, info: Info, input: CreateTasksInput) -> CreateTasksResult | None:
        return CreateTasksPayload(results=await batch.create_all(info, input))

    @strawberry.mutation(
        description="Change what a task says, whose it is, or its project.",
        permission_classes=[at_least(Role.MEMBER)],
    )
    async def update_task(self, info: Info, input: UpdateTaskInput) -> UpdateTaskResult | None:
        task = await once(info.context.repository, info, input, Task, rules.update)
        return UpdateTaskPayload(task=task)

    @strawberry.mutation(
        description="Move a task to another state, as the tenant's workflow allows, or on the board.",
        permission_classes=[at_least(Role.MEMBER)],
    )
    async def move_task(self, info: Info, input: MoveTaskInput) -> MoveTaskResult | None:
        task = await once(info.context.repository, info, input, Task, rules.move)
        return MoveTaskPayload(task=task)

    @strawberry.mutation(
        description="Delete a task; its creator or a manager may. It can be restored for 30 days.",
        permission_classes=[at_least(Role.MEMBER)],
    )
    async def delete_task(self, info: Info, input: DeleteTaskInput) -> DeleteTaskResult | None:
        task = await once(info.context.repository, info, input, Task, rules.delete, adds=-1)
        return DeleteTaskPayload(task=task)

    @strawberry.mutation(
        description="Bring a deleted task back as it was; its creator or a manager may.",
        permission_classes=[at_least(Role.MEMBER)],
    )
    async def restore_task(self, info: Info, input: RestoreTaskInput) -> RestoreTaskResult | None:
        task = await once(info.context.repository, info, input, Task, rules.restore, adds=1)
        return RestoreTaskPayload(task=task)
