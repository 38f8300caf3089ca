"""The workflow: the states of a tenant's tasks, the moves between them, and who may make each."""

from enum import StrEnum
from typing import ClassVar

import strawberry

from graphql_api.auth.identity import Role
from graphql_api.errors import ForbiddenError, InvalidInputError
from graphql_api.relay import Node
from graphql_api.store.entity import Entity
from graphql_api.store.repository import Repository

WORKFLOW_UID = "default"


@strawberry.enum(description="What a state means for reports: only DONE completes a task.")
class StateCategory(StrEnum):
    TODO = "TODO"
    IN_PROGRESS = "IN_PROGRESS"
    DONE = "DONE"


@strawberry.type(description="A state a task can be in.")
class WorkflowState:
    key: str = strawberry.field(description="What `Task.status` and `moveTask(to:)` hold.")
    name: str
    category: StateCategory
    retired: bool = strawberry.field(
        default=False, description="Being removed: tasks only leave it, until none is left."
    )


@strawberry.type(description="A move that the workflow allows.")
class WorkflowTransition:
    from_state: str
    to_state: str
    role: Role = strawberry.field(description="The lowest role that may make it.")


@strawberry.type(description="The states of the tenant's tasks, the first being every new task's.")
class Workflow(Node, Entity):
    kind: ClassVar[str] = "WORKFLOW"
    noun: ClassVar[str] = "Workflow"

    states: list[WorkflowState]
    transitions: list[WorkflowTransition]

    def state(self, key: str) -> WorkflowState | None:
        """The state with that key."""
        return next((state for state in self.states if state.key == key), None)

    @property
    def first_state(self) -> WorkflowState:
        """Where a new task starts."""
        return next(state for state in self.states if not state.retired)

    def target(self, from_state: str, to_state: str, role: Role) -> WorkflowState:
        """The state a move ends in. Raises InvalidInputError for a move that the workflow does not have,
        ForbiddenError for one that the role may not make.

        From a state that is retired, or that the workflow no longer has, every state is open that the role
        may enter from some state.
        """
        target = self.state(to_state)
        if target is None or target.retired:
            raise InvalidInputError("The workflow has no such state.", "to")
        source = self.state(from_state)
        if from_state == to_state:
            return target
        if source is None or source.retired:
            self._require_entry(to_state, role)
            return target
        for transition in self.transitions:
            if (transition.from_state, transition.to_state) == (from_state, to_state):
                if not role.covers(transition.role):
                    raise ForbiddenError(f"This move needs the role {transition.role}.")
                return target
        open_moves = ", ".join(sorted(t.to_state for t in self.transitions if t.from_state == from_state))
        raise InvalidInputError(
            f"The workflow has no move from {from_state} to {to_state}; it has: {open_moves or 'none'}.",
            "to",
        )

    def _require_entry(self, to_state: str, role: Role) -> None:
        roles = [transition.role for transition in self.transitions if transition.to_state == to_state]
        if roles and not any(role.covers(needed) for needed in roles):
            raise ForbiddenError(f"Entering this state needs the role {min(roles, key=list(Role).index)}.")


def default_workflow(repository: Repository) -> Workflow:
    """What a new tenant starts with."""
    states = [
        WorkflowState(key="todo", name="To do", category=StateCategory.TODO),
        WorkflowState(key="in_progress", name="In progress", category=StateCategory.IN_PROGRESS),
        WorkflowState(key="in_review", name="In review", category=StateCategory.IN_PROGRESS),
        WorkflowState(key="done", name="Done", category=StateCategory.DONE),
    ]
    moves = [
        ("todo", "in_progress", Role.MEMBER),
        ("in_progress", "todo", Role.MEMBER),
        ("in_progress", "in_review", Role.MEMBER),
        ("in_review", "in_progress", Role.MEMBER),
        ("in_review", "done", Role.MEMBER),
        ("done", "in_progress", Role.MANAGER),
    ]
    transitions = [WorkflowTransition(from_state=a, to_state=b, role=role) for a, b, role in moves]
    return repository.new(Workflow, uid=WORKFLOW_UID, states=states, transitions=transitions)
