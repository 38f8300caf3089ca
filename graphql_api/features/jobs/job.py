"""A job: what is to be done with which tenant, how far it has come, and what it left."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import ClassVar

import strawberry

from graphql_api.context import Info
from graphql_api.errors import ForbiddenError
from graphql_api.relay import global_id
from graphql_api.store.entity import Entity, Placement
from graphql_api.store.keys import sort_key, tenant_family
from graphql_api.store.page import ListRange
from graphql_api.store.schema import Index

JOBS = ListRange(Index.LISTING, (("JOBS",),))
RUNNING = ListRange(Index.BY_POSITION, (("JOBS", "RUNNING"),))
_LAST_SECOND = 10**11


@strawberry.enum(description="What a job does.")
class JobKind(StrEnum):
    EXPORT = "EXPORT"
    ERASURE = "ERASURE"


@strawberry.enum(description="FAILED says why, and is not tried again.")
class JobState(StrEnum):
    RUNNING = "RUNNING"
    DONE = "DONE"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenFile:
    """One file of an export: how many bytes and items it has, and its SHA-256 in hex."""

    name: str
    size: int
    items: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportProgress:
    """The next file begins in that table (by number) and shard of it, behind that place; `log_start` is where
    the change log stood at the beginning, as `SEQUENCE:HASH`. `manifest` is there once all is written.
    """

    table: int = 0
    shard: int = 0
    behind: str = ""
    log_start: str = ""
    files: list[WrittenFile] = field(default_factory=list[WrittenFile])
    manifest: WrittenFile | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureProgress:
    """`erased` items so far; `empty_at`: when a pass found nothing for the first time since one last did."""

    erased: int = 0
    empty_at: datetime | None = None
    is_over: bool = False


@strawberry.type(description="A file of an export.")
class ExportFile:
    job: strawberry.Private["Job"]
    written: strawberry.Private[WrittenFile]

    @strawberry.field
    def name(self) -> str:
        return self.written.name

    @strawberry.field(description="In bytes.")
    def size(self) -> int:
        return self.written.size

    @strawberry.field
    def sha256(self) -> str:
        return self.written.sha256

    @strawberry.field(description="Where to fetch it; ask anew after five minutes.")
    async def url(self, info: Info) -> str:
        family = tenant_family(self.job.slug)
        return await info.context.exports.url(family, f"{self.job.uid}/{self.written.name}")


@strawberry.type(description="Long work on a tenant.")
class Job(Entity):
    kind: ClassVar[str] = "JOB"
    noun: ClassVar[str] = "Job"
    is_logged: ClassVar[bool] = False

    work: JobKind
    slug: str = strawberry.field(description="The tenant's.")
    state: JobState = JobState.RUNNING
    items: int = strawberry.field(default=0, description="Written or erased so far.")
    failure: str | None = None
    finished_at: datetime | None = None
    export: strawberry.Private[ExportProgress | None] = None
    erasure: strawberry.Private[ErasureProgress | None] = None

    def placement(self) -> Placement:
        is_running = self.state is JobState.RUNNING
        return Placement(
            listing_pk=("JOBS",),
            assignee_pk=("JOBS", self.slug),
            agenda_sk=sort_key(_newest_first(self.created_at), self.uid),
            project_pk=("JOBS", "RUNNING") if is_running else None,
            position_sk=sort_key(self.uid) if is_running else None,
        )

    @strawberry.field
    def id(self) -> strawberry.ID:
        return global_id(Job, self.uid)

    @strawberry.field(
        description="A file of a finished export, for the tenant's administrators; the manifest names the "
        "others. Files are kept for a week."
    )
    async def file(self, info: Info, name: str = "manifest.json") -> ExportFile | None:
        if info.context.caller.tenant != self.slug:
            raise ForbiddenError("The platform's operators have no access to tenants' data.")
        if self.export is None or self.export.manifest is None:
            return None
        written = [one for one in (self.export.manifest, *self.export.files) if one.name == name]
        return ExportFile(written=written[0], job=self) if written else None


def jobs_of(slug: str) -> ListRange:
    """The list of a tenant's jobs, the latest first."""
    return ListRange(Index.ASSIGNEE_AGENDA, (("JOBS", slug),))


def _newest_first(at: datetime) -> str:
    return f"{_LAST_SECOND * 1000 - int(at.astimezone(UTC).timestamp() * 1000):014}"
