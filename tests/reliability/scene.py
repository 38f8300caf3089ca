"""A tenant with a little of everything, the mutations one could ask of it, and what it holds afterwards."""

import itertools
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from graphql_api.auth.identity import Identity, Role
from graphql_api.context import RequestContext
from graphql_api.deadline import Deadline
from graphql_api.features.comments import Comment
from graphql_api.features.projects import Project
from graphql_api.features.tasks.task import RecentComment, Task
from graphql_api.features.users import User
from graphql_api.relay import global_id
from tests.world import Answer, World, found, user_uid

ROWS = 51  # more than one commit takes
_SLUGS: Iterator[str] = (f"tenant-{number}" for number in itertools.count())

EVERYTHING = """query ($task: ID!) {
    tenant { name version } workflow { states { key } }
    users(first: 20) { edges { node { email name role status version } } }
    projects(first: 5) { edges { node { name description archived version
        tasks(first: 100) { edges { node { title status version commentCount assignee { email } } } } } } }
    task(id: $task) { commentCount comments(first: 10) { edges { node { body version } } } } }"""


@dataclass(frozen=True, slots=True)
class Scene:
    """One tenant of the world, and the ids of what is in it."""

    world: World
    slug: str
    project: str
    empty: str
    task: str
    gone: str
    comment: str

    def caller(self, role: Role = Role.ADMIN) -> World:
        return self.world.as_(self.slug, role)

    @property
    def viewer(self) -> str:
        """The id of a member nobody needs."""
        return global_id(User, user_uid(self.slug, Role.VIEWER))

    async def holds(self) -> dict[str, Any]:
        """All that the tenant holds, without its name, ids and times: two that did the same hold the same."""
        answer = await self.caller().execute(EVERYTHING, task=self.task)
        assert set(answer.codes) <= {"NOT_FOUND"}
        return json.loads(re.sub(self.slug, "tenant", json.dumps(answer.data), flags=re.IGNORECASE))


async def set_scene(world: World) -> Scene:
    slug = next(_SLUGS)
    await found(world, slug)
    admin = Identity(user_uid(slug, Role.ADMIN), Role.ADMIN, slug, 0)
    context = RequestContext(world.services.sources, admin, "scene", Deadline.after(10))
    repository = context.repository

    def task(title: str, position: str, **attributes: Any) -> Task:
        return repository.new(
            Task, project_uid=site.uid, title=title, status="todo", position=position, **attributes
        )

    site, empty = (repository.new(Project, name=name) for name in ("Site", "Empty"))
    gone = task("Gone", "h", version=2, deleted_at=repository.stamp.now())
    uids = [repository.stamp.new_uid() for _ in range(2)]
    recent = [RecentComment(uid, admin.subject) for uid in reversed(uids)]
    weld = task("Weld", "g", comment_count=len(uids), recent_comments=recent, comments_version=2)
    comments = [
        repository.new(Comment, uid=uid, task_uid=weld.uid, body=body)
        for uid, body in zip(uids, ("first", "second"), strict=True)
    ]
    await repository.commit(*map(repository.put, (site, empty, gone, weld, *comments)), leaves=[])
    await context.close()
    ids = [global_id(type(each), each.uid) for each in (site, empty, weld, gone, comments[-1])]
    return Scene(world, slug, *ids)


@dataclass(frozen=True, slots=True)
class Mutation:
    field: str
    payload: Callable[[Scene], dict[str, Any]]
    # Whether all of its effect is one commit.
    is_atomic: bool = True

    async def send(self, scene: Scene, key: str) -> Answer:
        """The caller's request, always under the same idempotency key."""
        name = self.field[0].upper() + self.field[1:]
        query = f"""mutation ($input: {name}Input!) {{ result: {self.field}(input: $input) {{
            __typename ... on Error {{ message code }} }} }}"""
        payload = self.payload(scene) | {"idempotencyKey": key}
        return await scene.caller().execute(query, input=payload)


def _workflow(_: Scene) -> dict[str, Any]:
    states = [("open", "TODO"), ("closed", "DONE")]
    return {
        "states": [{"key": key, "name": key, "category": category} for key, category in states],
        "transitions": [{"fromState": "open", "toState": "closed"}],
        "replacements": [{"state": "todo", "by": "open"}],
    }


MUTATIONS = {
    mutation.field: mutation
    for mutation in (
        Mutation("createProject", lambda _: {"name": "New"}),
        Mutation(
            "updateProject", lambda scene: {"id": scene.project, "description": "new", "expectedVersion": 1}
        ),
        Mutation("deleteProject", lambda scene: {"id": scene.empty}),
        Mutation(
            "createTask",
            lambda scene: {"projectId": scene.project, "title": "New", "assigneeId": scene.viewer},
        ),
        Mutation(
            "createTasks",
            lambda scene: {
                "tasks": [{"projectId": scene.project, "title": f"New {number}"} for number in range(ROWS)]
            },
            is_atomic=False,
        ),
        Mutation("updateTask", lambda scene: {"id": scene.task, "assigneeId": scene.viewer}),
        Mutation("moveTask", lambda scene: {"id": scene.task, "to": "in_progress", "afterTaskId": None}),
        Mutation("deleteTask", lambda scene: {"id": scene.task}),
        Mutation("restoreTask", lambda scene: {"id": scene.gone}),
        Mutation("addComment", lambda scene: {"taskId": scene.task, "body": "new"}),
        Mutation("updateComment", lambda scene: {"id": scene.comment, "body": "new"}),
        Mutation("deleteComment", lambda scene: {"id": scene.comment}),
        Mutation("inviteUser", lambda _: {"email": "new@example.com", "name": "New", "role": "MEMBER"}),
        Mutation("setUserRole", lambda scene: {"id": scene.viewer, "role": "MANAGER"}),
        Mutation("suspendUser", lambda scene: {"id": scene.viewer, "expectedVersion": 1}),
        Mutation("updateTenant", lambda _: {"name": "New"}),
        Mutation("updateWorkflow", _workflow, is_atomic=False),
    )
}
