"""What is measured: three workloads that are timed, and ten operations whose calls are counted."""

from dataclasses import dataclass, field
from typing import Any

import orjson

from bench.tenant import Sample

FLAT = """
query Flat($project: ID!) {
  tasks(filter: { projectId: $project }, first: 100) {
    edges { node { id title description status priority dueOn position commentCount version updatedAt } }
    pageInfo { hasNextPage endCursor }
  }
}"""

BOARD = """
query Board($project: ID!) {
  tasks(filter: { projectId: $project }, first: 20) {
    edges { node {
      id title status priority dueOn
      project { id name }
      assignee { id name }
      comments(first: 3) { edges { node { id body createdAt author { id name } } } }
    } }
    pageInfo { hasNextPage endCursor }
  }
}"""

SINGLE = "query Single($task: ID!) { task(id: $task) { id title status priority version } }"


@dataclass(frozen=True, slots=True)
class Operation:
    """A request as a client sends it; a timed one says its operation's `name`."""

    title: str
    query: str
    variables: dict[str, Any] = field(default_factory=dict[str, Any])
    name: str | None = None

    @property
    def body(self) -> bytes:
        """The request's body as it is sent."""
        request = {"query": self.query, "operationName": self.name, "variables": self.variables}
        return orjson.dumps(request)


def workloads(sample: Sample) -> list[Operation]:
    """The timed ones."""
    project = {"project": sample.project_id}
    return [
        Operation("flat: 100 tasks of 10 scalars", FLAT, project, "Flat"),
        Operation("board: 20 tasks, three levels", BOARD, project, "Board"),
        Operation("single: a task of 5 scalars", SINGLE, {"task": sample.task_ids[0]}, "Single"),
    ]


def representative(sample: Sample) -> list[Operation]:
    """Ten more, reads before writes; they are executed once each, in this order."""
    task = sample.task_ids[0]
    return [
        Operation("viewer", "{ viewer { id name role } }"),
        Operation("user by e-mail", "query ($m: String!) { user(email: $m) { id } }", {"m": sample.email}),
        Operation(
            "10 nodes of three types",
            "query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }",
            {"ids": [sample.project_id, *sample.user_ids[:3], *sample.task_ids[:6]]},
        ),
        Operation("page of projects", "{ projects { edges { node { id name } } } }"),
        Operation(
            "a person's agenda",
            "query ($u: ID!) { tasks(filter: { assigneeId: $u }) { edges { node { project { name } } } } }",
            {"u": sample.user_ids[0]},
        ),
        Operation(
            "what is overdue in the tenant",
            "{ tasks(filter: { overdue: true }) { edges { node { id assignee { name } } } } }",
        ),
        Operation(
            "second page of comments",
            "query ($t: ID!, $c: String!) { task(id: $t) {"
            " comments(first: 3, after: $c) { edges { node { body author { name } } } } } }",
            {"t": task, "c": sample.comments_cursor},
        ),
        _mutation("createTask", projectId=sample.project_id, title="Fit the guard", idempotencyKey="bench-1"),
        _mutation("moveTask", id=task, to="in_progress"),
        _mutation("addComment", taskId=task, body="Done before noon."),
    ]


def _mutation(name: str, **payload: Any) -> Operation:
    input_type = f"{name[0].upper()}{name[1:]}Input"
    query = f"mutation ($input: {input_type}!) {{ {name}(input: $input) {{ __typename }} }}"
    title = f"{name} with idempotencyKey" if "idempotencyKey" in payload else name
    return Operation(title, query, {"input": payload})
