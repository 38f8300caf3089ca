"""How a task comes to be, changes, moves, goes and comes back."""

import dataclasses
from datetime import date, timedelta
from typing import Any

from graphql_api import inputs
from graphql_api.auth.identity import Identity, Role
from graphql_api.auth.permissions import require_feature
from graphql_api.auth.plan import PlanFeature
from graphql_api.custom_fields.definition import CUSTOM_FIELDS_UID, CustomFields
from graphql_api.custom_fields.value import Assignments, CustomFieldInput, assignments
from graphql_api.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from graphql_api.features.projects import Project
from graphql_api.features.tasks.inputs import (
    CreateTaskInput,
    DeleteTaskInput,
    MoveTaskInput,
    RestoreTaskInput,
    TaskRowInput,
    UpdateTaskInput,
)
from graphql_api.features.tasks.task import Task
from graphql_api.features.users import User, UserStatus
from graphql_api.features.workflows.workflow import WORKFLOW_UID, Workflow
from graphql_api.relay import uid_of
from graphql_api.store.entity import RESTORABLE_FOR
from graphql_api.store.idempotency import Mark
from graphql_api.store.keys import LAST, after, sort_key
from graphql_api.store.page import ListRange
from graphql_api.store.repository import Repository, together
from graphql_api.store.schema import Index
from graphql_api.store.uid import between
from graphql_api.task_lists import project_path

MAX_POSITION = 200  # some 900 insertions behind one and the same task


async def new_task(fresh: Repository, row: CreateTaskInput | TaskRowInput) -> Task:
    """The task a row describes, stamped but not stored: everything it names is read in one batch."""
    project_uid = uid_of(Project, row.project_id)
    assignee_uid = None if row.assignee_id is None else uid_of(User, row.assignee_id)
    workflow, values, _, _ = await _all_of(
        fresh.get(Workflow, WORKFLOW_UID),
        _values(fresh, row.custom_fields),
        _open_project(fresh, project_uid),
        _assignable(fresh, assignee_uid),
    )
    uid = fresh.stamp.new_uid()
    task = fresh.new(
        Task,
        uid=uid,
        project_uid=project_uid,
        assignee_uid=assignee_uid,
        title=inputs.line(row.title, "title"),
        description=inputs.optional_text(row.description, "description"),
        due_on=_due_on(row.due_on, fresh),
        priority=row.priority,
        status=workflow.first_state.key,
        position=_last_position(uid),
    )
    return task.assigned(values)


async def create(repository: Repository, payload: CreateTaskInput, mark: Mark) -> Task:
    task = await new_task(repository.fresh(), payload)
    await repository.commit(repository.put(task), leaves=[task], mark=mark)
    return task


async def update(repository: Repository, payload: UpdateTaskInput, mark: Mark) -> Task:
    fresh = repository.fresh()
    changes = inputs.patch(
        project_uid=(payload.project_id, lambda given: uid_of(Project, inputs.present(given, "projectId"))),
        title=(payload.title, lambda given: inputs.line(inputs.present(given, "title"), "title")),
        description=(payload.description, lambda given: inputs.optional_text(given, "description")),
        due_on=(payload.due_on, lambda given: given),
        priority=(payload.priority, lambda given: inputs.present(given, "priority")),
        assignee_uid=(payload.assignee_id, lambda given: None if given is None else uid_of(User, given)),
    )
    task, values, _, _ = await _all_of(
        fresh.get(Task, uid_of(Task, payload.id)),
        _values(fresh, payload.custom_fields),
        _open_project(fresh, changes.get("project_uid")),
        _assignable(fresh, changes.get("assignee_uid")),
    )
    return await repository.update(
        task,
        lambda now: dataclasses.replace(now, **changes).assigned(values),
        expected_version=payload.expected_version,
        mark=mark,
    )


async def move(repository: Repository, payload: MoveTaskInput, mark: Mark) -> Task:
    fresh = repository.fresh()
    placed_after = payload.after_task_id.value if payload.after_task_id else None
    task, workflow, neighbour = await _all_of(
        fresh.get(Task, uid_of(Task, payload.id)),
        fresh.get(Workflow, WORKFLOW_UID),
        _neighbour(fresh, placed_after),
    )
    position = None
    if payload.after_task_id:
        position = await _position_after(repository, task, neighbour)

    def moved(now: Task) -> Task:
        state = workflow.target(now.status, payload.to, repository.stamp.actor.role)
        task = now.moved(state.key, state.category, repository.stamp.now())
        return dataclasses.replace(task, position=position or now.position)

    return await repository.update(task, moved, expected_version=payload.expected_version, mark=mark)


async def delete(repository: Repository, payload: DeleteTaskInput, mark: Mark) -> Task:
    caller = repository.stamp.actor
    task = await repository.fresh().get(Task, uid_of(Task, payload.id))
    _require_own(task, caller)
    return await repository.update(
        task,
        lambda now: dataclasses.replace(now, deleted_at=repository.stamp.now()),
        expected_version=payload.expected_version,
        mark=mark,
    )


async def restore(repository: Repository, payload: RestoreTaskInput, mark: Mark) -> Task:
    task = await repository.fresh().find(Task, uid_of(Task, payload.id))
    if task is None:
        raise NotFoundError(Task.noun)
    if task.deleted_at is not None and task.deleted_at + RESTORABLE_FOR <= repository.stamp.now():
        raise NotFoundError(Task.noun)
    _require_own(task, repository.stamp.actor)
    return await repository.update(
        task,
        lambda now: dataclasses.replace(now, deleted_at=None),
        expected_version=None,
        mark=mark,
    )


def _require_own(task: Task, caller: Identity) -> None:
    if task.created_by_uid != caller.subject and not caller.role.covers(Role.MANAGER):
        raise ForbiddenError("Only its creator or a manager may delete a task or bring it back.")


async def _values(fresh: Repository, given: list[CustomFieldInput] | None) -> Assignments:
    if not given:
        return Assignments(None)
    require_feature(fresh.stamp.actor, PlanFeature.CUSTOM_FIELDS)
    return assignments(await fresh.find(CustomFields, CUSTOM_FIELDS_UID), given)


def _due_on(given: date | None, fresh: Repository) -> date | None:
    """The day given, or the one that the tenant's settings give to a new task."""
    settings = fresh.stamp.actor.settings
    if given is not None or settings.default_due_days is None:
        return given
    return settings.local_date(fresh.stamp.now()) + timedelta(days=settings.default_due_days)


async def _open_project(fresh: Repository, uid: str | None) -> Project | None:
    if uid is None:
        return None
    project = await fresh.get(Project, uid)
    if project.archived:
        raise ConflictError("The project is archived and takes no tasks.", project)
    return project


async def _assignable(fresh: Repository, uid: str | None) -> User | None:
    if uid is None:
        return None
    user = await fresh.get(User, uid)
    if user.status is not UserStatus.ACTIVE:
        raise InvalidInputError("This person is not an active member.", "assigneeId")
    return user


async def _neighbour(fresh: Repository, given: str | None) -> Task | None:
    return None if given is None else await fresh.get(Task, uid_of(Task, given))


async def _position_after(repository: Repository, task: Task, neighbour: Task | None) -> str:
    """A position right behind the neighbour, or before every task of the project."""
    if neighbour is not None and neighbour.project_uid != task.project_uid:
        raise InvalidInputError("That task is in another project.", "afterTaskId")
    low = neighbour.position if neighbour else ""
    board = ListRange(Index.BY_POSITION, (project_path(task.project_uid),))
    if neighbour is not None:
        board = dataclasses.replace(board, low=after(sort_key(low, neighbour.uid)), high=LAST)
    following = await repository.page(Task, board, 2, None)
    others = [other for other in following.items if other.uid != task.uid]
    high = others[0].position if others else None
    last = _last_position(repository.stamp.new_uid())
    if high is None and last > low:
        return last
    # Moves behind the same task at once find the same gap; the random end of the uid keeps them apart.
    position = between(low, high if high and high > low else None) + task.uid[-4:] + "g"
    if len(position) > MAX_POSITION:
        raise InvalidInputError("There is no room left there; move that task first.", "afterTaskId")
    return position


def _last_position(uid: str) -> str:
    # Sixteen digits of a time-ordered uid: unique, behind all earlier tasks, not ending in the lowest digit.
    return uid[:16] + "g"


async def _all_of(*reads: Any) -> Any:
    """The results of reads that share a batch."""
    return await together(reads)
