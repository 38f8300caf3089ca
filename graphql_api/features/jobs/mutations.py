"""Beginning an export or an erasure; the function of every minute does the work."""

from typing import Annotated

import strawberry

from graphql_api.audit.acts import audited
from graphql_api.audit.entry import AuditKind
from graphql_api.auth.identity import TENANT_SLUG, Identity, Role
from graphql_api.auth.permissions import at_least
from graphql_api.context import Info
from graphql_api.errors import ConflictError, InvalidInputError, NotFoundError
from graphql_api.feature import once
from graphql_api.features.jobs.job import Job, JobKind, JobState, jobs_of
from graphql_api.features.tenants import TenantRegistration, TenantStatus
from graphql_api.metering.field_rates import FieldRate, Per
from graphql_api.results import Problem
from graphql_api.store.idempotency import Mark
from graphql_api.store.repository import Repository


@strawberry.input(description="All that a tenant has, to be written into files.")
class ExportTenantInput:
    slug: str | None = strawberry.field(default=None, description="For operators; your own needs none.")
    idempotency_key: str | None = None


@strawberry.input(description="A tenant to erase: all that it has, for good.")
class EraseTenantInput:
    slug: str
    confirm: str = strawberry.field(description="The slug once more.")
    idempotency_key: str | None = None


@strawberry.type
class ExportTenantPayload:
    job: Job


@strawberry.type
class EraseTenantPayload:
    job: Job


ExportTenantResult = Annotated[ExportTenantPayload | Problem, strawberry.union("ExportTenantResult")]
EraseTenantResult = Annotated[EraseTenantPayload | Problem, strawberry.union("EraseTenantResult")]


async def registered(jobs: Repository, slug: str) -> TenantRegistration:
    """What the platform keeps of a tenant. Raises NotFoundError; ConflictError where it is being erased."""
    if not TENANT_SLUG.match(slug):
        raise NotFoundError(TenantRegistration.noun)
    registration = await jobs.fresh().get(TenantRegistration, slug)
    if registration.erasure_begun_at is not None:
        raise ConflictError("The tenant is being erased, or was.")
    return registration


def _slug(caller: Identity, given: str | None) -> str:
    """Whose export is meant. Raises NotFoundError for another tenant's than the caller's own."""
    if caller.tenant is None and given is None:
        raise InvalidInputError("An operator says which tenant's.", "slug")
    if caller.tenant is not None and given not in (None, caller.tenant):
        raise NotFoundError(TenantRegistration.noun)
    return given or caller.tenant or ""


async def _require_idle(jobs: Repository, slug: str) -> None:
    latest = await jobs.page(Job, jobs_of(slug), 1, None)
    if any(job.state is JobState.RUNNING for job in latest.items):
        raise ConflictError("An export of the tenant is being written.")


def _new(jobs: Repository, work: JobKind, slug: str) -> Job:
    # All tenants' jobs are in one family: no tenant's uid meets another's there.
    return jobs.new(Job, uid=f"{slug}.{jobs.stamp.new_uid()}", work=work, slug=slug)


async def _export(jobs: Repository, payload: ExportTenantInput, mark: Mark) -> Job:
    slug = _slug(jobs.stamp.actor, payload.slug)
    await registered(jobs, slug)
    await _require_idle(jobs, slug)
    job = _new(jobs, JobKind.EXPORT, slug)
    await jobs.commit(jobs.put(job), leaves=[job], mark=mark)
    return job


async def _erase(platform: Repository, payload: EraseTenantInput, mark: Mark) -> Job:
    if payload.confirm != payload.slug:
        raise InvalidInputError("confirm is the slug once more.", "confirm")
    return await begin_erasure(platform, payload.slug, mark)


async def begin_erasure(platform: Repository, slug: str, mark: Mark) -> Job:
    """The job; from here on the tenant is shut out, whatever becomes of it. Raises as `registered` does."""
    registration = await registered(platform, slug)
    await _require_idle(platform, slug)
    shut_out = {"status": TenantStatus.SUSPENDED, "erasure_begun_at": platform.stamp.now()}
    erasing = platform.stamped(registration, **shut_out)
    job = _new(platform, JobKind.ERASURE, slug)
    await platform.commit(
        platform.put(job), platform.change(registration, erasing), leaves=[job, erasing], mark=mark
    )
    return job


@strawberry.type
class JobMutation:
    @strawberry.mutation(
        description="Write all that a tenant has into files, with a manifest of their hashes.",
        permission_classes=[at_least(Role.ADMIN, or_platform=True)],
        extensions=[audited(AuditKind.EXPORT)],
        metadata={"rates": [FieldRate(Per.USER, burst=30, per_minute=1)]},
    )
    async def export_tenant(self, info: Info, input: ExportTenantInput) -> ExportTenantResult | None:
        return ExportTenantPayload(job=await once(info.context.jobs, info, input, Job, _export))

    @strawberry.mutation(
        description="Shut a tenant out and erase all that it has. It cannot be undone.",
        permission_classes=[at_least(Role.PLATFORM)],
        extensions=[audited(AuditKind.ADMINISTRATION)],
    )
    async def erase_tenant(self, info: Info, input: EraseTenantInput) -> EraseTenantResult | None:
        return EraseTenantPayload(job=await once(info.context.platform, info, input, Job, _erase))
