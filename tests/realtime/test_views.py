"""What each view hears of a change: what enters it is created there, and what leaves it is deleted."""

from typing import Any

from graphql_api.auth.identity import Role
from tests.features.builders import a_comment, a_project, a_task, done, member_id
from tests.realtime.board import TASKS, a_listener, change, happen, manager, refusals, told
from tests.realtime.stage import Client, Stage

COMMENTS = """subscription ($task: ID!, $after: String) { commentChanged(taskId: $task, after: $after) {
  action version entityId actor { email } comment { id body author { email } task { id } } } }"""
PROJECTS = """subscription ($project: ID) { projectChanged(projectId: $project) {
  action entityId project { id name archived } } }"""


def actions(client: Client) -> list[str]:
    return [event["action"] for event in told(client.taken())]


async def test_a_task_that_moves_leaves_one_project_and_enters_the_other(stage: Stage):
    old, new = await a_project(manager(stage)), await a_project(manager(stage))
    task = await a_task(manager(stage), old)
    await stage.pump()
    left, entered = await a_listener(stage, TASKS, project=old), await a_listener(stage, TASKS, project=new)
    itself, everything = await a_listener(stage, TASKS, task=task), await a_listener(stage, TASKS)
    await change(stage, "updateTask", id=task, projectId=new)
    seen = [actions(client) for client in (left, entered, itself, everything)]
    assert seen == [["DELETED"], ["CREATED"], ["UPDATED"], ["UPDATED"]]
    await change(stage, "updateTask", id=task, title="There")
    seen = [actions(client) for client in (left, entered, itself, everything)]
    assert seen == [[], ["UPDATED"], ["UPDATED"], ["UPDATED"]]


async def test_a_task_that_is_handed_over_leaves_one_person_and_reaches_the_other(stage: Stage):
    first, second = member_id("acme", Role.MEMBER), member_id("acme", Role.VIEWER)
    project = await a_project(manager(stage))
    task = await a_task(manager(stage), project, assigneeId=first)
    await stage.pump()
    left = await a_listener(stage, TASKS, assignee=first)
    entered = await a_listener(stage, TASKS, assignee=second)
    board = await a_listener(stage, TASKS, project=project)
    await change(stage, "updateTask", id=task, assigneeId=second)
    assert [actions(client) for client in (left, entered, board)] == [["DELETED"], ["CREATED"], ["UPDATED"]]
    await change(stage, "updateTask", id=task, assigneeId=None)
    assert [actions(client) for client in (left, entered, board)] == [[], ["DELETED"], ["UPDATED"]]


async def test_a_deleted_task_is_told_as_it_was_last_and_a_restored_one_as_created(stage: Stage):
    project = await a_project(manager(stage), "Site")
    task = await a_task(manager(stage), project, "Weld")
    await stage.pump()
    board, itself = await a_listener(stage, TASKS, project=project), await a_listener(stage, TASKS, task=task)
    await change(stage, "deleteTask", id=task)
    for client in (board, itself):
        (event,) = told(client.taken())
        assert (event["action"], event["version"], event["task"]["title"]) == ("DELETED", 2, "Weld")
        assert event["actor"] == {"email": "manager@acme.example"}
    await change(stage, "restoreTask", id=task)
    assert [actions(client) for client in (board, itself)] == [["CREATED"], ["CREATED"]]


async def test_who_listens_to_a_deleted_task_hears_that_it_is_restored(stage: Stage):
    task = await a_task(manager(stage))
    await change(stage, "deleteTask", id=task)
    client = await a_listener(stage, TASKS, task=task)
    await change(stage, "restoreTask", id=task)
    assert actions(client) == ["CREATED"]


async def test_comments_are_told_to_who_listens_to_their_task_alone(stage: Stage):
    task, other = await a_task(manager(stage)), await a_task(manager(stage))
    await stage.pump()
    client, elsewhere = (
        await a_listener(stage, COMMENTS, task=task),
        await a_listener(stage, COMMENTS, task=other),
    )
    member = stage.world.as_("acme", Role.MEMBER)
    comment = await a_comment(member, task, "Done?")
    await done(member, "updateComment", "comment { id }", id=comment, body="Done!")
    await done(manager(stage), "deleteComment", "comment { id }", id=comment)
    await stage.pump()
    events = told(client.taken())
    assert [(event["action"], event["version"], event["comment"]["body"]) for event in events] == [
        ("CREATED", 1, "Done?"),
        ("UPDATED", 2, "Done!"),
        ("DELETED", 3, "Done!"),
    ]
    assert [event["actor"]["email"] for event in events] == ["member@acme.example"] * 2 + [
        "manager@acme.example"
    ]
    assert {event["comment"]["task"]["id"] for event in events} == {task}
    assert {event["entityId"] for event in events} == {comment}
    assert elsewhere.taken() == []


async def test_a_comment_is_a_change_of_its_task_by_who_made_it(stage: Stage):
    task = await a_task(manager(stage), title="Weld")
    await stage.pump()
    client = await a_listener(
        stage,
        """subscription ($task: ID) { taskChanged(taskId: $task) {
            action version actor { email } task { commentCount comments { edges { node { body } } } } } }""",
        task=task,
    )
    await a_comment(stage.world.as_("acme", Role.MEMBER), task, "Done?")
    await stage.pump()
    (event,) = told(client.taken())
    assert event == {
        "action": "UPDATED",
        "version": 1,
        "actor": {"email": "member@acme.example"},
        "task": {"commentCount": 1, "comments": {"edges": [{"node": {"body": "Done?"}}]}},
    }


async def test_changes_of_projects_are_told_to_who_listens_to_all_or_to_that_one(stage: Stage):
    every = await a_listener(stage, PROJECTS)
    project = await a_project(manager(stage), "Site")
    await stage.pump()
    assert actions(every) == ["CREATED"]
    one = await a_listener(stage, PROJECTS, project=project)
    other = await a_project(manager(stage), "Other")
    await done(manager(stage), "updateProject", "project { id }", id=project, archived=True)
    await done(manager(stage), "deleteProject", "project { id }", id=project)
    await stage.pump()
    (archived, deleted) = told(one.taken())
    assert archived == {
        "action": "UPDATED",
        "entityId": project,
        "project": {"id": project, "name": "Site", "archived": True},
    }
    assert deleted["action"] == "DELETED"
    assert [event["entityId"] for event in told(every.taken())] == [other, project, project]


async def test_a_deleted_project_ends_the_subscriptions_of_its_tasks_and_no_other(stage: Stage):
    project, other = await a_project(manager(stage)), await a_project(manager(stage))
    await stage.pump()
    client = await a_listener(stage, TASKS, project=project)
    await client.subscribe(TASKS, id="other", project=other)
    await done(manager(stage), "deleteProject", "project { id }", id=project)
    await stage.pump()
    assert refusals(client.taken()) == [("1", "NOT_FOUND")]
    await happen(stage, "elsewhere", project=other)
    assert [frame["id"] for frame in client.taken()] == ["other"]
    assert not [key for key in await stage.kept() if "#TOPIC#PROJECT#" in key and key.endswith("\x1f1")]
    await client.subscribe(TASKS, project=other)
    assert client.taken() == []


async def test_a_subscription_is_to_one_thing_at_most(stage: Stage):
    task = await a_task(manager(stage))
    person = member_id("acme", Role.ADMIN)
    given = {"task": task, "project": await a_project(manager(stage)), "assignee": person}
    client = await stage.client("acme")
    for names in (("project", "task"), ("task", "assignee"), ("project", "task", "assignee")):
        await client.subscribe(TASKS, **{name: given[name] for name in names})
        assert refusals(client.taken()) == [("1", "BAD_USER_INPUT")]
    assert not [key for key in await stage.kept() if "#TOPIC#" in key]


async def test_what_is_not_there_or_another_tenants_cannot_be_listened_to(stage: Stage):
    foreign = stage.world.as_("globex", Role.MANAGER)
    task = await a_task(foreign)
    project = await a_project(foreign)
    person = member_id("globex", Role.MEMBER)
    client = await stage.client("acme")
    attempts: list[tuple[str, dict[str, Any]]] = [
        (query, {name: given})
        for query, name, ids in (
            (TASKS, "project", (project, task, "nonsense", "")),
            (TASKS, "task", (task, project)),
            (TASKS, "assignee", (person, task)),
            (COMMENTS, "task", (task, "nonsense")),
            (PROJECTS, "project", (project, "nonsense")),
        )
        for given in ids
    ]
    for number, (query, variables) in enumerate(attempts):
        await client.subscribe(query, id=str(number), **variables)
    expected = [(str(number), "NOT_FOUND") for number in range(len(attempts))]
    assert refusals(client.taken()) == expected
    assert not [key for key in await stage.kept() if "#TOPIC#" in key]
