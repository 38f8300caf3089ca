"""Machine users: members of a tenant that are programs, and sign in with API keys."""

from typing import Annotated

import strawberry

from graphql_api import inputs
from graphql_api.audit.acts import audited
from graphql_api.audit.entry import AuditKind
from graphql_api.auth.identity import Role
from graphql_api.auth.permissions import at_least
from graphql_api.context import Info
from graphql_api.feature import Feature, once
from graphql_api.features.users import User, membership_writes, still_admin, tenant_role
from graphql_api.results import Problem
from graphql_api.store.idempotency import Mark
from graphql_api.store.repository import Repository

# RFC 2606 §2: no mail is ever delivered there.
DOMAIN = "machines.invalid"


@strawberry.input(description="A new machine user.")
class CreateMachineUserInput:
    name: str
    role: Role = Role.MEMBER
    idempotency_key: str | None = None


@strawberry.type
class CreateMachineUserPayload:
    user: User


CreateMachineUserResult = Annotated[
    CreateMachineUserPayload | Problem, strawberry.union("CreateMachineUserResult")
]


async def _create(repository: Repository, payload: CreateMachineUserInput, mark: Mark) -> User:
    uid = repository.stamp.new_uid()
    user = repository.new(
        User,
        uid=uid,
        name=inputs.line(payload.name, "name"),
        email=f"{uid}@{DOMAIN}",
        role=tenant_role(payload.role),
        is_machine=True,
    )
    writes = (*membership_writes(repository, user), still_admin(repository))
    await repository.commit(*writes, leaves=[user], mark=mark)
    return user


@strawberry.type
class MachineUserMutation:
    @strawberry.mutation(
        description="Add a member that is a program; `createApiKey` lets it in.",
        permission_classes=[at_least(Role.ADMIN)],
        extensions=[audited(AuditKind.ADMINISTRATION)],
    )
    async def create_machine_user(
        self, info: Info, input: CreateMachineUserInput
    ) -> CreateMachineUserResult | None:
        user = await once(info.context.repository, info, input, User, _create, adds=1)
        return CreateMachineUserPayload(user=user)


FEATURE = Feature(mutation=MachineUserMutation)
