"""The floor: the same answers by hand, from the same data objects, with batched reads and no GraphQL."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import orjson

from graphql_api.bootstrap import Services
from graphql_api.features.comments import Comment
from graphql_api.features.projects import Project
from graphql_api.features.tasks.task import Task
from graphql_api.features.users import User
from graphql_api.relay import global_id, uid_of
from graphql_api.store.codec import Item, decode
from graphql_api.store.entity import Entity, key_of
from graphql_api.store.keys import partition, tenant_family
from graphql_api.store.page import ListRange
from graphql_api.store.schema import Index
from graphql_api.store.writes import key_attributes
from graphql_api.task_lists import project_path


class Reader:
    """The data of one tenant: a page by one Query, anything else by one BatchGetItem."""

    def __init__(self, services: Services, tenant: str) -> None:
        self._database = services.sources.database
        self._cursors = services.sources.cursors
        self._family = tenant_family(tenant)

    async def page(self, project_uid: str, first: int) -> tuple[list[Task], dict[str, Any]]:
        """A project's first tasks by position, and their PageInfo."""
        wanted = ListRange(Index.BY_POSITION, (project_path(project_uid),))
        answer = await self._database.client.query(
            TableName=self._database.table_name,
            IndexName=wanted.index.index_name,
            KeyConditionExpression="project_pk = :p",
            ExpressionAttributeValues={":p": {"S": partition(self._family, *wanted.partitions[0])}},
            Limit=first + 1,
        )
        items = cast("Sequence[Item]", answer["Items"])
        shown = items[:first]
        end = self._cursors.seal(shown[-1]["position_sk"]["S"], wanted.scope(self._family))
        return [decode(Task, item) for item in shown], {"hasNextPage": len(items) > first, "endCursor": end}

    async def load(self, wanted: Mapping[str, type[Entity]]) -> dict[str, Any]:
        """Up to 100 entities, by uid."""
        keys = [key_attributes(key_of(self._family, cls, uid)) for uid, cls in wanted.items()]
        name = self._database.table_name
        answer = await self._database.client.batch_get_item(RequestItems={name: {"Keys": keys}})
        items = cast("Sequence[Item]", answer["Responses"][name])
        return {(uid := item["uid"]["S"]): decode(wanted[uid], item) for item in items}


async def _flat(reader: Reader, variables: Mapping[str, str]) -> Any:
    tasks, page_info = await reader.page(uid_of(Project, variables["project"]), 100)
    rows = [
        {
            "id": global_id(Task, task.uid),
            "title": task.title,
            "description": task.description,
            "status": task.status,
            "priority": task.priority,
            "dueOn": task.due_on,
            "position": task.position,
            "commentCount": task.comment_count,
            "version": task.version,
            "updatedAt": task.updated_at,
        }
        for task in tasks
    ]
    return {"tasks": {"edges": [{"node": row} for row in rows], "pageInfo": page_info}}


async def _board(reader: Reader, variables: Mapping[str, str]) -> Any:
    tasks, page_info = await reader.page(uid_of(Project, variables["project"]), 20)
    wanted: dict[str, type[Entity]] = {}
    for task in tasks:
        wanted[task.project_uid] = Project
        wanted |= {recent.uid: Comment for recent in task.recent_comments[:3]}
        wanted |= {recent.author_uid: User for recent in task.recent_comments[:3]}
        if task.assignee_uid:
            wanted[task.assignee_uid] = User
    near = await reader.load(wanted)
    rows = [
        {
            "id": global_id(Task, task.uid),
            "title": task.title,
            "status": task.status,
            "priority": task.priority,
            "dueOn": task.due_on,
            "project": _named(near[task.project_uid]),
            "assignee": _named(near[task.assignee_uid]) if task.assignee_uid else None,
            "comments": _comments([near[recent.uid] for recent in task.recent_comments[:3]], near),
        }
        for task in tasks
    ]
    return {"tasks": {"edges": [{"node": row} for row in rows], "pageInfo": page_info}}


def _comments(comments: Sequence[Comment], people: Mapping[str, User]) -> dict[str, Any]:
    rows = [
        {
            "id": global_id(Comment, comment.uid),
            "body": comment.body,
            "createdAt": comment.created_at,
            "author": _named(people[comment.created_by_uid]),
        }
        for comment in comments
    ]
    return {"edges": [{"node": row} for row in rows]}


def _named(thing: Project | User) -> dict[str, Any]:
    return {"id": global_id(type(thing), thing.uid), "name": thing.name}


async def _single(reader: Reader, variables: Mapping[str, str]) -> Any:
    uid = uid_of(Task, variables["task"])
    task: Task = (await reader.load({uid: Task}))[uid]
    fields = ("title", "status", "priority", "version")
    return {"task": {"id": global_id(Task, uid)} | {name: getattr(task, name) for name in fields}}


_ANSWERS = {"Flat": _flat, "Board": _board, "Single": _single}


async def answer(services: Services, tenant: str, body: bytes | str) -> bytes:
    """The response to a GraphQL request body, which is only asked for its operation's name."""
    request = orjson.loads(body)
    data = await _ANSWERS[request["operationName"]](Reader(services, tenant), request["variables"])
    return orjson.dumps({"data": data})
