"""export-tenant, import-tenant and erase-tenant: tenants as a whole from the command line, here or on AWS."""

import argparse
import asyncio
from collections.abc import Awaitable
from pathlib import Path
from uuid import uuid4

from graphql_api.auth.identity import Identity, Role
from graphql_api.bootstrap import Services
from graphql_api.deadline import Deadline
from graphql_api.errors import ApiError
from graphql_api.features.jobs.job import ExportProgress, Job, JobState
from graphql_api.features.jobs.mutations import begin_erasure, registered
from graphql_api.lifecycle.export import Exporter, ExportFailedError, items_of
from graphql_api.lifecycle.importing import Importer
from graphql_api.lifecycle.jobs import STEP_SECONDS, Jobs, platform_repository
from graphql_api.lifecycle.manifest import MANIFEST, BrokenExportError
from graphql_api.local.log_commands import LONGEST_SECONDS, services_here
from graphql_api.store.exports import write_whole
from graphql_api.store.idempotency import UNMARKED
from graphql_api.store.repository import Repository

_ROUND_SECONDS = 30.0
_PAUSE_SECONDS = 2.0


def export_tenant(arguments: argparse.Namespace) -> None:
    """Write a tenant's export into a directory; print how much it was."""
    asyncio.run(_told(_export(arguments.tenant, arguments.output)))


def import_tenant(arguments: argparse.Namespace) -> None:
    """Put an export back; print how much it was. SystemExit if it is broken or the tenant has data."""
    asyncio.run(_told(_import(arguments.tenant, arguments.input)))


def erase_tenant(arguments: argparse.Namespace) -> None:
    """Begin a tenant's erasure and stay until it is over; SystemExit unless the slug was given twice."""
    if arguments.confirm != arguments.tenant:
        raise SystemExit("--confirm takes the slug once more; it cannot be undone.")
    asyncio.run(_told(_erase(arguments.tenant)))


async def _told(work: Awaitable[str]) -> None:
    try:
        print(await work)
    except ApiError as error:
        raise SystemExit(error.message) from None
    except ExportFailedError as error:
        raise SystemExit(str(error)) from None
    except BrokenExportError as error:
        raise SystemExit(f"The export is broken: {error}.") from None


async def _export(slug: str, directory: Path) -> str:
    if (directory / MANIFEST).exists():
        raise SystemExit(f"There is an export in {directory} already.")
    async with services_here() as services:
        await registered(_platform(services), slug)

        async def write(name: str, content: bytes) -> None:
            await asyncio.to_thread(write_whole, directory / name, content)

        begun, deadline = services.sources.now(), Deadline.after(LONGEST_SECONDS)
        exporter = Exporter(services.sources, write, slug, begun=begun, deadline=deadline)
        progress = ExportProgress()
        while progress.manifest is None:
            progress = await exporter.step(progress)
    return (
        f"{items_of(progress)} items of {slug} in {len(progress.files)} files; {MANIFEST} has their hashes."
    )


async def _import(slug: str, directory: Path) -> str:
    def read(name: str) -> bytes:
        return (directory / name).read_bytes()

    async with services_here() as services:
        deadline = Deadline.after(LONGEST_SECONDS)
        items = await Importer(services.sources, _platform(services), slug, read, deadline).run()
    return f"{items} items of {slug} are back; it is open."


async def _erase(slug: str) -> str:
    async with services_here() as services:
        await services.gateway.open()
        try:
            job = await begin_erasure(_platform(services), slug, UNMARKED)
            print(f"{slug} is shut out; erasing it takes two minutes at least.", flush=True)
            while job.state is JobState.RUNNING:
                deadline = Deadline.after(STEP_SECONDS + _ROUND_SECONDS)
                await Jobs(services.realtime, uuid4().hex, deadline).run()
                await asyncio.sleep(_PAUSE_SECONDS)
                job = await _platform(services).get(Job, job.uid)
        finally:
            await services.gateway.close()
    return f"{job.items} items of {slug} erased; nothing is left of it but its slug."


def _platform(services: Services) -> Repository:
    operator = Identity("operator", Role.PLATFORM, None, 0)
    return platform_repository(services.sources, operator, uuid4().hex, Deadline.after(LONGEST_SECONDS))
