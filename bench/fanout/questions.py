"""What subscribers ask: all the same, or each something else."""

from collections.abc import Callable
from typing import Any

Payload = dict[str, Any]
Question = Callable[[int, str], Payload]

_CHANGE = ("id", "action", "at", "version", "entityId")
_TASK = ("title", "status", "priority", "dueOn", "position")


def same(_: int, project_id: str) -> Payload:
    """One document, one set of variables."""
    return _payload("($project: ID!)", _CHANGE, _TASK, {"project": project_id})


def other_variables(number: int, project_id: str) -> Payload:
    """One document, of whose ten columns everybody chooses others; for numbers below 1024."""
    columns = (*_CHANGE, *_TASK)
    chosen = {f"with_{name}": bool(number >> bit & 1) for bit, name in enumerate(columns)}
    declared = ", ".join(("$project: ID!", *(f"${name}: Boolean!" for name in chosen)))
    change, task = ([f"{name} @include(if: $with_{name})" for name in names] for names in (_CHANGE, _TASK))
    return _payload(f"({declared})", change, task, {"project": project_id, **chosen})


def other_document(number: int, project_id: str) -> Payload:
    """A document for everybody: a column has another name in each."""
    change = (f"change{number}: id", *_CHANGE[1:])
    return _payload("($project: ID!)", change, _TASK, {"project": project_id})


def _payload(
    declared: str, change: list[str] | tuple[str, ...], task: list[str] | tuple[str, ...], variables: Payload
) -> Payload:
    selection = f"{' '.join(change)} task {{ id {' '.join(task)} }}"
    query = f"subscription Watch{declared} {{ taskChanged(projectId: $project) {{ {selection} }} }}"
    return {"query": query, "variables": variables}
