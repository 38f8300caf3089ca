"""The Lambda runtime's Python: which one it is here, its wheels, its bytecode."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path

VERSION = "3.13"
GLIBC_MINORS = range(34, 16, -1)  # Lambda's python3.13 runs on Amazon Linux 2023, whose glibc is 2.34.
TASK_ROOT = "/var/task"  # where Lambda unpacks the package

_PROBE = f"""
import sys
if sys.implementation.name != "cpython" or sys.version_info[:2] != {tuple(map(int, VERSION.split(".")))}:
    sys.exit(1)
print(getattr(sys, "_base_executable", "") or sys.executable)
"""
# pip asks these of the machine it runs on, not of the one the wheels are for.
_OF_THE_MACHINE = re.compile(r";.*\b(platform_machine|platform_system|sys_platform|os_name)\b")


class MissingPythonError(Exception):
    """No Python of the runtime's version is installed; another one's bytecode would be useless there."""


class WheelsError(Exception):
    """The lock cannot be installed for the runtime."""


class CompileError(Exception):
    """A module is no Python of the runtime's version."""


class Architecture(StrEnum):
    """Lambda's names."""

    ARM64 = "arm64"
    X86_64 = "x86_64"

    @classmethod
    def of_machine(cls, machine: str) -> "Architecture":
        """What `platform.machine()` says; ValueError if it is neither."""
        return cls({"aarch64": "arm64", "amd64": "x86_64"}.get(machine.lower(), machine.lower()))

    @property
    def platforms(self) -> list[str]:
        """The tags of wheels that run there, the best first."""
        machine = "aarch64" if self is Architecture.ARM64 else "x86_64"
        tags = [f"manylinux_2_{minor}_{machine}" for minor in GLIBC_MINORS]
        return [*tags, f"manylinux2014_{machine}"]

    @property
    def elf_machine(self) -> bytes:
        """Bytes 18 and 19 of its shared objects."""
        return b"\xb7\x00" if self is Architecture.ARM64 else b"\x3e\x00"


def find_python(candidates: Iterable[str] | None = None) -> str:
    """A CPython of the runtime's version: this one, on PATH, or pyenv's. Raises MissingPythonError."""
    for candidate in _candidates() if candidates is None else candidates:
        # A pyenv shim may be on PATH and still refuse to run.
        probe = subprocess.run([candidate, "-I", "-c", _PROBE], capture_output=True, text=True, check=False)
        if probe.returncode == 0:
            return probe.stdout.strip()
    raise MissingPythonError(
        f"Python {VERSION}, the version of the Lambda runtime, is not installed: no python{VERSION} is on"
        f" PATH or in ~/.pyenv. The package holds bytecode, and only {VERSION} can write it."
    )


def _candidates() -> Iterator[str]:
    yield sys.executable
    if on_path := shutil.which(f"python{VERSION}"):
        yield on_path
    home = Path(os.environ.get("HOME", "/nonexistent"))
    yield from map(str, sorted(home.glob(f".pyenv/versions/{VERSION}*/bin/python3")))


def install(lock: Path, target: Path, architecture: Architecture, python: str) -> None:
    """The wheels of a hashed lock. Raises WheelsError."""
    check_markers(lock.read_text(encoding="utf-8"))
    platforms = [word for platform in architecture.platforms for word in ("--platform", platform)]
    command = [
        *(
            sys.executable,
            "-m",
            "pip",
            "--python",
            python,
            "--disable-pip-version-check",
            "install",
            "--quiet",
        ),
        *("--require-hashes", "--no-deps", "--only-binary=:all:", "--no-compile"),
        *("--python-version", VERSION, "--implementation", "cp", *platforms),
        *("--target", str(target), "--requirement", str(lock)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        errors = [line for line in done.stderr.splitlines() if not line.startswith("WARNING")]
        raise WheelsError("pip could not install the lock:\n" + "\n".join(errors))


def check_markers(lock: str) -> None:
    """Raises WheelsError if the lock asks what pip would answer for this machine."""
    asking = [line.split()[0] for line in lock.splitlines() if _OF_THE_MACHINE.search(line)]
    if asking:
        raise WheelsError(f"the lock chooses {', '.join(asking)} by the machine that builds the package")


def compile_modules(root: Path, python: str, *, beside_sources: bool = False) -> None:
    """Bytecode that is loaded unseen, its sources named as on Lambda. Raises CompileError.

    In `__pycache__`, or `beside_sources` where modules without a source are looked for.
    """
    command = [
        *(python, "-S", "-s", "-W", "ignore", "-m", "compileall", "-q", "-f"),
        *("--invalidation-mode", "unchecked-hash", "-s", str(root), "-p", TASK_ROOT),
        *(["-b"] if beside_sources else []),
        str(root),
    ]
    # Nothing else of the environment; one process, one order and one seed, for the same bytes.
    done = subprocess.run(command, env={"PYTHONHASHSEED": "0"}, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CompileError(done.stdout + done.stderr)
