"""The command line: `python -m bench`, or `make bench`."""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench import report
from bench.installation import BenchInstallation
from bench.observation import observe
from bench.race import race
from bench.timing import QUICK, THOROUGH
from graphql_api.local.dynamodb import EmbeddedDynamoDB


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="one short round: everything runs, no figure counts"
    )
    quick: bool = parser.parse_args(arguments).quick
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        os.environ.setdefault(name, "local")
    with tempfile.TemporaryDirectory() as directory:
        with EmbeddedDynamoDB() as engine:
            installation = BenchInstallation(Path(directory), engine.endpoint)
            observation = observe(installation)
        # The engine has ended: from here on this process has the machine to itself.
        cases = race(installation, observation, QUICK if quick else THOROUGH)
    for line in (*report.machine(quick=quick), *report.cpu(cases), *report.calls(observation)):
        print(line)


if __name__ == "__main__":
    main(sys.argv[1:])
