"""The command line: `python -m infra.package`, or `make package`."""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from infra.package.archive import Archive
from infra.package.building import ArchitectureError, build
from infra.package.contents import ContentsError
from infra.package.runtime import Architecture, CompileError, MissingPythonError, WheelsError

LIMIT = 15_000_000  # bytes, zipped: what is loaded at a cold start grows unseen otherwise


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m infra.package", description=__doc__)
    parser.add_argument(
        "--architecture", type=Architecture, choices=list(Architecture), default=Architecture.ARM64
    )
    parser.add_argument("--output", type=Path, default=Path("build/lambda.zip"))
    chosen = parser.parse_args(arguments)
    try:
        archive = build(chosen.architecture, chosen.output)
    except (ArchitectureError, CompileError, ContentsError, MissingPythonError, WheelsError) as refused:
        print(f"No package: {refused}", file=sys.stderr)
        return 1
    for line in report(archive, chosen.architecture):
        print(line)
    if archive.zipped > LIMIT:
        print(f"That is more than the {LIMIT / 1e6:.0f} MB it may be.", file=sys.stderr)
        return 1
    return 0


def report(archive: Archive, architecture: Architecture) -> Iterator[str]:
    """Sizes in MB of a million bytes."""
    zipped, unzipped = archive.zipped / 1e6, archive.unzipped / 1e6
    yield f"{archive.path} ({architecture}): {zipped:.1f} MB, unzipped {unzipped:.1f} MB"
    yield "The ten largest packages, zipped:"
    for name, size in Counter(archive.parts).most_common(10):
        yield f"  {size / 1e6:6.2f} MB  {name}"
    yield f"sha256 {archive.sha256}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
