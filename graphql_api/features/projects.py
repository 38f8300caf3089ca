"""Projects: what tasks belong to."""

import dataclasses
import unicodedata
from collections.abc import AsyncGenerator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, ClassVar

import strawberry

from graphql_api import inputs
from graphql_api.auth.identity import Role
from graphql_api.auth.permissions import at_least, require_role
from graphql_api.context import Info
from graphql_api.errors import ConflictError
from graphql_api.feature import Feature, once
from graphql_api.features.changes import ChangeEvent, listened_to
from graphql_api.features.users import User
from graphql_api.relay import READS_A_LIST, Connection, Node, connection, page_size, uid_of
from graphql_api.results import Problem
from graphql_api.store.entity import Entity, Placement, Topic
from graphql_api.store.idempotency import Mark
from graphql_api.store.keys import sort_key
from graphql_api.store.page import ListRange
from graphql_api.store.repository import Repository
from graphql_api.store.schema import Index
from graphql_api.task_lists import TaskFilter, TaskOrder, Whose, project_path, read_tasks, without_owner

if TYPE_CHECKING:
    from graphql_api.features.tasks.task import Task

ALL_PROJECTS: Topic = ("PROJECTS",)
PROJECTS = ListRange(Index.LISTING, (("PROJECTS",),))


@strawberry.type(description="A body of work.")
class Project(Node, Entity):
    kind: ClassVar[str] = "PROJECT"
    noun: ClassVar[str] = "Project"
    bounded_by: ClassVar[str | None] = "max_projects"
    removed_after: ClassVar[timedelta | None] = None

    name: str
    description: str | None = None
    archived: bool = strawberry.field(default=False, description="Takes no new tasks.")

    def placement(self) -> Placement:
        # Decomposed, so that an accent sorts beside its letter and not behind all of them.
        name = unicodedata.normalize("NFD", self.name.casefold())
        return Placement(listing_pk=("PROJECTS",), agenda_sk=sort_key(name, self.uid))

    def topics(self) -> Sequence[Topic]:
        return [ALL_PROJECTS, project_topic(self.uid)]

    def ends(self) -> Sequence[Topic]:
        return [project_path(self.uid)]

    @strawberry.field(permission_classes=[at_least(Role.VIEWER)])
    async def created_by(self, info: Info) -> User | None:
        return await info.context.repository.find(User, self.created_by_uid)

    @strawberry.field(
        description="The project's tasks, by position unless ordered otherwise.",
        permission_classes=[at_least(Role.VIEWER)],
        metadata=READS_A_LIST,
    )
    async def tasks(
        self,
        info: Info,
        filter: TaskFilter | None = None,
        order_by: TaskOrder | None = None,
        first: int | None = 20,
        after: str | None = None,
    ) -> Connection[Annotated["Task", strawberry.lazy("graphql_api.features.tasks.task")]]:
        wanted = without_owner(filter)
        return await read_tasks(info, Whose(project_uid=self.uid), wanted, order_by, first, after)


def project_topic(uid: str) -> Topic:
    """What happens to one project itself."""
    return ("PROJECT", uid)


@strawberry.input(description="A new project.")
class CreateProjectInput:
    name: str
    description: str | None = None
    idempotency_key: str | None = None


@strawberry.input(description="Changes to a project; what is left out stays. null empties the description.")
class UpdateProjectInput:
    id: strawberry.ID
    expected_version: int | None = None
    name: strawberry.Maybe[str | None]
    description: strawberry.Maybe[str | None]
    archived: strawberry.Maybe[bool | None]
    idempotency_key: str | None = None


@strawberry.input(description="An empty project to delete.")
class DeleteProjectInput:
    id: strawberry.ID
    expected_version: int | None = None
    idempotency_key: str | None = None


@strawberry.type
class CreateProjectPayload:
    project: Project


@strawberry.type
class UpdateProjectPayload:
    project: Project


@strawberry.type
class DeleteProjectPayload:
    project: Project = strawberry.field(description="As it was deleted.")


CreateProjectResult = Annotated[CreateProjectPayload | Problem, strawberry.union("CreateProjectResult")]
UpdateProjectResult = Annotated[UpdateProjectPayload | Problem, strawberry.union("UpdateProjectResult")]
DeleteProjectResult = Annotated[DeleteProjectPayload | Problem, strawberry.union("DeleteProjectResult")]


async def _create(repository: Repository, payload: CreateProjectInput, mark: Mark) -> Project:
    require_role(repository.stamp.actor, repository.stamp.actor.settings.project_role)
    project = repository.new(
        Project,
        name=inputs.line(payload.name, "name"),
        description=inputs.optional_text(payload.description, "description"),
    )
    await repository.commit(repository.put(project), leaves=[project], mark=mark)
    return project


async def _update(repository: Repository, payload: UpdateProjectInput, mark: Mark) -> Project:
    changes = inputs.patch(
        name=(payload.name, lambda given: inputs.line(inputs.present(given, "name"), "name")),
        description=(
            payload.description,
            lambda given: inputs.optional_text(given, "description"),
        ),
        archived=(payload.archived, lambda given: inputs.present(given, "archived")),
    )
    return await repository.update(
        await repository.fresh().get(Project, uid_of(Project, payload.id)),
        lambda project: dataclasses.replace(project, **changes),
        expected_version=payload.expected_version,
        mark=mark,
    )


async def _delete(repository: Repository, payload: DeleteProjectInput, mark: Mark) -> Project:
    project = await repository.fresh().get(Project, uid_of(Project, payload.id))
    tasks = ListRange(Index.BY_POSITION, (project_path(project.uid),))
    if not await repository.is_empty(tasks):
        raise ConflictError("The project still has tasks; move, delete or archive.", project)
    return await repository.update(
        project,
        lambda current: dataclasses.replace(current, deleted_at=repository.stamp.now()),
        expected_version=payload.expected_version,
        mark=mark,
    )


@strawberry.type
class ProjectQuery:
    @strawberry.field(description="One project, by its id.", permission_classes=[at_least(Role.VIEWER)])
    async def project(self, info: Info, id: strawberry.ID) -> Project | None:
        return await info.context.repository.get(Project, uid_of(Project, id))

    @strawberry.field(
        description="The tenant's projects, by name.",
        permission_classes=[at_least(Role.VIEWER)],
        metadata=READS_A_LIST,
    )
    async def projects(
        self, info: Info, first: int | None = 20, after: str | None = None
    ) -> Connection[Project]:
        page = await info.context.repository.page(Project, PROJECTS, page_size(first), after)
        return connection(page, after)


@strawberry.type
class ProjectMutation:
    @strawberry.mutation(
        description="Start a project. The tenant's settings say which role may.",
        permission_classes=[at_least(Role.MEMBER)],
    )
    async def create_project(self, info: Info, input: CreateProjectInput) -> CreateProjectResult | None:
        project = await once(info.context.repository, info, input, Project, _create, adds=1)
        return CreateProjectPayload(project=project)

    @strawberry.mutation(
        description="Rename, describe, archive or reopen a project.",
        permission_classes=[at_least(Role.MANAGER)],
    )
    async def update_project(self, info: Info, input: UpdateProjectInput) -> UpdateProjectResult | None:
        project = await once(info.context.repository, info, input, Project, _update)
        return UpdateProjectPayload(project=project)

    @strawberry.mutation(
        description="Delete a project that has no tasks left.",
        permission_classes=[at_least(Role.MANAGER)],
    )
    async def delete_project(self, info: Info, input: DeleteProjectInput) -> DeleteProjectResult | None:
        project = await once(info.context.repository, info, input, Project, _delete, adds=-1)
        return DeleteProjectPayload(project=project)


@strawberry.type(description="Something happened to a project.")
class ProjectChange(ChangeEvent):
    @strawberry.field(description="As the change left it; one that was deleted, as it was last.")
    def project(self) -> Project:
        return self.event.change.entity


@strawberry.type
class ProjectSubscription:
    @strawberry.subscription(
        description="Changes of all projects, or of one.",
        permission_classes=[at_least(Role.VIEWER)],
    )
    async def project_changed(
        self, info: Info, project_id: strawberry.ID | None = None, after: str | None = None
    ) -> AsyncGenerator[ProjectChange]:
        topic = ALL_PROJECTS
        if project_id is not None:
            topic = project_topic(await listened_to(info, Project, project_id, may_be_deleted=True))
        async for event in info.context.listen(topic, after):
            yield ProjectChange(event=event)


FEATURE = Feature(
    nodes=(Project,), query=ProjectQuery, mutation=ProjectMutation, subscription=ProjectSubscription
)
