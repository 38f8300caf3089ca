"""What an export consists of: its files with their hashes, whose it is, and where the change log stood."""

import hashlib
import json
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from graphql_api.features.jobs.job import ExportProgress, WrittenFile
from graphql_api.features.tenants import TenantRegistration
from graphql_api.lifecycle.lines import VERSION

MANIFEST = "manifest.json"


class BrokenExportError(Exception):
    """An export is not what was written; the message says what is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Of one export; `log_start` and `log_end` are like SEQUENCE:HASH, as verify-log takes them."""

    slug: str
    name: str
    plan: str
    admin_uid: str
    log_start: str
    log_end: str
    files: tuple[WrittenFile, ...]


def manifest_text(
    registration: TenantRegistration, progress: ExportProgress, log_end: str, begun: datetime, ended: datetime
) -> bytes:
    """The manifest as it is written: JSON for people too."""
    items: Counter[str] = Counter()
    for file in progress.files:
        items[file.name.partition("-")[0]] += file.items
    parts: dict[str, Any] = {
        "version": VERSION,
        "tenant": {
            "slug": registration.uid,
            "name": registration.name,
            "plan": registration.plan,
            "adminUid": registration.admin_uid,
        },
        "begun": begun.isoformat(),
        "ended": ended.isoformat(),
        "log": {"start": progress.log_start, "end": log_end},
        "items": dict(sorted(items.items())),
        "files": [asdict(file) for file in progress.files],
    }
    return json.dumps(parts, indent=2, ensure_ascii=False).encode() + b"\n"


def read_manifest(text: bytes) -> Manifest:
    """The reverse. Raises BrokenExportError."""
    try:
        parts = json.loads(text)
        if parts["version"] != VERSION:
            raise BrokenExportError(f"it is of version {parts['version']}, not {VERSION}")
        tenant = parts["tenant"]
        return Manifest(
            slug=tenant["slug"],
            name=tenant["name"],
            plan=tenant["plan"],
            admin_uid=tenant["adminUid"],
            log_start=parts["log"]["start"],
            log_end=parts["log"]["end"],
            files=tuple(WrittenFile(**file) for file in parts["files"]),
        )
    except (ValueError, LookupError, TypeError, AttributeError):
        raise BrokenExportError(f"{MANIFEST} cannot be read") from None


def written(name: str, content: bytes, items: int) -> WrittenFile:
    """What a manifest says of a file."""
    digest = hashlib.sha256(content).hexdigest()
    return WrittenFile(name=name, size=len(content), items=items, sha256=digest)
