"""Jobs, shown to the platform's operators, and to administrators those of their tenant."""

import strawberry

from graphql_api.auth.identity import Role
from graphql_api.auth.permissions import at_least
from graphql_api.context import Info
from graphql_api.errors import NotFoundError
from graphql_api.features.jobs.job import JOBS, Job, jobs_of
from graphql_api.relay import READS_A_LIST, Connection, connection, page_size, uid_of


@strawberry.type
class JobQuery:
    @strawberry.field(
        description="A job by its id: how far it has come.",
        permission_classes=[at_least(Role.ADMIN, or_platform=True)],
    )
    async def job(self, info: Info, id: strawberry.ID) -> Job | None:
        job = await info.context.jobs.get(Job, uid_of(Job, id))
        if info.context.caller.tenant not in (None, job.slug):
            raise NotFoundError(Job.noun)
        return job

    @strawberry.field(
        description="All jobs, the latest first; for administrators, those of their tenant.",
        permission_classes=[at_least(Role.ADMIN, or_platform=True)],
        metadata=READS_A_LIST,
    )
    async def jobs(self, info: Info, first: int | None = 20, after: str | None = None) -> Connection[Job]:
        slug = info.context.caller.tenant
        wanted = JOBS if slug is None else jobs_of(slug)
        return connection(await info.context.jobs.page(Job, wanted, page_size(first), after), after)
