"""An export put back where its tenant is no more: verified whole first, then written item by item.

The tenant is shut out meanwhile. The control table goes first, so that the log is there, under a new epoch,
before the stream tells of what is put into the data table: to the log that is an import like any other write.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace

from graphql_api.auth.plan import Tier
from graphql_api.changes.log import ChangeLog
from graphql_api.deadline import Deadline
from graphql_api.errors import ConflictError
from graphql_api.features.jobs.job import WrittenFile
from graphql_api.features.tenants import TenantRegistration, TenantStatus
from graphql_api.lifecycle.lines import TABLES, Line, from_line
from graphql_api.lifecycle.manifest import MANIFEST, BrokenExportError, Manifest, read_manifest
from graphql_api.sources import Sources
from graphql_api.store.codec import Item
from graphql_api.store.idempotency import UNMARKED
from graphql_api.store.inventory import some_of
from graphql_api.store.keys import SEPARATOR, tenant_family
from graphql_api.store.repository import Repository, together
from graphql_api.store.table import Table
from graphql_api.store.writes import Put

_AT_ONCE = 25
# Reads a file of the export by its name. Raises OSError.
Read = Callable[[str], bytes]


class Importer:
    """One tenant's import; `platform` registers it."""

    def __init__(
        self, sources: Sources, platform: Repository, slug: str, read: Read, deadline: Deadline
    ) -> None:
        self._slug = slug
        self._family = tenant_family(slug)
        self._platform = platform
        self._read = read
        self._tables = {
            "data": Table(sources.database, self._family, deadline),
            "control": sources.control(self._family, deadline),
        }
        self._log: ChangeLog = sources.change_log(self._family, deadline)

    async def run(self) -> int:
        """How many items were written. Raises BrokenExportError before anything is, and ConflictError where
        the tenant has anything; what was written before another failure has to be erased.
        """
        manifest = self._verified()
        await self._require_empty()
        await self._register(manifest)
        items = 0
        for table in reversed(TABLES):
            for file in manifest.files:
                if file.name.startswith(f"{table}-"):
                    items += await self._put(list(self._lines(file)))
            if table == "control":
                await self._log.begin_epoch()
        await self._amend(status=TenantStatus.ACTIVE)
        return items

    def _verified(self) -> Manifest:
        manifest = read_manifest(self._content(MANIFEST))
        if manifest.slug != self._slug:
            raise BrokenExportError(f"it is of {manifest.slug}")
        for file in manifest.files:
            if sum(1 for _ in self._lines(file)) != file.items:
                raise BrokenExportError(f"{file.name} does not have the items that the manifest says")
        return manifest

    def _lines(self, file: WrittenFile) -> Iterator[Line]:
        """The file's items. Raises BrokenExportError unless the file is what the manifest says."""
        content = self._content(file.name)
        if len(content) != file.size or hashlib.sha256(content).hexdigest() != file.sha256:
            raise BrokenExportError(f"{file.name} does not have the hash that the manifest says")
        prefix = self._family + SEPARATOR
        for text in content.splitlines():
            try:
                line = from_line(text)
            except (ValueError, LookupError, TypeError, AttributeError):
                raise BrokenExportError(f"{file.name} has a line that cannot be read") from None
            if not line.key.partition.startswith(prefix) or not file.name.startswith(f"{line.table}-"):
                raise BrokenExportError(f"{file.name} has what does not belong there")
            yield line

    def _content(self, name: str) -> bytes:
        try:
            return self._read(name)
        except OSError:
            raise BrokenExportError(f"{name} is not there") from None

    async def _require_empty(self) -> None:
        for table in self._tables.values():
            if await some_of(table, self._family, 1):
                raise ConflictError("The tenant has data; only one that has none can be imported.")

    async def _register(self, manifest: Manifest) -> None:
        facts = {
            "name": manifest.name,
            "plan": Tier(manifest.plan),
            "admin_uid": manifest.admin_uid,
            "status": TenantStatus.SUSPENDED,
        }
        standing = await self._platform.fresh().find(TenantRegistration, self._slug)
        if standing is None:
            registration = self._platform.new(TenantRegistration, uid=self._slug, **facts)
            await self._platform.commit(self._platform.put(registration), leaves=[registration])
        elif standing.erased_at is not None:
            await self._amend(**facts, erasure_begun_at=None, erased_at=None, erased_items=None)
        else:
            raise ConflictError("There is such a tenant; only one that was erased can be imported.")

    async def _amend(self, **changes: object) -> None:
        await self._platform.update(
            await self._platform.fresh().get(TenantRegistration, self._slug),
            lambda now: replace(now, **changes),
            expected_version=None,
            mark=UNMARKED,
        )

    async def _put(self, lines: list[Line]) -> int:
        for start in range(0, len(lines), _AT_ONCE):
            await together(
                self._tables[line.table].commit([Put(line.key, line.attributes, _taken)])
                for line in lines[start : start + _AT_ONCE]
            )
        return len(lines)


def _taken(_: Item | None) -> Exception:
    return ConflictError("Somebody else writes this tenant's data.")
