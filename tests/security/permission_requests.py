"""One request for every field of the schema, and the things of a tenant that it names.

A request is the selection of a field of Query, Mutation or Subscription. `$task` and the like stand for what
`Stock` has or makes: the same request with another tenant's things asks what that tenant's walls are worth.
"""

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count
from string import Template
from typing import Any

from graphql_api.auth.identity import Role
from graphql_api.features.tenants import Tenant
from graphql_api.features.users import User
from graphql_api.relay import global_id
from tests.features.builders import a_comment, a_project, a_task, done
from tests.world import World, user_uid

CANARY = "canary"
_NUMBERS = count(1)

SUBSCRIPTIONS = ("taskChanged", "projectChanged", "commentChanged")
_LISTS = ("tenants", "users", "projects", "tasks")
_CURSORS = "{ edges { cursor } }"
_ERROR = "__typename ... on Error { code }"
_STATES = """states: [
    {key: "todo", name: "To do", category: TODO},
    {key: "in_progress", name: "In progress", category: IN_PROGRESS},
    {key: "done", name: "Done", category: DONE}],
    transitions: [{fromState: "todo", toState: "in_progress"}]"""
_ON_TASK = "node(id: $task) { ... on Task"
_LOGGED = "changes(filter: {entityId: $task}) { edges { node"

REQUESTS = {
    "Query.node": "node(id: $task) { id }",
    "Query.nodes": "nodes(ids: [$task, $project]) { id }",
    "Query.tenant": "tenant { name }",
    "Query.entitlements": "entitlements { plan limits { burst } }",
    "Query.plans": "plans { tier limits { burst } }",
    "Query.tenants": "tenants(after: $tenants_cursor) { edges { node { name } } }",
    "Query.viewer": "viewer { name }",
    "Query.users": "users(after: $users_cursor) { edges { node { name } } }",
    "Query.user": "user(email: $email) { name }",
    "Query.workflow": "workflow { states { key } }",
    "Query.project": "project(id: $project) { name }",
    "Query.projects": "projects(after: $projects_cursor) { edges { node { name } } }",
    "Query.task": "task(id: $task) { title }",
    "Query.tasks": "tasks(filter: {projectId: $project}) { edges { node { title } } }",
    "Query.tasks (of a person)": "tasks(filter: {assigneeId: $user}) { edges { node { title } } }",
    "Query.tasks (of the tenant)": "tasks(after: $tasks_cursor) { edges { node { title } } }",
    "Query.changes": "changes(filter: {entityId: $task}) { edges { node { version } } }",
    "Query.changes (of a person)": "changes(filter: {actorId: $author}) { edges { node { version } } }",
    "Query.changes (of the tenant)": "changes(after: $changes_cursor) { edges { node { version } } }",
    "Subscription.taskChanged": "taskChanged(taskId: $task) { id }",
    "Subscription.taskChanged (of a project)": "taskChanged(projectId: $project) { id }",
    "Subscription.taskChanged (of a person)": "taskChanged(assigneeId: $user) { id }",
    "Subscription.taskChanged (of the tenant)": "taskChanged(after: $event_cursor) { id }",
    "Subscription.projectChanged": "projectChanged(projectId: $project) { id }",
    "Subscription.projectChanged (of the tenant)": "projectChanged(after: $event_cursor) { id }",
    "Subscription.commentChanged": "commentChanged(taskId: $task) { id }",
    "Subscription.commentChanged (what was missed)": "commentChanged(taskId: $task, after: $event_cursor) "
    "{ id }",
    "Connection.eventCursor": "project(id: $project) { tasks { eventCursor } }",
    "Connection.eventCursor (of the registry)": "tenants { eventCursor }",
    "Node.id": "node(id: $project) { id }",
    "Tenant.slug": "node(id: $tenant) { ... on Tenant { slug } }",
    "Plan.tier": "plans { tier }",
    "TenantRegistration.slug": "tenants { edges { node { slug } } }",
    "User.tasks": "node(id: $user) { ... on User { tasks { edges { node { title } } } } }",
    "Project.createdBy": "project(id: $project) { createdBy { name } }",
    "Project.tasks": "project(id: $project) { tasks { edges { node { title } } } }",
    "Task.project": "task(id: $task) { project { name } }",
    "Task.assignee": "task(id: $task) { assignee { name } }",
    "Task.createdBy": "task(id: $task) { createdBy { name } }",
    "Task.comments": "task(id: $task) { comments { edges { node { body } } } }",
    "Comment.author": "node(id: $comment) { ... on Comment { author { name } } }",
    "Comment.task": "node(id: $comment) { ... on Comment { task { title } } }",
    "ChangeEvent.id": "taskChanged(taskId: $task) { id }",
    "ChangeEvent.cursor": "taskChanged(taskId: $task) { cursor }",
    "ChangeEvent.sequence": "taskChanged(taskId: $task) { sequence }",
    "ChangeEvent.action": "taskChanged(taskId: $task) { action }",
    "ChangeEvent.at": "taskChanged(taskId: $task) { at }",
    "ChangeEvent.actor": "taskChanged(taskId: $task) { actor { name } }",
    "ChangeEvent.actor (in the log)": f"{_LOGGED} {{ actor {{ name }} }} }} }}",
    "ChangeEvent.entityId": "taskChanged(taskId: $task) { entityId }",
    "ChangeEvent.version": "taskChanged(taskId: $task) { version }",
    "TaskChange.task": "taskChanged(taskId: $task) { task { title } }",
    "ProjectChange.project": "projectChanged(projectId: $project) { project { name } }",
    "CommentChange.comment": "commentChanged(taskId: $task) { comment { body } }",
    "LoggedChange.entityType": f"{_LOGGED} {{ entityType }} }} }}",
    "LoggedChange.loggedAt": f"{_LOGGED} {{ loggedAt }} }} }}",
    "LoggedChange.requestId": f"{_LOGGED} {{ requestId }} }} }}",
    "LoggedChange.attributes": f"{_LOGGED} {{ attributes {{ name }} }} }} }}",
    "Mutation.updateTenant": f"updateTenant(input: {{name: $text}}) {{ {_ERROR} }}",
    "Mutation.onboardTenant": "onboardTenant(input: {slug: $new_slug, name: $text, adminEmail: $new_email, "
    f"adminName: $text}}) {{ {_ERROR} }}",
    "Mutation.onboardTenant (a slug in use)": "onboardTenant(input: {slug: $slug, name: $text, "
    f"adminEmail: $new_email, adminName: $text}}) {{ {_ERROR} }}",
    "Mutation.changePlan": f"changePlan(input: {{slug: $slug, plan: PRO}}) {{ {_ERROR} }}",
    "Mutation.updatePlan": f"updatePlan(input: {{tier: PRO, burst: 20000}}) {{ {_ERROR} }}",
    "Mutation.suspendTenant": f"suspendTenant(input: {{slug: $slug}}) {{ {_ERROR} }}",
    "Mutation.reactivateTenant": f"reactivateTenant(input: {{slug: $slug}}) {{ {_ERROR} }}",
    "Mutation.inviteUser": f"inviteUser(input: {{email: $new_email, name: $text}}) {{ {_ERROR} }}",
    "Mutation.inviteUser (an address in use)": "inviteUser(input: {email: $taken_email, name: $text}) "
    f"{{ {_ERROR} }}",
    "Mutation.setUserRole": f"setUserRole(input: {{id: $new_user, role: MANAGER}}) {{ {_ERROR} }}",
    "Mutation.suspendUser": f"suspendUser(input: {{id: $new_user}}) {{ {_ERROR} }}",
    "Mutation.reactivateUser": f"reactivateUser(input: {{id: $new_user}}) {{ {_ERROR} }}",
    "Mutation.updateWorkflow": f"updateWorkflow(input: {{{_STATES}}}) {{ {_ERROR} }}",
    "Mutation.createProject": f"createProject(input: {{name: $text}}) {{ {_ERROR} }}",
    "Mutation.updateProject": f"updateProject(input: {{id: $new_project, name: $text}}) {{ {_ERROR} }}",
    "Mutation.deleteProject": f"deleteProject(input: {{id: $new_project}}) {{ {_ERROR} }}",
    "Mutation.createTask": f"createTask(input: {{projectId: $new_project, title: $text}}) {{ {_ERROR} }}",
    "Mutation.createTasks": "createTasks(input: {tasks: [{projectId: $new_project, title: $text}]}) "
    f"{{ {_ERROR} ... on CreateTasksPayload {{ results {{ {_ERROR} }} }} }}",
    "Mutation.updateTask": f"updateTask(input: {{id: $new_task, title: $text}}) {{ {_ERROR} }}",
    "Mutation.moveTask": f'moveTask(input: {{id: $new_task, to: "in_progress"}}) {{ {_ERROR} }}',
    "Mutation.deleteTask": f"deleteTask(input: {{id: $new_task}}) {{ {_ERROR} }}",
    "Mutation.deleteTask (one's own)": f"deleteTask(input: {{id: $own_task}}) {{ {_ERROR} }}",
    "Mutation.restoreTask": f"restoreTask(input: {{id: $deleted_task}}) {{ {_ERROR} }}",
    "Mutation.addComment": f"addComment(input: {{taskId: $new_task, body: $text}}) {{ {_ERROR} }}",
    "Mutation.updateComment": f"updateComment(input: {{id: $new_comment, body: $text}}) {{ {_ERROR} }}",
    "Mutation.updateComment (one's own)": "updateComment(input: {id: $own_comment, body: $text}) "
    f"{{ {_ERROR} }}",
    "Mutation.deleteComment": f"deleteComment(input: {{id: $new_comment}}) {{ {_ERROR} }}",
    "Mutation.deleteComment (one's own)": f"deleteComment(input: {{id: $own_comment}}) {{ {_ERROR} }}",
}

# Every way from the root to one and the same object: by its id, by an edge of a list, by another object. What
# the audit log leads to is for administrators alone, and has its rows in the matrix.
PATHS = {
    "Tenant": ["tenant { id }", "node(id: $tenant) { id }", "nodes(ids: [$tenant]) { id }"],
    "Workflow": ["workflow { id }", "node(id: $workflow) { id }", "nodes(ids: [$workflow]) { id }"],
    "User": [
        "user(email: $email) { id }",
        "node(id: $user) { id }",
        "nodes(ids: [$user]) { id }",
        "task(id: $task) { assignee { id } }",
        f"{_ON_TASK} {{ assignee {{ id }} }} }}",
        "tasks(filter: {assigneeId: $user}) { edges { node { assignee { id } } } }",
    ],
    "Project": [
        "project(id: $project) { id }",
        "node(id: $project) { id }",
        "nodes(ids: [$project]) { id }",
        "task(id: $task) { project { id } }",
        f"{_ON_TASK} {{ project {{ id }} }} }}",
        "node(id: $comment) { ... on Comment { task { project { id } } } }",
        "tasks(filter: {projectId: $project}) { edges { node { project { id } } } }",
    ],
    "Task": [
        "task(id: $task) { id }",
        "node(id: $task) { id }",
        "nodes(ids: [$task]) { id }",
        "tasks(filter: {projectId: $project}) { edges { node { id } } }",
        "tasks(filter: {assigneeId: $user}) { edges { node { id } } }",
        "project(id: $project) { tasks { edges { node { id } } } }",
        "node(id: $user) { ... on User { tasks { edges { node { id } } } } }",
        "node(id: $comment) { ... on Comment { task { id } } }",
    ],
    "Comment": [
        "node(id: $comment) { id }",
        "nodes(ids: [$comment]) { id }",
        "task(id: $task) { comments { edges { node { id } } } }",
        f"{_ON_TASK} {{ comments(first: 1) {{ edges {{ node {{ id }} }} }} }} }}",
        "project(id: $project) { tasks { edges { node { comments { edges { node { id } } } } } } }",
    ],
}


@dataclass
class Stock:
    """What one tenant has, made by its administrator; and makes anew for a mutation that would use it up."""

    world: World
    tenant: str
    things: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def admin(self) -> World:
        return self.world.as_(self.tenant, Role.ADMIN)

    async def fill(self) -> None:
        """Make what can be read again and again; a list's cursor is that of its first row."""
        email = f"{CANARY}@{self.tenant}.example"
        invited = await done(self.admin, "inviteUser", "user { id }", email=email, name=CANARY)
        project = await a_project(self.admin, CANARY)
        await a_project(self.admin, f"{CANARY} 2")
        task = await a_task(self.admin, project, CANARY, assigneeId=invited["id"])
        await a_task(self.admin, project, f"{CANARY} 2")
        found = await self.admin.data(
            f"{{ workflow {{ id }} users {_CURSORS} projects {_CURSORS} tasks {_CURSORS} }}"
        )
        found |= await self.world.as_(None, Role.PLATFORM).data(f"{{ tenants {_CURSORS} }}")
        self.things = {
            "slug": self.tenant,
            "tenant": global_id(Tenant, self.tenant),
            "workflow": found["workflow"]["id"],
            "email": email,
            "user": invited["id"],
            "author": global_id(User, user_uid(self.tenant, Role.ADMIN)),
            "project": project,
            "task": task,
            "comment": await a_comment(self.admin, task, CANARY),
            **{f"{name}_cursor": found[name]["edges"][0]["cursor"] for name in _LISTS},
        }

    async def look_up_log(self) -> None:
        """Find the places in the log, once what `fill` has made is logged: behind its latest change."""
        found = await self.admin.data("{ changes(first: 1) { edges { cursor node { cursor } } } }")
        (latest,) = found["changes"]["edges"]
        self.things |= {"changes_cursor": latest["cursor"], "event_cursor": latest["node"]["cursor"]}

    async def selection(self, request: str, author: World, **instead: str) -> str:
        """The request with things of this tenant; `author` makes what is to be the caller's own."""
        things = self.things | instead
        names = re.findall(r"\$(\w+)", request)
        made = {name: await _MAKERS[name](self, author) for name in names if name not in things}
        return Template(request).substitute({k: json.dumps(v) for k, v in (things | made).items()})


Maker = Callable[[Stock, World], Awaitable[str]]


def _by_admin(make: Callable[[World], Awaitable[Any]]) -> Maker:
    return lambda stock, _: make(stock.admin)


def _by_author(make: Callable[[World], Awaitable[Any]]) -> Maker:
    return lambda _, author: make(author)


async def _text(_: World) -> str:
    return f"text {next(_NUMBERS)}"


async def _address(_: World) -> str:
    return f"new{next(_NUMBERS)}@example.org"


async def _slug(_: World) -> str:
    return f"new-{next(_NUMBERS)}"


async def _user(admin: World) -> str:
    return (await _invited(admin))["id"]


async def _taken_address(admin: World) -> str:
    return (await _invited(admin))["email"]


async def _invited(admin: World) -> dict[str, str]:
    return await done(admin, "inviteUser", "user { id email }", email=await _address(admin), name="New")


async def _task(author: World) -> str:
    return await a_task(author, await a_project(author.as_(author.caller.tenant, Role.ADMIN)))


async def _comment(author: World) -> str:
    return await a_comment(author, await _task(author))


async def _deleted_task(admin: World) -> str:
    task = await a_task(admin)
    await done(admin, "deleteTask", "task { id }", id=task)
    return task


_MAKERS: dict[str, Maker] = {
    "text": _by_admin(_text),
    "new_slug": _by_admin(_slug),
    "new_email": _by_admin(_address),
    "taken_email": _by_admin(_taken_address),
    "new_user": _by_admin(_user),
    "new_project": _by_admin(a_project),
    "new_task": _by_admin(_task),
    "new_comment": _by_admin(_comment),
    "deleted_task": _by_admin(_deleted_task),
    "own_task": _by_author(_task),
    "own_comment": _by_author(_comment),
}
