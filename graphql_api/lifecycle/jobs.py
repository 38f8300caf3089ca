"""Advancing what is under way, step by step, each kept before the next: who is stopped is taken up there."""

import logging
from typing import Any

from graphql_api.auth.identity import Identity, Role
from graphql_api.deadline import Deadline
from graphql_api.errors import ApiError
from graphql_api.features.jobs.job import (
    RUNNING,
    ErasureProgress,
    ExportProgress,
    Job,
    JobKind,
    JobState,
)
from graphql_api.lifecycle.erasure import Eraser
from graphql_api.lifecycle.export import Exporter, ExportFailedError, items_of
from graphql_api.realtime.services import RealtimeServices
from graphql_api.sources import Sources
from graphql_api.store.keys import PLATFORM, tenant_family
from graphql_api.store.repository import Repository, StaleError, Stamp
from graphql_api.store.table import Table
from graphql_api.telemetry import log_fields

MAX_JOBS = 100  # that one invocation looks at
STEP_SECONDS = 10.0  # No step is begun with less time than this.

_log = logging.getLogger(__name__)


class Jobs:
    """All running jobs, for one invocation: each takes a step in turn, for as long as there is time."""

    def __init__(self, services: RealtimeServices, request_id: str, deadline: Deadline) -> None:
        worker = Identity("jobs", Role.PLATFORM, None, 0)
        self._services = services
        self._deadline = deadline
        self._platform = platform_repository(services.sources, worker, request_id, deadline)

    async def run(self) -> int:
        """Advance the jobs until they are done, wait, or time is up; how many steps that were."""
        page = await self._platform.page(Job, RUNNING, MAX_JOBS, None)
        waiting, steps = [job.uid for job in page.items], 0
        while waiting:
            going_on: list[str] = []
            for uid in waiting:
                if self._deadline.remaining() < STEP_SECONDS:
                    return steps
                has_more = await self._advance(uid)
                steps += 1
                if has_more:
                    going_on.append(uid)
            waiting = going_on
        return steps

    async def _advance(self, uid: str) -> bool:
        """Whether the job can take its next step at once. One job's failure is no other's."""
        job = await self._platform.fresh().get(Job, uid)
        if job.state is not JobState.RUNNING:
            return False
        with log_fields(tenant=job.slug):
            try:
                return await self._step(job)
            except StaleError:
                return False  # Another invocation is at it.
            except ApiError as error:
                _log.warning("A job waits for its next turn.", extra={"code": error.code})
            except Exception:  # noqa: BLE001 - the boundary: the next minute tries again, and is told of
                _log.exception("A job failed unexpectedly, and is tried again.")
        return False

    async def _step(self, job: Job) -> bool:
        changes = await (self._export(job) if job.work is JobKind.EXPORT else self._erase(job))
        if changes is None:
            return False
        if changes.get("state", JobState.RUNNING) is not JobState.RUNNING:
            changes["finished_at"] = self._services.sources.now()
        after = self._platform.stamped(job, **changes)
        await self._platform.commit(self._platform.change(job, after), leaves=[after])
        return after.state is JobState.RUNNING

    async def _export(self, job: Job) -> dict[str, Any]:
        sources = self._services.sources

        async def write(name: str, content: bytes) -> None:
            await sources.exports.write(tenant_family(job.slug), f"{job.uid}/{name}", content)

        exporter = Exporter(sources, write, job.slug, begun=job.created_at, deadline=self._deadline)
        try:
            progress = await exporter.step(job.export or ExportProgress())
        except ExportFailedError as failed:
            return {"state": JobState.FAILED, "failure": str(failed)}
        state = JobState.RUNNING if progress.manifest is None else JobState.DONE
        return {"export": progress, "items": items_of(progress), "state": state}

    async def _erase(self, job: Job) -> dict[str, Any] | None:
        eraser = Eraser(
            self._services, self._platform, job.slug, begun=job.created_at, deadline=self._deadline
        )
        progress = await eraser.step(job.erasure or ErasureProgress())
        if progress is None:
            return None
        state = JobState.DONE if progress.is_over else JobState.RUNNING
        return {"erasure": progress, "items": progress.erased, "state": state}


def platform_repository(sources: Sources, actor: Identity, request_id: str, deadline: Deadline) -> Repository:
    """What the platform owns, for work that no request asks for."""
    stamp = Stamp(actor, request_id, sources.now, sources.new_uid)
    table = Table(sources.database, PLATFORM, deadline)
    return Repository(table, PLATFORM, sources.cursors, stamp)
