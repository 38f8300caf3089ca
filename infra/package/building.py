"""From the checkout and its lock to the zip."""

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from infra.package import archive, contents
from infra.package.runtime import Architecture, compile_modules, find_python, install

ROOT = Path(__file__).parents[2]
LOCK = "requirements/runtime.txt"
PRODUCT = "graphql_api"


class ArchitectureError(Exception):
    """An extension module is for other processors."""


@dataclass(frozen=True, slots=True)
class Staged:
    """Two directories, each with its sources and their bytecode."""

    libraries: Path
    product: Path


def build(architecture: Architecture, output: Path, root: Path = ROOT) -> archive.Archive:
    """Write the package of the checkout at `root`. Raises what the steps raise, and then writes nothing."""
    with tempfile.TemporaryDirectory(prefix="lambda-package-") as scratch:
        return pack(prepare(architecture, Path(scratch), root), output)


def prepare(architecture: Architecture, scratch: Path, root: Path = ROOT) -> Staged:
    """Install, choose and compile, all below `scratch`."""
    python = find_python()
    wheels, staged = scratch / "wheels", Staged(scratch / "libraries", scratch / "product")
    install(root / LOCK, wheels, architecture, python)
    copy(wheels, contents.chosen(_paths(wheels)), staged.libraries)
    copy(root, product_paths(root), staged.product)
    check_architecture(staged.libraries, architecture)
    compile_modules(staged.libraries, python, beside_sources=True)
    compile_modules(staged.product, python)
    return staged


def pack(staged: Staged, output: Path) -> archive.Archive:
    """The libraries go without their sources: a fifth of the zip, and their versions are pinned."""
    libraries = {path: file for path, file in _files(staged.libraries).items() if not path.endswith(".py")}
    return archive.write(libraries | _files(staged.product), output)


def product_paths(root: Path) -> list[str]:
    """What of the product goes in, relative to the checkout."""
    paths = (f"{PRODUCT}/{path}" for path in _paths(root / PRODUCT))
    return contents.chosen(paths, left_out=contents.PRODUCT_LEFT_OUT, kept=contents.PRODUCT_KEPT)


def copy(source: Path, paths: Iterable[str], target: Path) -> None:
    """Copy what is needed of the files."""
    for path in paths:
        copy = target / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(contents.trimmed(path, (source / path).read_bytes()))


def check_architecture(directory: Path, architecture: Architecture) -> None:
    """Raises ArchitectureError if a shared object is not an ELF file for it."""
    for path in directory.rglob("*.so"):
        with path.open("rb") as file:
            header = file.read(20)
        if header[:4] != b"\x7fELF" or header[18:20] != architecture.elf_machine:
            raise ArchitectureError(f"{path.relative_to(directory)} is not for {architecture}")


def _paths(directory: Path) -> list[str]:
    return [path.relative_to(directory).as_posix() for path in directory.rglob("*") if not path.is_dir()]


def _files(directory: Path) -> dict[str, Path]:
    return {path: directory / path for path in _paths(directory)}
