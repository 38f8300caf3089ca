"""The command line: `python -m bench`, or `make bench`."""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench import report
from bench.cold_start import cold_start
from bench.fanout.measurement import measure
from bench.fanout.report import fanout
from bench.installation import BenchInstallation
from bench.observation import observe
from bench.overload import overload
from bench.race import race
from bench.timing import QUICK, THOROUGH
from graphql_api.local.dynamodb import EmbeddedDynamoDB

PARTS = ("requests", "fanout", "coldstart", "overload")


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="one short round: everything runs, no figure counts"
    )
    parser.add_argument("--only", choices=PARTS, help="one part alone")
    chosen = parser.parse_args(arguments)
    quick: bool = chosen.quick
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        os.environ.setdefault(name, "local")
    for line in report.machine(quick=quick):
        print(line, flush=True)
    with tempfile.TemporaryDirectory() as directory:
        for name, part in zip(PARTS, (_requests, _fanout, cold_start, overload), strict=True):
            if chosen.only in (None, name):
                for line in part(Path(directory), quick=quick):
                    print(line, flush=True)


def _requests(directory: Path, *, quick: bool) -> Iterator[str]:
    with EmbeddedDynamoDB() as engine:
        installation = BenchInstallation(directory, engine.endpoint)
        observation = observe(installation)
    # The engine has ended: from here on this process has the machine to itself.
    cases = race(installation, observation, QUICK if quick else THOROUGH)
    yield from report.cpu(cases)
    yield from report.calls(observation)


def _fanout(directory: Path, *, quick: bool) -> Iterator[str]:
    yield from fanout(measure(directory, quick=quick))


if __name__ == "__main__":
    main(sys.argv[1:])
