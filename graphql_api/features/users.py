"""The people of a tenant: who they are, their role, and whether they may come in."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, ClassVar

import strawberry

from graphql_api import inputs
from graphql_api.audit.acts import audited
from graphql_api.audit.entry import AuditKind
from graphql_api.auth.identity import Role
from graphql_api.auth.permissions import at_least
from graphql_api.context import Info
from graphql_api.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from graphql_api.feature import Feature, once
from graphql_api.relay import READS_A_LIST, Connection, Node, connection, page_size, uid_of
from graphql_api.results import Problem
from graphql_api.store.entity import Entity, Placement, key_of
from graphql_api.store.idempotency import Mark
from graphql_api.store.keys import sort_key
from graphql_api.store.page import ListRange
from graphql_api.store.repository import Repository
from graphql_api.store.schema import Index
from graphql_api.store.writes import Check, Condition, Put
from graphql_api.task_lists import TaskFilter, TaskOrder, Whose, read_tasks, without_owner

if TYPE_CHECKING:
    from graphql_api.features.tasks.task import Task

USERS = ListRange(Index.LISTING, (("USERS",),))


@strawberry.enum(description="Whether a person may come in; who is INVITED may once they have accepted.")
class UserStatus(StrEnum):
    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    INVITED = "INVITED"


@strawberry.type(description="A member of the tenant.")
class User(Node, Entity):
    kind: ClassVar[str] = "USER"
    noun: ClassVar[str] = "User"
    bounded_by: ClassVar[str | None] = "max_users"

    name: str
    email: str
    role: Role
    status: UserStatus = UserStatus.ACTIVE
    is_machine: bool = strawberry.field(default=False, description="A program; its address reaches nobody.")
    invited_until: datetime | None = strawberry.field(
        default=None, description="Until when the present invitation can be accepted."
    )
    has_joined: strawberry.Private[bool] = True

    def placement(self) -> Placement:
        return Placement(listing_pk=("USERS",), agenda_sk=sort_key(self.email, self.uid))

    @strawberry.field(
        description="The tasks assigned to this person: open ones by due date, then completed ones.",
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
        return await read_tasks(info, Whose(assignee_uid=self.uid), wanted, order_by, first, after)


@dataclass(kw_only=True)
class EmailAddress(Entity):
    """Holds an address for one user: its key is the address, so a second holder cannot be stored."""

    kind: ClassVar[str] = "EMAIL"
    noun: ClassVar[str] = "E-mail address"
    is_logged: ClassVar[bool] = False

    user_uid: str


def membership_writes(repository: Repository, user: User) -> Sequence[Put]:
    """The writes that add a user and hold the address for them."""
    address = repository.new(EmailAddress, uid=user.email, user_uid=user.uid)
    taken = ConflictError("Somebody in this tenant has this e-mail address already.")
    return repository.put(user), repository.put(address, lambda: taken)


@strawberry.input(description="A member's new role; nobody changes their own.")
class SetUserRoleInput:
    id: strawberry.ID
    role: Role
    expected_version: int | None = None
    idempotency_key: str | None = None


@strawberry.input(description="A member to keep out.")
class SuspendUserInput:
    id: strawberry.ID
    expected_version: int | None = None
    idempotency_key: str | None = None


@strawberry.input(description="A suspended member to let in again.")
class ReactivateUserInput:
    id: strawberry.ID
    expected_version: int | None = None
    idempotency_key: str | None = None


@strawberry.type
class SetUserRolePayload:
    user: User


@strawberry.type
class SuspendUserPayload:
    user: User


@strawberry.type
class ReactivateUserPayload:
    user: User


SetUserRoleResult = Annotated[SetUserRolePayload | Problem, strawberry.union("SetUserRoleResult")]
SuspendUserResult = Annotated[SuspendUserPayload | Problem, strawberry.union("SuspendUserResult")]
ReactivateUserResult = Annotated[ReactivateUserPayload | Problem, strawberry.union("ReactivateUserResult")]


def tenant_role(role: Role) -> Role:
    """A role that a member can have. Raises InvalidInputError for PLATFORM."""
    if role is Role.PLATFORM:
        raise InvalidInputError("PLATFORM is not a role inside a tenant.", "role")
    return role


def still_admin(repository: Repository) -> Check:
    """That the caller is an administrator in the moment of a change of people."""
    return still(repository, Role.ADMIN)


def still(repository: Repository, role: Role) -> Check:
    """The caller's own record, as it must be in the moment of a change of people: roles are known to the door
    for up to a minute after they were taken away.
    """
    return Check(
        key_of(repository.family, User, repository.stamp.actor.subject),
        Condition(
            "(#role = :role OR #role = :admin) AND #status = :active",
            {"#role": "role", "#status": "status"},
            {
                ":role": {"S": role.value},
                ":admin": {"S": Role.ADMIN.value},
                ":active": {"S": UserStatus.ACTIVE.value},
            },
        ),
        lambda _: ForbiddenError("Your own role has changed in the meantime."),
    )


async def _set_role(repository: Repository, payload: SetUserRoleInput, mark: Mark) -> User:
    role = tenant_role(payload.role)
    return await _change(repository, payload, mark, lambda user: dataclasses.replace(user, role=role))


async def _suspend(repository: Repository, payload: SuspendUserInput, mark: Mark) -> User:
    return await _change(
        repository,
        payload,
        mark,
        lambda user: dataclasses.replace(user, status=UserStatus.SUSPENDED, invited_until=None),
    )


async def _reactivate(repository: Repository, payload: ReactivateUserInput, mark: Mark) -> User:
    """Whoever never accepted an invitation needs one still."""
    return await _change(
        repository,
        payload,
        mark,
        lambda user: dataclasses.replace(
            user, status=UserStatus.ACTIVE if user.has_joined else UserStatus.INVITED
        ),
    )


async def _change(
    repository: Repository,
    payload: SetUserRoleInput | SuspendUserInput | ReactivateUserInput,
    mark: Mark,
    change: Callable[[User], User],
) -> User:
    """Change somebody else's role or status. An administrator stays one while changing another, so at
    least one is always left, whoever else is being changed at the same moment.
    """
    uid = uid_of(User, payload.id)
    if uid == repository.stamp.actor.subject:
        raise InvalidInputError("Somebody else has to change this for you.", "id")
    unchanged = still_admin(repository)
    return await repository.update(
        await repository.fresh().get(User, uid),
        change,
        expected_version=payload.expected_version,
        mark=mark,
        also=lambda _: [unchanged],
    )


@strawberry.type
class UserQuery:
    @strawberry.field(description="You.", permission_classes=[at_least(Role.VIEWER)])
    async def viewer(self, info: Info) -> User:
        return await info.context.repository.get(User, info.context.caller.subject)

    @strawberry.field(
        description="The tenant's members, by e-mail address.",
        permission_classes=[at_least(Role.VIEWER)],
        metadata=READS_A_LIST,
    )
    async def users(self, info: Info, first: int | None = 20, after: str | None = None) -> Connection[User]:
        page = await info.context.repository.page(User, USERS, page_size(first), after)
        return connection(page, after)

    @strawberry.field(
        description="The member with this e-mail address.",
        permission_classes=[at_least(Role.VIEWER)],
    )
    async def user(self, info: Info, email: str) -> User | None:
        repository = info.context.repository
        address = await repository.find(EmailAddress, inputs.email(email))
        if address is None:
            raise NotFoundError(User.noun)
        return await repository.get(User, address.user_uid)


@strawberry.type
class UserMutation:
    @strawberry.mutation(
        description="Give a member another role; a lower one takes effect within a minute.",
        permission_classes=[at_least(Role.ADMIN)],
        extensions=[audited(AuditKind.ADMINISTRATION)],
    )
    async def set_user_role(self, info: Info, input: SetUserRoleInput) -> SetUserRoleResult | None:
        user = await once(info.context.repository, info, input, User, _set_role)
        return SetUserRolePayload(user=user)

    @strawberry.mutation(
        description="Keep a member out, and end an invitation; takes effect within a minute.",
        permission_classes=[at_least(Role.ADMIN)],
        extensions=[audited(AuditKind.ADMINISTRATION)],
    )
    async def suspend_user(self, info: Info, input: SuspendUserInput) -> SuspendUserResult | None:
        user = await once(info.context.repository, info, input, User, _suspend)
        return SuspendUserPayload(user=user)

    @strawberry.mutation(
        description="Let a suspended member in again; takes effect within a minute. "
        "Who has never accepted an invitation needs a new one.",
        permission_classes=[at_least(Role.ADMIN)],
        extensions=[audited(AuditKind.ADMINISTRATION)],
    )
    async def reactivate_user(self, info: Info, input: ReactivateUserInput) -> ReactivateUserResult | None:
        user = await once(info.context.repository, info, input, User, _reactivate)
        return ReactivateUserPayload(user=user)


FEATURE = Feature(nodes=(User,), query=UserQuery, mutation=UserMutation)
