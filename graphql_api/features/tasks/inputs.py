"""What the mutations of tasks take and answer."""

from datetime import date
from typing import Annotated

import strawberry

from graphql_api.custom_fields.value import CustomFieldInput
from graphql_api.features.tasks.task import Task, TaskPriority
from graphql_api.results import Problem

# The values of one task are one write, as the task is.
ONE_TASKS = {"list_size": 1}


@strawberry.input(description="A new task; it starts in the workflow's first state, at the board's end.")
class CreateTaskInput:
    project_id: strawberry.ID
    title: str
    description: str | None = None
    due_on: date | None = None
    priority: TaskPriority = TaskPriority.MEDIUM
    assignee_id: strawberry.ID | None = None
    custom_fields: list[CustomFieldInput] | None = strawberry.field(default=None, metadata=ONE_TASKS)
    idempotency_key: str | None = None


@strawberry.input(description="One task of several.")
class TaskRowInput:
    project_id: strawberry.ID
    title: str
    description: str | None = None
    due_on: date | None = None
    priority: TaskPriority = TaskPriority.MEDIUM
    assignee_id: strawberry.ID | None = None
    custom_fields: list[CustomFieldInput] | None = strawberry.field(default=None, metadata=ONE_TASKS)


@strawberry.input(description="Up to 100 tasks; each row is accepted or refused by itself.")
class CreateTasksInput:
    tasks: list[TaskRowInput]
    idempotency_key: str | None = None


@strawberry.input(
    description="Changes to a task; what is left out stays as it is. null empties description, dueOn and "
    "assigneeId; the others cannot be null."
)
class UpdateTaskInput:
    id: strawberry.ID
    expected_version: int | None = None
    project_id: strawberry.Maybe[strawberry.ID | None]
    title: strawberry.Maybe[str | None]
    description: strawberry.Maybe[str | None]
    due_on: strawberry.Maybe[date | None]
    priority: strawberry.Maybe[TaskPriority | None]
    assignee_id: strawberry.Maybe[strawberry.ID | None]
    custom_fields: list[CustomFieldInput] | None = strawberry.field(
        default=None,
        description="Values to set; fields that are not named keep theirs.",
        metadata=ONE_TASKS,
    )
    idempotency_key: str | None = None


@strawberry.input(description="A move along the workflow, on the board, or both.")
class MoveTaskInput:
    id: strawberry.ID
    to: str = strawberry.field(description="Key of the state to move to; the task's own to stay in it.")
    after_task_id: strawberry.Maybe[strawberry.ID | None] = strawberry.field(
        description="Put it right behind this task of the same project; null puts it first."
    )
    expected_version: int | None = None
    idempotency_key: str | None = None


@strawberry.input(description="A task to delete; it can be restored for 30 days.")
class DeleteTaskInput:
    id: strawberry.ID
    expected_version: int | None = None
    idempotency_key: str | None = None


@strawberry.input(description="A deleted task to bring back as it was.")
class RestoreTaskInput:
    id: strawberry.ID
    idempotency_key: str | None = None


@strawberry.type
class CreateTaskPayload:
    task: Task


@strawberry.type
class UpdateTaskPayload:
    task: Task


@strawberry.type
class MoveTaskPayload:
    task: Task


@strawberry.type
class DeleteTaskPayload:
    task: Task = strawberry.field(description="As it was deleted.")


@strawberry.type
class RestoreTaskPayload:
    task: Task


CreateTaskResult = Annotated[CreateTaskPayload | Problem, strawberry.union("CreateTaskResult")]
UpdateTaskResult = Annotated[UpdateTaskPayload | Problem, strawberry.union("UpdateTaskResult")]
MoveTaskResult = Annotated[MoveTaskPayload | Problem, strawberry.union("MoveTaskResult")]
DeleteTaskResult = Annotated[DeleteTaskPayload | Problem, strawberry.union("DeleteTaskResult")]
RestoreTaskResult = Annotated[RestoreTaskPayload | Problem, strawberry.union("RestoreTaskResult")]


@strawberry.type(description="The answer to a batch: a result for each row, in the order of the rows.")
class CreateTasksPayload:
    # The rows of the input are what is counted already.
    results: list[CreateTaskResult] = strawberry.field(metadata={"list_size": 1})


CreateTasksResult = Annotated[CreateTasksPayload | Problem, strawberry.union("CreateTasksResult")]
