"""A zip whose bytes depend on its contents alone."""

import hashlib
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the least a zip can say
_UNIX = 3


@dataclass(frozen=True, slots=True)
class Archive:
    """What was written; sizes in bytes."""

    path: Path
    sha256: str
    unzipped: int
    parts: Mapping[str, int]
    """Zipped, by what stands first in an entry's path."""

    @property
    def zipped(self) -> int:
        return self.path.stat().st_size


def write(files: Mapping[str, Path], output: Path) -> Archive:
    """Zip the files under the names given. What was at `output` stays until the new one is whole."""
    output.parent.mkdir(parents=True, exist_ok=True)
    unfinished = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        with ZipFile(unfinished, "w") as archive:
            for name in sorted(files):
                archive.writestr(_entry(name), files[name].read_bytes(), ZIP_DEFLATED, compresslevel=9)
            entries = archive.infolist()
        unfinished.replace(output)
    finally:
        unfinished.unlink(missing_ok=True)
    parts: Counter[str] = Counter()
    for entry in entries:
        parts[_part(entry.filename)] += entry.compress_size
    digest = hashlib.sha256(output.read_bytes()).hexdigest()
    return Archive(output, digest, sum(entry.file_size for entry in entries), parts)


def _entry(name: str) -> ZipInfo:
    entry = ZipInfo(name, _EPOCH)
    entry.create_system = _UNIX
    entry.external_attr = (0o100755 if name.endswith(".so") else 0o100644) << 16
    return entry


def _part(name: str) -> str:
    first = name.partition("/")[0]
    return "licences and versions" if first.endswith(".dist-info") else first
