"""A tenant's own workflow: the states of its tasks and the moves between them."""

import strawberry

from graphql_api.audit.acts import audited
from graphql_api.audit.entry import AuditKind
from graphql_api.auth.identity import Role
from graphql_api.auth.permissions import at_least
from graphql_api.context import Info
from graphql_api.feature import Feature, once
from graphql_api.features.workflows.change import (
    UpdateWorkflowInput,
    UpdateWorkflowPayload,
    UpdateWorkflowResult,
    update,
)
from graphql_api.features.workflows.workflow import WORKFLOW_UID, Workflow


@strawberry.type
class WorkflowQuery:
    @strawberry.field(
        description="The workflow of the tenant's tasks.",
        permission_classes=[at_least(Role.VIEWER)],
    )
    async def workflow(self, info: Info) -> Workflow:
        return await info.context.repository.get(Workflow, WORKFLOW_UID)


@strawberry.type
class WorkflowMutation:
    @strawberry.mutation(
        description="Replace the workflow. A state that tasks are in needs a replacement. Moving many "
        "tasks can take several calls: after DEADLINE_EXCEEDED repeat it, without expectedVersion.",
        permission_classes=[at_least(Role.ADMIN)],
        extensions=[audited(AuditKind.ADMINISTRATION)],
    )
    async def update_workflow(self, info: Info, input: UpdateWorkflowInput) -> UpdateWorkflowResult | None:
        workflow = await once(info.context.repository, info, input, Workflow, update)
        return UpdateWorkflowPayload(workflow=workflow)


FEATURE = Feature(nodes=(Workflow,), query=WorkflowQuery, mutation=WorkflowMutation)
