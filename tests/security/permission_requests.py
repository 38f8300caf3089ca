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
from graphql_api.handlers.events import JobsHandler
from graphql_api.relay import global_id
from tests.features.builders import (
    a_comment,
    a_member,
    a_project,
    a_task,
    a_webhook,
    an_api_key,
    done,
    member_id,
    outcome,
)
from tests.features.fields import a_field
from tests.world import TENANT_POLICY, World, user_uid

CANARY = "canary"
_NUMBERS = count(1)

SUBSCRIPTIONS = ("taskChanged", "projectChanged", "commentChanged")
_LISTS = ("tenants", "users", "projects", "tasks", "apiKeys", "webhooks")
_CURSORS = "{ edges { cursor } }"
_ERROR = "__typename ... on Error { code }"
_STATES = """states: [
    {key: "todo", name: "To do", category: TODO},
    {key: "in_progress", name: "In progress", category: IN_PROGRESS},
    {key: "done", name: "Done", category: DONE}],
    transitions: [{fromState: "todo", toState: "in_progress"}]"""
_ON_TASK = "node(id: $task) { ... on Task"
_DAY = 'from: "2026-11-20", to: "2026-11-20"'
_LOGGED = "changes(filter: {entityId: $task}) { edges { node"

REQUESTS = {
    "Query.node": "node(id: $task) { id }",
    "Query.nodes": "nodes(ids: [$task, $project]) { id }",
    "Query.tenant": "tenant { name }",
    "Query.entitlements": "entitlements { plan limits { burst } }",
    "Query.plans": "plans { tier limits { burst } }",
    "Query.usage": f"usage({_DAY}) {{ totals {{ points }} }}",
    "Query.tenantUsage": f"tenantUsage(slug: $slug, {_DAY}) {{ totals {{ points }} }}",
    "Query.tenants": "tenants(after: $tenants_cursor) { edges { node { name } } }",
    "Query.viewer": "viewer { name }",
    "Query.users": "users(after: $users_cursor) { edges { node { name } } }",
    "Query.user": "user(email: $email) { name }",
    "Query.workflow": "workflow { states { key } }",
    "Query.customFields": "customFields { fields { key } }",
    "Query.project": "project(id: $project) { name }",
    "Query.projects": "projects(after: $projects_cursor) { edges { node { name } } }",
    "Query.task": "task(id: $task) { title }",
    "Query.tasks": "tasks(filter: {projectId: $project}) { edges { node { title } } }",
    "Query.tasks (of a person)": "tasks(filter: {assigneeId: $user}) { edges { node { title } } }",
    "Query.tasks (of the tenant)": "tasks(after: $tasks_cursor) { edges { node { title } } }",
    "Query.changes": "changes(filter: {entityId: $task}) { edges { node { version } } }",
    "Query.changes (of a person)": "changes(filter: {actorId: $author}) { edges { node { version } } }",
    "Query.changes (of the tenant)": "changes(after: $changes_cursor) { edges { node { version } } }",
    "Query.apiKeys": "apiKeys { edges { node { name } } }",
    "Query.apiKeys (behind a cursor)": "apiKeys(after: $apiKeys_cursor) { edges { node { name } } }",
    "Query.auditEvents": "auditEvents { edges { node { kind } } }",
    "Query.auditEvents (of a person)": "auditEvents(filter: {actorId: $author}) { edges { node { kind } } }",
    "Query.auditEvents (behind a cursor)": "auditEvents(after: $audit_cursor) { edges { node { kind } } }",
    "Query.platformAuditEvents": "platformAuditEvents { edges { node { kind } } }",
    "Query.platformAuditEvents (of a person)": (
        'platformAuditEvents(filter: {subject: "nobody"}) { edges { node { kind } } }'
    ),
    "Query.job": "job(id: $job) { slug }",
    "Query.jobs": "jobs(after: $jobs_cursor) { edges { node { slug } } }",
    # That of a tenant's entries, whoever's.
    "Query.platformAuditEvents (behind a cursor)": (
        "platformAuditEvents(after: $audit_cursor) { edges { node { kind } } }"
    ),
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
    "ApiKey.id": "apiKeys { edges { node { id } } }",
    "ApiKey.user": "apiKeys { edges { node { user { name } } } }",
    "TenantRegistration.usage": "tenants { edges { node "
    '{ usage(month: "2026-11-20") { cost { total } } } } }',
    "UsageReport.operations": f"usage({_DAY}) {{ operations {{ name }} }}",
    "User.tasks": "node(id: $user) { ... on User { tasks { edges { node { title } } } } }",
    "Project.createdBy": "project(id: $project) { createdBy { name } }",
    "Project.tasks": "project(id: $project) { tasks { edges { node { title } } } }",
    "Task.project": "task(id: $task) { project { name } }",
    "Task.assignee": "task(id: $task) { assignee { name } }",
    "Task.createdBy": "task(id: $task) { createdBy { name } }",
    "Task.comments": "task(id: $task) { comments { edges { node { body } } } }",
    "Task.customFields": "task(id: $task) { customFields { text } }",
    "CustomField.filterable": "customFields { fields { filterable } }",
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
    "Job.id": "job(id: $job) { id }",
    "Job.file": "job(id: $job) { file { name } }",
    "ExportFile.name": "job(id: $job) { file { name } }",
    "ExportFile.size": "job(id: $job) { file { size } }",
    "ExportFile.sha256": "job(id: $job) { file { sha256 } }",
    "ExportFile.url": "job(id: $job) { file { url } }",
    "Mutation.updateTenant": f"updateTenant(input: {{name: $text}}) {{ {_ERROR} }}",
    "Mutation.onboardTenant": "onboardTenant(input: {slug: $new_slug, name: $text, adminEmail: $new_email, "
    f"adminName: $text}}) {{ {_ERROR} }}",
    "Mutation.onboardTenant (a slug in use)": "onboardTenant(input: {slug: $slug, name: $text, "
    f"adminEmail: $new_email, adminName: $text}}) {{ {_ERROR} }}",
    "Mutation.signUp": "signUp(input: {slug: $new_slug, name: $text, adminEmail: $new_email, "
    f"adminName: $text}}) {{ {_ERROR} }}",
    "Mutation.signUp (a slug in use)": "signUp(input: {slug: $slug, name: $text, adminEmail: $new_email, "
    f"adminName: $text}}) {{ {_ERROR} }}",
    "Mutation.choosePlan": f"choosePlan(input: {{plan: PRO}}) {{ {_ERROR} }}",
    "Mutation.changePlan": f"changePlan(input: {{slug: $slug, plan: PRO}}) {{ {_ERROR} }}",
    "Mutation.updatePlan": f"updatePlan(input: {{tier: PRO, burst: 20000}}) {{ {_ERROR} }}",
    "Mutation.suspendTenant": f"suspendTenant(input: {{slug: $slug}}) {{ {_ERROR} }}",
    "Mutation.reactivateTenant": f"reactivateTenant(input: {{slug: $slug}}) {{ {_ERROR} }}",
    "Mutation.exportTenant": f"exportTenant(input: {{slug: $slug, idempotencyKey: $slug}}) {{ {_ERROR} }}",
    "Mutation.eraseTenant": f"eraseTenant(input: {{slug: $new_tenant, confirm: $new_tenant}}) {{ {_ERROR} }}",
    "Mutation.inviteUser": f"inviteUser(input: {{email: $new_email, name: $text}}) {{ {_ERROR} }}",
    "Mutation.inviteUser (an address in use)": "inviteUser(input: {email: $taken_email, name: $text}) "
    f"{{ {_ERROR} }}",
    "Mutation.acceptInvite": f"acceptInvite(input: {{token: $invitation}}) {{ {_ERROR} }}",
    "Mutation.renewInvitation": f"renewInvitation(input: {{userId: $new_user}}) {{ {_ERROR} }}",
    "Mutation.revokeInvitation": f"revokeInvitation(input: {{userId: $new_user}}) {{ {_ERROR} }}",
    "Mutation.createMachineUser": f"createMachineUser(input: {{name: $text}}) {{ {_ERROR} }}",
    "Mutation.createApiKey": f"createApiKey(input: {{name: $text, userId: $new_user}}) {{ {_ERROR} }}",
    "Mutation.rotateApiKey": f"rotateApiKey(input: {{id: $new_key}}) {{ {_ERROR} }}",
    "Mutation.rotateApiKey (one's own)": f"rotateApiKey(input: {{id: $own_key}}) {{ {_ERROR} }}",
    "Mutation.revokeApiKey": f"revokeApiKey(input: {{id: $new_key}}) {{ {_ERROR} }}",
    "Mutation.revokeApiKey (one's own)": f"revokeApiKey(input: {{id: $own_key}}) {{ {_ERROR} }}",
    "Mutation.setUserRole": f"setUserRole(input: {{id: $new_user, role: MANAGER}}) {{ {_ERROR} }}",
    "Mutation.suspendUser": f"suspendUser(input: {{id: $new_user}}) {{ {_ERROR} }}",
    "Mutation.reactivateUser": f"reactivateUser(input: {{id: $new_user}}) {{ {_ERROR} }}",
    "Mutation.updateWorkflow": f"updateWorkflow(input: {{{_STATES}}}) {{ {_ERROR} }}",
    "Mutation.createCustomField": "createCustomField(input: {key: $new_field_key, name: $text, type: TEXT}) "
    f"{{ {_ERROR} }}",
    "Mutation.updateCustomField": f'updateCustomField(input: {{key: "canary", name: $text}}) {{ {_ERROR} }}',
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
    "Query.webhooks": "webhooks(after: $webhooks_cursor) { edges { node { url } } }",
    "Webhook.createdBy": "node(id: $webhook) { ... on Webhook { createdBy { name } } }",
    "Webhook.deliveries": "node(id: $webhook) { ... on Webhook { deliveries { edges { cursor } } } }",
    "Mutation.createWebhook": 'createWebhook(input: {url: "https://hooks.example.com/", '
    f'query: "subscription {{ taskChanged {{ id }} }}"}}) {{ {_ERROR} }}',
    "Mutation.updateWebhook": f"updateWebhook(input: {{id: $webhook, description: $text}}) {{ {_ERROR} }}",
    "Mutation.deleteWebhook": f"deleteWebhook(input: {{id: $new_webhook}}) {{ {_ERROR} }}",
    "Mutation.rotateWebhookSecret": f"rotateWebhookSecret(input: {{id: $webhook}}) {{ {_ERROR} }}",
    "Mutation.pauseWebhook": f"pauseWebhook(input: {{id: $webhook}}) {{ {_ERROR} }}",
    "Mutation.resumeWebhook": f"resumeWebhook(input: {{id: $webhook}}) {{ {_ERROR} }}",
    "Mutation.replayWebhook": f"replayWebhook(input: {{id: $webhook, after: $event_cursor}}) {{ {_ERROR} }}",
}

# Every way from the root to one and the same object: by its id, by an edge of a list, by another object. What
# the audit log leads to is for administrators alone, and has its rows in the matrix.
PATHS = {
    "Tenant": ["tenant { id }", "node(id: $tenant) { id }", "nodes(ids: [$tenant]) { id }"],
    "Workflow": ["workflow { id }", "node(id: $workflow) { id }", "nodes(ids: [$workflow]) { id }"],
    "CustomFields": [
        "customFields { id }",
        "node(id: $customfields) { id }",
        "nodes(ids: [$customfields]) { id }",
    ],
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
    "Webhook": ["node(id: $webhook) { id }", "nodes(ids: [$webhook]) { id }"],
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
        member = await a_member(self.admin, email=email, name=CANARY)
        project = await a_project(self.admin, CANARY)
        await a_project(self.admin, f"{CANARY} 2")
        await a_field(self.admin, CANARY)
        fields = await self.admin.data("{ customFields { id } }")
        says = [{"key": CANARY, "text": CANARY}]
        task = await a_task(self.admin, project, CANARY, assigneeId=member, customFields=says)
        await a_task(self.admin, project, f"{CANARY} 2")
        webhooks = [await a_webhook(self.admin, description=CANARY) for _ in range(2)]
        found = await self.admin.data(
            f"{{ workflow {{ id }} users {_CURSORS} projects {_CURSORS} tasks {_CURSORS} "
            f"webhooks {_CURSORS} }}"
        )
        for _ in range(2):
            await an_api_key(self.admin, self.tenant)
        found |= await self.admin.data(f"{{ apiKeys {_CURSORS} }}")
        exports = [await finished_export(self.admin) for _ in range(2)]
        found |= await self.admin.data(f"{{ jobs {_CURSORS} }}")
        found |= await self.world.as_(None, Role.PLATFORM).data(f"{{ tenants {_CURSORS} }}")
        self.things = {
            "slug": self.tenant,
            "tenant": global_id(Tenant, self.tenant),
            "workflow": found["workflow"]["id"],
            "customfields": fields["customFields"]["id"],
            "email": email,
            "user": member,
            "author": global_id(User, user_uid(self.tenant, Role.ADMIN)),
            "job": exports[0],
            "jobs_cursor": found["jobs"]["edges"][0]["cursor"],
            "project": project,
            "task": task,
            "comment": await a_comment(self.admin, task, CANARY),
            "webhook": webhooks[0],
            **{f"{name}_cursor": found[name]["edges"][0]["cursor"] for name in _LISTS},
        }

    async def look_up_log(self) -> None:
        """Find the places in the log, once what `fill` has made is logged: behind its latest change."""
        found = await self.admin.data("{ changes(first: 1) { edges { cursor node { cursor } } } }")
        (latest,) = found["changes"]["edges"]
        self.things |= {"changes_cursor": latest["cursor"], "event_cursor": latest["node"]["cursor"]}
        # Another entry, and no change.
        await done(self.admin, "setUserRole", "user { id }", id=self.things["user"], role="MEMBER")
        audited = await self.admin.data("{ auditEvents(first: 1) { edges { cursor } } }")
        self.things["audit_cursor"] = audited["auditEvents"]["edges"][0]["cursor"]

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


async def _field_key(_: World) -> str:
    return f"field_{next(_NUMBERS)}"


async def _slug(_: World) -> str:
    return f"new-{next(_NUMBERS)}"


async def _new_tenant(admin: World) -> str:
    slug, email = await _slug(admin), await _address(admin)
    person = {"adminEmail": email, "adminName": "New"}
    operator = admin.as_(None, Role.PLATFORM)
    await done(operator, "onboardTenant", "tenant { slug }", slug=slug, name="New", **person)
    return slug


async def finished_export(admin: World) -> str:
    job = await done(admin, "exportTenant", "job { id }")
    mark = TENANT_POLICY.set("lifecycle")
    try:
        await JobsHandler(admin.services).handle()
    finally:
        TENANT_POLICY.reset(mark)
    return job["id"]


async def _user(admin: World) -> str:
    return (await _invited(admin))["id"]


async def _taken_address(admin: World) -> str:
    return (await _invited(admin))["email"]


async def _invited(admin: World) -> dict[str, str]:
    return await done(admin, "inviteUser", "user { id email }", email=await _address(admin), name="New")


async def _invitation(admin: World) -> str:
    invited = {"email": await _address(admin), "name": "New"}
    return (await outcome(admin, "inviteUser", "token", **invited))["token"]


async def _key(admin: World) -> str:
    return (await an_api_key(admin, userId=await _user(admin)))[0]


async def _own_key(author: World) -> str:
    tenant, role = author.caller.tenant, author.caller.role
    assert tenant is not None
    assert role is not None
    return (await an_api_key(author.as_(tenant, Role.ADMIN), userId=member_id(tenant, role)))[0]


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
    "new_field_key": _by_admin(_field_key),
    "new_tenant": _by_admin(_new_tenant),
    "new_email": _by_admin(_address),
    "taken_email": _by_admin(_taken_address),
    "new_user": _by_admin(_user),
    "invitation": _by_admin(_invitation),
    "new_key": _by_admin(_key),
    "own_key": _by_author(_own_key),
    "new_project": _by_admin(a_project),
    "new_task": _by_admin(_task),
    "new_comment": _by_admin(_comment),
    "new_webhook": _by_admin(a_webhook),
    "deleted_task": _by_admin(_deleted_task),
    "own_task": _by_author(_task),
    "own_comment": _by_author(_comment),
}
