import hashlib
import os
from pathlib import Path
from zipfile import ZipFile

import pytest

from infra.package.archive import write


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Not in the order of their names."""
    contents = {"b.py": b"b" * 1000, "a/c.so": b"c", "a-1.dist-info/METADATA": b"Name: a"}
    (tmp_path / "files").mkdir()
    paths = {name: tmp_path / "files" / str(number) for number, name in enumerate(contents)}
    for name, path in paths.items():
        path.write_bytes(contents[name])
    return paths


def test_order_times_and_permissions_of_the_files_do_not_matter(
    files: dict[str, Path], tmp_path: Path
) -> None:
    first = write(files, tmp_path / "first.zip")
    for number, path in enumerate(files.values()):
        path.chmod(0o700 + number)
        os.utime(path, (0, 0))

    second = write(dict(reversed(files.items())), tmp_path / "elsewhere" / "second.zip")

    assert first.path.read_bytes() == second.path.read_bytes()
    assert first.sha256 == second.sha256 == hashlib.sha256(first.path.read_bytes()).hexdigest()


def test_entries_are_sorted_readable_and_of_no_time(files: dict[str, Path], tmp_path: Path) -> None:
    with ZipFile(write(files, tmp_path / "a.zip").path) as zipped:
        entries = zipped.infolist()

    assert [entry.filename for entry in entries] == ["a-1.dist-info/METADATA", "a/c.so", "b.py"]
    assert [entry.external_attr >> 16 for entry in entries] == [0o100644, 0o100755, 0o100644]
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {entry.create_system for entry in entries} == {3}


def test_sizes_are_told_by_package(files: dict[str, Path], tmp_path: Path) -> None:
    archive = write(files, tmp_path / "a.zip")

    assert archive.unzipped == 1008
    assert archive.zipped == (tmp_path / "a.zip").stat().st_size
    assert set(archive.parts) == {"licences and versions", "a", "b.py"}
    assert archive.parts["b.py"] < 100


def test_a_build_that_fails_leaves_the_package_before_it(files: dict[str, Path], tmp_path: Path) -> None:
    output = tmp_path / "a.zip"
    before = write(files, output).sha256

    with pytest.raises(FileNotFoundError):
        write({**files, "z.py": tmp_path / "missing"}, output)

    assert hashlib.sha256(output.read_bytes()).hexdigest() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "files"]
