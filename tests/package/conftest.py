"""The package for this machine's processor, built once and unpacked."""

import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

import pytest

from bench.cold_start import ENVIRONMENT
from infra.package.archive import Archive
from infra.package.building import Staged, pack, prepare
from infra.package.runtime import Architecture, MissingPythonError, WheelsError, find_python


@dataclass(frozen=True, slots=True)
class Package:
    """Before it was packed, packed, and unpacked; and what runs it."""

    staged: Staged
    archive: Archive
    root: Path
    python: str

    def run(self, program: str, *arguments: str, environment: Mapping[str, str] = ENVIRONMENT) -> str:
        """What a program prints that finds the package and the standard library, and nothing else."""
        done = subprocess.run(
            [
                self.python,
                "-I",
                "-S",
                "-c",
                f"import sys; sys.path.append({str(self.root)!r})\n{program}",
                *arguments,
            ],
            env=dict(environment),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    if sys.platform != "linux":
        pytest.skip("the Lambda package was NOT TESTED: it runs on Linux alone")
    directory = tmp_path_factory.mktemp("package")
    try:
        staged = prepare(Architecture.of_machine(platform.machine()), directory)
    except MissingPythonError as missing:
        pytest.skip(f"the Lambda package was NOT TESTED: {missing}")
    except WheelsError as failed:
        # On a developer's machine the package index may be out of reach; in CI that is a failure.
        if os.environ.get("CI"):
            raise
        pytest.skip(f"the Lambda package was NOT TESTED: {failed}")
    archive = pack(staged, directory / "lambda.zip")
    with ZipFile(archive.path) as zipped:
        zipped.extractall(directory / "task")
    return Package(staged, archive, directory / "task", find_python())
