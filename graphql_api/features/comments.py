"""Comments on tasks. A task keeps the ids of its latest ones, so a comment and its task change together."""

import dataclasses
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Annotated, ClassVar

import strawberry

from graphql_api import inputs
from graphql_api.auth.identity import Role
from graphql_api.auth.permissions import at_least
from graphql_api.context import Info
from graphql_api.errors import ConflictError, ForbiddenError
from graphql_api.feature import Feature, once
from graphql_api.features.changes import ChangeEvent, listened_to
from graphql_api.features.tasks.task import RECENT_COMMENTS, RecentComment, Task, comments_of
from graphql_api.features.users import User
from graphql_api.relay import Node, uid_of
from graphql_api.results import Problem
from graphql_api.store.entity import Entity, Placement, Topic
from graphql_api.store.idempotency import Mark
from graphql_api.store.repository import MAX_CONTENTION, Repository, StaleError
from graphql_api.store.uid import mirrored
from graphql_api.store.writes import Update, Write


@strawberry.type(description="Something said about a task.")
class Comment(Node, Entity):
    kind: ClassVar[str] = "COMMENT"
    noun: ClassVar[str] = "Comment"

    task_uid: strawberry.Private[str]
    body: str

    def placement(self) -> Placement:
        return Placement(listing_pk=comments_of(self.task_uid).partitions[0], agenda_sk=mirrored(self.uid))

    def topics(self) -> Sequence[Topic]:
        return [comments_of(self.task_uid).partitions[0]]

    @strawberry.field(permission_classes=[at_least(Role.VIEWER)])
    async def author(self, info: Info) -> User | None:
        return await info.context.repository.find(User, self.created_by_uid)

    @strawberry.field(permission_classes=[at_least(Role.VIEWER)])
    async def task(self, info: Info) -> Task:
        return await info.context.repository.get(Task, self.task_uid)


@strawberry.input(description="A new comment, by the caller.")
class AddCommentInput:
    task_id: strawberry.ID
    body: str
    idempotency_key: str | None = None


@strawberry.input(description="A comment's new words; its author or a manager may change them.")
class UpdateCommentInput:
    id: strawberry.ID
    body: str
    expected_version: int | None = None
    idempotency_key: str | None = None


@strawberry.input(description="A comment to take away; its author or a manager may.")
class DeleteCommentInput:
    id: strawberry.ID
    expected_version: int | None = None
    idempotency_key: str | None = None


@strawberry.type
class AddCommentPayload:
    comment: Comment


@strawberry.type
class UpdateCommentPayload:
    comment: Comment


@strawberry.type
class DeleteCommentPayload:
    comment: Comment = strawberry.field(description="As it was deleted.")


AddCommentResult = Annotated[AddCommentPayload | Problem, strawberry.union("AddCommentResult")]
UpdateCommentResult = Annotated[UpdateCommentPayload | Problem, strawberry.union("UpdateCommentResult")]
DeleteCommentResult = Annotated[DeleteCommentPayload | Problem, strawberry.union("DeleteCommentResult")]


def _recount(repository: Repository, task: Task, recent: list[RecentComment], by: int) -> tuple[Task, Update]:
    """The task with another set of comments, and its write: no new version, but guarded all the same."""
    counted = dataclasses.replace(
        task,
        recent_comments=recent[:RECENT_COMMENTS],
        comment_count=task.comment_count + by,
        comments_version=task.comments_version + 1,
        updated_by_uid=repository.stamp.actor.subject,
        request_id=repository.stamp.request_id,
    )
    return counted, repository.change(task, counted, guard="comments_version")


async def _commit_with_task(
    repository: Repository,
    task: Task,
    comment: Comment,
    writes: Callable[[Task], tuple[Task, list[Write]]],
    mark: Mark,
) -> Comment:
    """Commit a comment together with its task's list, again where another comment came in between."""
    for _ in range(MAX_CONTENTION):
        counted, commits = writes(task)
        try:
            await repository.commit(*commits, leaves=[comment, counted], mark=mark)
        except StaleError as stale:
            if not isinstance(stale.entity, Task):
                raise
            task = stale.entity
        else:
            return comment
    raise ConflictError("Too many comments at once; try again.", task)


def _with_latest(task: Task, comment: Comment) -> list[RecentComment]:
    """The task's recent comments with a new one, still the newest of all in order: two comments can be
    committed in another order than their ids were made in.
    """
    recent, latest = task.recent_comments, RecentComment(comment.uid, comment.created_by_uid)
    if recent and latest < recent[-1] and len(recent) < task.comment_count:
        return recent
    return sorted([latest, *recent], reverse=True)


async def _add(repository: Repository, payload: AddCommentInput, mark: Mark) -> Comment:
    task = await repository.fresh().get(Task, uid_of(Task, payload.task_id))
    comment = repository.new(Comment, task_uid=task.uid, body=inputs.prose(payload.body, "body"))

    def writes(now: Task) -> tuple[Task, list[Write]]:
        counted, recount = _recount(repository, now, _with_latest(now, comment), +1)
        return counted, [repository.put(comment), recount]

    return await _commit_with_task(repository, task, comment, writes, mark)


async def _own(repository: Repository, id: str) -> tuple[Comment, Task]:
    """A comment that the caller may change, and its task, which is not deleted."""
    fresh = repository.fresh()
    comment = await fresh.get(Comment, uid_of(Comment, id))
    task = await fresh.get(Task, comment.task_uid)
    caller = repository.stamp.actor
    if comment.created_by_uid != caller.subject and not caller.role.covers(Role.MANAGER):
        raise ForbiddenError("Only its author or a manager may change a comment.")
    return comment, task


async def _update(repository: Repository, payload: UpdateCommentInput, mark: Mark) -> Comment:
    body = inputs.prose(payload.body, "body")
    comment, _ = await _own(repository, payload.id)
    return await repository.update(
        comment,
        lambda now: dataclasses.replace(now, body=body),
        expected_version=payload.expected_version,
        mark=mark,
    )


async def _delete(repository: Repository, payload: DeleteCommentInput, mark: Mark) -> Comment:
    comment, task = await _own(repository, payload.id)
    if payload.expected_version not in (None, comment.version):
        raise StaleError(comment)
    deleted = repository.stamped(comment, deleted_at=repository.stamp.now())

    def writes(now: Task) -> tuple[Task, list[Write]]:
        recent = [other for other in now.recent_comments if other.uid != comment.uid]
        counted, recount = _recount(repository, now, recent, -1)
        return counted, [repository.change(comment, deleted), recount]

    try:
        return await _commit_with_task(repository, task, deleted, writes, mark)
    except StaleError:
        if payload.expected_version is not None:
            raise
        return await _delete(repository, payload, mark)


@strawberry.type
class CommentMutation:
    @strawberry.mutation(
        description="Say something about a task.",
        permission_classes=[at_least(Role.MEMBER)],
    )
    async def add_comment(self, info: Info, input: AddCommentInput) -> AddCommentResult | None:
        comment = await once(info.context.repository, info, input, Comment, _add)
        return AddCommentPayload(comment=comment)

    @strawberry.mutation(
        description="Change the words of a comment; its author or a manager may.",
        permission_classes=[at_least(Role.MEMBER)],
    )
    async def update_comment(self, info: Info, input: UpdateCommentInput) -> UpdateCommentResult | None:
        comment = await once(info.context.repository, info, input, Comment, _update)
        return UpdateCommentPayload(comment=comment)

    @strawberry.mutation(
        description="Take a comment away; its author or a manager may.",
        permission_classes=[at_least(Role.MEMBER)],
    )
    async def delete_comment(self, info: Info, input: DeleteCommentInput) -> DeleteCommentResult | None:
        comment = await once(info.context.repository, info, input, Comment, _delete)
        return DeleteCommentPayload(comment=comment)


@strawberry.type(description="Something happened to a comment.")
class CommentChange(ChangeEvent):
    @strawberry.field(description="As the change left it; one that was deleted, as it was last.")
    def comment(self) -> Comment:
        return self.event.change.entity


@strawberry.type
class CommentSubscription:
    @strawberry.subscription(
        description="Changes of the comments on a task.", permission_classes=[at_least(Role.VIEWER)]
    )
    async def comment_changed(
        self, info: Info, task_id: strawberry.ID, after: str | None = None
    ) -> AsyncGenerator[CommentChange]:
        task_uid = await listened_to(info, Task, task_id, may_be_deleted=True)
        async for event in info.context.listen(comments_of(task_uid).partitions[0], after):
            yield CommentChange(event=event)


FEATURE = Feature(nodes=(Comment,), mutation=CommentMutation, subscription=CommentSubscription)
