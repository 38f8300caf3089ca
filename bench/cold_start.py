"""What a Lambda function's start costs: its handler imported from the real package by a fresh Python 3.13."""

import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import NamedTuple
from zipfile import ZipFile

from bench.tenant import BenchError
from bench.timing import Case, Spread
from infra.package.archive import Archive
from infra.package.building import pack, prepare
from infra.package.runtime import Architecture, MissingPythonError, WheelsError, find_python

# What the template gives a function. At import it connects to none of it.
ENVIRONMENT = {
    "PROFILE": "production",
    "TABLE_NAME": "table",
    "CONTROL_TABLE_NAME": "control",
    "JWT_ISSUER": "https://issuer.example.com",
    "JWT_AUDIENCE": "api",
    "JWKS_URL": "https://issuer.example.com/jwks.json",
    "ALLOWED_ORIGINS": "",
    "LOG_RETENTION_DAYS": "400",
    "CONNECTIONS_ENDPOINT": "https://api.execute-api.us-east-1.amazonaws.com/live",
    "CURSOR_SECRET_ARN": "arn:aws:secretsmanager:us-east-1:123456789012:secret:cursors",
    "TENANT_ROLE_ARN": "arn:aws:iam::123456789012:role/tenant",
    "PLATFORM_ROLE_ARN": "arn:aws:iam::123456789012:role/platform",
    "AWS_LAMBDA_FUNCTION_NAME": "bench",
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "bench",
    "AWS_SECRET_ACCESS_KEY": "bench",
}
DOORS = ("http", "websocket", "stream", "sweep")
LIBRARIES = ("strawberry", "aiobotocore.session", "starlette.applications", "mangum", "jwt", "orjson")
FLOOR = 1
ROUNDS = 11
PACKAGE, SOURCES = "package", "sources"
_BYTECODE = shutil.ignore_patterns("*.pyc", "__pycache__")
_TITLE = 28
_CELLS = (20, 20, 7, 20)

# CPU and wall seconds since the process began, and the bytes it then holds.
_START = """
import sys
began, path, *modules = sys.argv[1:]
sys.path.append(path)
for name in modules:
    __import__(name)
import os, time
cpu, wall = time.process_time(), time.monotonic() - float(began)
with open("/proc/self/statm") as statm:
    print(cpu, wall, int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE"))
"""


class Cost(NamedTuple):
    """Seconds, seconds, bytes."""

    cpu: float
    wall: float
    resident: float


@dataclass(frozen=True, slots=True)
class Start:
    """What a fresh process imports, from which directory."""

    title: str
    directory: Path
    modules: tuple[str, ...]

    def __call__(self, python: str) -> Cost:
        """Raises BenchError if the import fails."""
        command = [python, "-I", "-S", "-B", "-c", _START, str(time.monotonic()), str(self.directory)]
        done = subprocess.run(
            [*command, *self.modules], env=ENVIRONMENT, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise BenchError(f"{self.title} does not start: {done.stderr}")
        return Cost(*map(float, done.stdout.split()))


def starts(directory: Path) -> list[Start]:
    """The floors first."""
    package, sources = directory / PACKAGE, directory / SOURCES
    return [
        Start("bare Python", package, ()),
        Start("strawberry, botocore", package, ("strawberry", "botocore.session")),
        Start("all libraries we import", package, LIBRARIES),
        *(Start(door, package, (f"graphql_api.handlers.{door}",)) for door in DOORS),
        Start("http without bytecode", sources, ("graphql_api.handlers.http",)),
    ]


def race(contenders: Sequence[Start], python: str, rounds: int) -> list[list[Cost]]:
    """The costs of each, one for every round; every other round runs backwards."""
    for contender in contenders:
        contender(python)  # Its files are in memory from here on.
    costs: list[list[Cost]] = [[] for _ in contenders]
    for number in range(rounds):
        for place in list(range(len(contenders)))[:: -1 if number % 2 else 1]:
            costs[place].append(contenders[place](python))
    return costs


def cold_start(directory: Path, *, quick: bool) -> Iterator[str]:
    """The report. Builds the package for this machine's processor."""
    yield "\nCold start: what a fresh process imports from the package, its settings being there"
    try:
        python = find_python()
        archive = unpacked(directory)
    except (BenchError, MissingPythonError, WheelsError) as missing:
        yield f"  NO FIGURES: {missing}."
        return
    version = subprocess.run([python, "-V"], capture_output=True, text=True, check=True).stdout.strip()
    yield f"  {version}; {archive.zipped / 1e6:.1f} MB zipped, {archive.unzipped / 1e6:.1f} MB unzipped"
    contenders = starts(directory)
    yield from table(contenders, race(contenders, python, 1 if quick else ROUNDS))


def unpacked(directory: Path) -> Archive:
    """The package as Lambda unpacks it, and once more as if it had been packed without bytecode."""
    if sys.platform != "linux":
        raise BenchError("the package runs on Linux alone")
    with tempfile.TemporaryDirectory(dir=directory) as scratch:
        staged = prepare(Architecture.of_machine(platform.machine()), Path(scratch))
        archive = pack(staged, directory / "lambda.zip")
        for part in (staged.libraries, staged.product):
            shutil.copytree(part, directory / SOURCES, ignore=_BYTECODE, dirs_exist_ok=True)
    with ZipFile(archive.path) as zipped:
        zipped.extractall(directory / PACKAGE)
    return archive


def table(contenders: Sequence[Start], costs: Sequence[Sequence[Cost]]) -> Iterator[str]:
    """Medians, with the least and the greatest; ratios to the floor compare starts of the same round."""
    cpu = Case("", [[cost.cpu for cost in each] for each in costs])
    yield f"  {len(costs[0])} rounds; the floor is {contenders[FLOOR].title}"
    yield _row("", "CPU ms", "wall ms", "MB", "CPU / floor")
    for place, (contender, each) in enumerate(zip(contenders, costs, strict=True)):
        yield _row(
            contender.title,
            _milliseconds([cost.cpu for cost in each]),
            _milliseconds([cost.wall for cost in each]),
            f"{median(cost.resident for cost in each) / 1e6:.0f}",
            _spread(cpu.ratio(place, to=FLOOR), "{:.2f}"),
        )


def _row(title: str, *cells: str) -> str:
    return f"  {title:{_TITLE}}" + "".join(
        f"{cell:>{width}}" for cell, width in zip(cells, _CELLS, strict=True)
    )


def _milliseconds(seconds: Sequence[float]) -> str:
    return _spread(Spread.of([each * 1000 for each in seconds]), "{:,.0f}")


def _spread(spread: Spread, form: str) -> str:
    middle, low, high = (form.format(value) for value in (spread.middle, spread.low, spread.high))
    return f"{middle} ({low}-{high})"
