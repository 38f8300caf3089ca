"""An input that has come to hold a tenant, and a mutation that obeys it."""

import strawberry

from graphql_api.auth.identity import Role
from graphql_api.auth.permissions import at_least
from graphql_api.context import Info
from graphql_api.feature import once
from graphql_api.features import FEATURES, projects
from graphql_api.features.projects import CreateProjectPayload, CreateProjectResult, Project, ProjectMutation
from graphql_api.schema import build_schema
from graphql_api.store.keys import tenant_family
from tests.isolation.mutants.reach import Patch


@strawberry.input(name="CreateProjectInput")
class _InputWithTenant:
    name: str
    description: str | None = None
    tenant: str | None = None
    idempotency_key: str | None = None


@strawberry.type
class _ObedientMutation(ProjectMutation):
    @strawberry.mutation(permission_classes=[at_least(Role.MANAGER)])
    async def create_project(self, info: Info, input: _InputWithTenant) -> CreateProjectResult | None:
        context = info.context
        slug = input.tenant or context.caller.tenant
        repository = context._repository(tenant_family(slug or ""))
        project = await once(repository, info, input, Project, projects._create)  # pyright: ignore[reportArgumentType]
        return CreateProjectPayload(project=project)


def mass_assignment(patch: Patch) -> None:
    """A tenant named in an input is the one that is written to."""
    planted = projects.Feature(nodes=(Project,), query=projects.ProjectQuery, mutation=_ObedientMutation)
    features = tuple(planted if each is projects.FEATURE else each for each in FEATURES)
    patch.setattr("graphql_api.bootstrap.build_schema", lambda: build_schema(features))
