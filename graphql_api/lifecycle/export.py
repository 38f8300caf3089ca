"""Writing all that a tenant has into files, one bounded file at a time.

A file holds items of one table and one shard of the inventory, sorted by key, and where it ends depends on
what it holds alone: who exports the same twice writes the same files. The data table goes first, so that the
log tells at least of all that the data shows. Nothing is held still meanwhile; a suspended tenant is.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime

from graphql_api.changes.verify import Anchor
from graphql_api.deadline import Deadline
from graphql_api.features.jobs.job import ExportProgress
from graphql_api.features.tenants import TenantRegistration
from graphql_api.lifecycle.lines import TABLES, Line, to_line
from graphql_api.lifecycle.manifest import MANIFEST, manifest_text, written
from graphql_api.sources import Sources
from graphql_api.store.codec import decode
from graphql_api.store.entity import key_of
from graphql_api.store.inventory import PASSING, kind_of, listed
from graphql_api.store.keys import FIRST, INVENTORY_SHARDS, PLATFORM, tenant_family
from graphql_api.store.table import Table

MAX_FILE_ITEMS = 2_000
MAX_FILE_BYTES = 8_000_000
MAX_FILES = 2_500  # They are all in the job's item, which takes 400 KB (DynamoDB).
_CHUNK = 25  # Each can be a segment of 300 KB; BatchGetItem answers 16 MB at most.


# Keeps a file of the export by its name; what is written again replaces what was there.
Write = Callable[[str, bytes], Awaitable[None]]


class ExportFailedError(Exception):
    """The export cannot become whole, however often it is tried; the message says why."""


class Exporter:
    """One tenant's export, for one invocation; what a step did is in the progress it returns."""

    def __init__(
        self, sources: Sources, write: Write, slug: str, *, begun: datetime, deadline: Deadline
    ) -> None:
        self._family = tenant_family(slug)
        self._slug = slug
        self._write = write
        self._begun = begun
        self._now = sources.now
        self._tables = (
            Table(sources.database, self._family, deadline),
            sources.control(self._family, deadline),
        )
        self._registry = Table(sources.database, PLATFORM, deadline)
        self._log = sources.change_log(self._family, deadline)

    async def step(self, progress: ExportProgress) -> ExportProgress:
        """Write the next file; at last the manifest. Raises ExportFailedError."""
        if not progress.log_start:
            progress = replace(progress, log_start=await self._end_of_log())
        if progress.table == len(TABLES):
            return await self._finish(progress)
        if len(progress.files) == MAX_FILES:
            raise ExportFailedError("The tenant has more than an export can list.")
        lines, behind = await self._lines(progress)
        if lines:
            content = b"".join(to_line(line) for line in sorted(lines, key=_by_key))
            name = self._name(progress)
            await self._write(name, content)
            progress = replace(progress, files=[*progress.files, written(name, content, len(lines))])
        if behind is not None:
            return replace(progress, behind=behind)
        shard = (progress.shard + 1) % INVENTORY_SHARDS
        return replace(progress, table=progress.table + (shard == 0), shard=shard, behind="")

    async def _lines(self, progress: ExportProgress) -> tuple[list[Line], str | None]:
        """The items of the next file, and where it ends in its shard; None at the shard's end."""
        table, lines, size = self._tables[progress.table], list[Line](), 0
        behind = progress.behind or FIRST
        while len(lines) < MAX_FILE_ITEMS and size < MAX_FILE_BYTES:
            found = await listed(table, self._family, progress.shard, _CHUNK, behind)
            keys = [one.key for one in found if kind_of(one.key) not in PASSING]
            items = await table.batch_get(keys, consistent=True) if keys else {}
            added = [Line(TABLES[progress.table], key, item) for key, item in items.items()]
            lines += added
            size += sum(len(to_line(line)) for line in added)
            if len(found) < _CHUNK:
                return lines, None
            behind = found[-1].place
        return lines, behind

    async def _finish(self, progress: ExportProgress) -> ExportProgress:
        key = key_of(PLATFORM, TenantRegistration, self._slug)
        item = (await self._registry.batch_get([key], consistent=True)).get(key)
        registration = decode(TenantRegistration, item) if item else None
        if registration is None or registration.erasure_begun_at is not None:
            raise ExportFailedError("The tenant was erased meanwhile.")
        end = await self._end_of_log()
        content = manifest_text(registration, progress, end, self._begun, self._now())
        await self._write(MANIFEST, content)
        return replace(progress, manifest=written(MANIFEST, content, items_of(progress)))

    async def _end_of_log(self) -> str:
        head = await self._log.head()
        return str(Anchor(head.sequence, head.hash))

    def _name(self, progress: ExportProgress) -> str:
        start = f"{TABLES[progress.table]}-{progress.shard}-"
        number = 1 + sum(file.name.startswith(start) for file in progress.files)
        return f"{start}{number:04}.ndjson"


def items_of(progress: ExportProgress) -> int:
    """How many items were written so far."""
    return sum(file.items for file in progress.files)


def _by_key(line: Line) -> tuple[str, str]:
    return line.key.partition, line.key.sort
