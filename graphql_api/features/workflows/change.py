"""How a tenant reshapes its workflow while tasks are in it."""

import dataclasses
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Annotated, Any

import strawberry

from graphql_api import inputs
from graphql_api.auth.identity import Role
from graphql_api.errors import ConflictError, InvalidInputError, NotFoundError
from graphql_api.features.projects import PROJECTS, Project
from graphql_api.features.users import tenant_role
from graphql_api.features.workflows.workflow import (
    WORKFLOW_UID,
    StateCategory,
    Workflow,
    WorkflowState,
    WorkflowTransition,
)
from graphql_api.relay import MAX_PAGE
from graphql_api.results import Problem
from graphql_api.store.entity import entity_class
from graphql_api.store.idempotency import UNMARKED, Mark
from graphql_api.store.repository import Repository, together
from graphql_api.task_lists import STATE_KEY, tasks_in_status

MAX_STATES, MAX_TRANSITIONS = 20, 100
QUERIES_AT_ONCE = 25  # half of the client's connections


@strawberry.input(description="A state of the workflow, in the order of the board's columns.")
class WorkflowStateInput:
    key: str = strawberry.field(description="Lower-case letters, digits and _, at most 40.")
    name: str
    category: StateCategory


@strawberry.input(description="A move that the workflow allows.")
class WorkflowTransitionInput:
    from_state: str
    to_state: str
    role: Role = Role.MEMBER


@strawberry.input(description="Where the tasks of a state go that is removed.")
class StateReplacementInput:
    state: str
    by: str


@strawberry.input(description="The whole workflow as it shall be.")
class UpdateWorkflowInput:
    states: list[WorkflowStateInput]
    transitions: list[WorkflowTransitionInput]
    replacements: list[StateReplacementInput] = strawberry.field(
        default_factory=list[StateReplacementInput],
        description="Needed for each removed state that tasks are in.",
    )
    expected_version: int | None = None
    idempotency_key: str | None = None


@strawberry.type
class UpdateWorkflowPayload:
    workflow: Workflow


UpdateWorkflowResult = Annotated[UpdateWorkflowPayload | Problem, strawberry.union("UpdateWorkflowResult")]


def _states(given: list[WorkflowStateInput]) -> list[WorkflowState]:
    if not 1 <= len(given) <= MAX_STATES:
        raise InvalidInputError(f"A workflow has 1 to {MAX_STATES} states.", "states")
    keys = [state.key for state in given]
    if len(set(keys)) < len(keys) or not all(STATE_KEY.match(key) for key in keys):
        raise InvalidInputError("State keys must be distinct, like in_review.", "states.key")
    if given[0].category is StateCategory.DONE:
        raise InvalidInputError("New tasks start in the first state; it cannot be DONE.", "states")
    return [
        WorkflowState(key=state.key, name=inputs.line(state.name, "states.name"), category=state.category)
        for state in given
    ]


def _transitions(
    given: list[WorkflowTransitionInput], states: Iterable[WorkflowState]
) -> list[WorkflowTransition]:
    keys = {state.key for state in states}
    moves = {(move.from_state, move.to_state) for move in given}
    if len(given) > MAX_TRANSITIONS or len(moves) < len(given):
        raise InvalidInputError(f"At most {MAX_TRANSITIONS} distinct transitions.", "transitions")
    if not all(a in keys and b in keys and a != b for a, b in moves):
        raise InvalidInputError("A transition joins two different states.", "transitions")
    return [
        WorkflowTransition(from_state=move.from_state, to_state=move.to_state, role=tenant_role(move.role))
        for move in given
    ]


async def update(repository: Repository, payload: UpdateWorkflowInput, mark: Mark) -> Workflow:
    """Replace the workflow. A state in use goes in three steps, each of which can be repeated: it is
    retired, so that no task enters it; its tasks are moved; it is removed.
    """
    states = _states(payload.states)
    transitions = _transitions(payload.transitions, states)
    workflow = await repository.fresh().get(Workflow, WORKFLOW_UID)
    replacements = {entry.state: entry.by for entry in payload.replacements}
    if not set(replacements.values()) <= {state.key for state in states}:
        raise InvalidInputError("A replacement must be a state of the new workflow.", "replacements.by")
    in_use = await _removed_in_use(repository, workflow, states)
    for state in in_use:
        if state.key not in replacements:
            raise ConflictError(f"Tasks are in {state.key}; say what replaces it.", workflow)
    version = payload.expected_version
    if in_use:
        retired = [dataclasses.replace(state, retired=True) for state in in_use]
        workflow = await repository.update(
            workflow,
            lambda now: dataclasses.replace(now, states=[*states, *retired], transitions=transitions),
            # Two that remove states at once would each retire what the other keeps: the later is a conflict.
            expected_version=version or workflow.version,
            mark=UNMARKED,
        )
        version = workflow.version
        for state in in_use:
            target = next(s for s in states if s.key == replacements[state.key])
            await _move_all(repository, state.key, target)
    return await repository.update(
        workflow,
        lambda now: dataclasses.replace(now, states=states, transitions=transitions),
        expected_version=version,
        mark=mark,
    )


async def _removed_in_use(
    repository: Repository, workflow: Workflow, states: Sequence[WorkflowState]
) -> list[WorkflowState]:
    """The states that tasks are in and that are not among the new ones. Raises ConflictError for one that
    stays but would begin or cease to complete its tasks.
    """
    later = {state.key: state for state in states}
    in_use, projects = list[WorkflowState](), await _projects(repository)
    for state in workflow.states:
        kept = later.get(state.key)
        if kept and (kept.category is StateCategory.DONE) == (state.category is StateCategory.DONE):
            continue
        if await _in_use(repository, projects, state.key):
            in_use.append(state)
            if kept:
                raise ConflictError(
                    f"Tasks are in {state.key}; replace it by a new state, DONE or not.", workflow
                )
    return in_use


async def _projects(repository: Repository) -> list[Project]:
    projects, cursor, more = list[Project](), None, True
    while more:
        page = await repository.page(Project, PROJECTS, MAX_PAGE, cursor)
        projects += page.items
        cursor, more = page.cursors[-1] if page.cursors else None, page.has_next
    return projects


async def _in_use(repository: Repository, projects: Sequence[Project], status: str) -> bool:
    for start in range(0, len(projects), QUERIES_AT_ONCE):
        some = projects[start : start + QUERIES_AT_ONCE]
        empty = await together(repository.is_empty(tasks_in_status(project.uid, status)) for project in some)
        if not all(empty):
            return True
    return False


async def _move_all(repository: Repository, status: str, target: WorkflowState) -> None:
    """Move every task that is still in a state; what time does not allow is left for the next try."""
    tasks = entity_class("TASK")

    def moved(now: Any) -> Any:
        return now.moved(target.key, target.category, repository.stamp.now()) if now.status == status else now

    for project in await _projects(repository):
        cursor, more = None, True
        while more:
            page = await repository.page(tasks, tasks_in_status(project.uid, status), MAX_PAGE, cursor)
            for task in page.items:
                with suppress(NotFoundError):  # deleted in the meantime
                    await repository.update(task, moved, expected_version=None, mark=UNMARKED)
            cursor, more = page.cursors[-1] if page.cursors else None, page.has_next
