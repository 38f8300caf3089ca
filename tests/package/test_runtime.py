import sys
from pathlib import Path

import pytest

from infra.package.__main__ import main
from infra.package.building import ArchitectureError, check_architecture
from infra.package.runtime import (
    Architecture,
    CompileError,
    MissingPythonError,
    WheelsError,
    check_markers,
    compile_modules,
    find_python,
    install,
)

UNCHECKED = (1).to_bytes(4, "little")  # PEP 552: the hash of the source is there, and not looked at


def script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_a_shim_that_refuses_to_run_is_passed_over(tmp_path: Path) -> None:
    shim, python = script(tmp_path / "shim", "exit 127"), script(tmp_path / "python", "echo /found/python")

    assert find_python([shim, python]) == "/found/python"


def test_without_the_runtimes_python_the_build_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingPythonError, match=r"Python 3\.13, the version of the Lambda runtime"):
        find_python([script(tmp_path / "shim", "exit 1")])


def test_the_command_says_why_there_is_no_package(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def missing(*_: object) -> None:
        raise MissingPythonError("Python 3.13 is not installed")

    monkeypatch.setattr("infra.package.__main__.build", missing)

    assert main(["--output", str(tmp_path / "lambda.zip")]) == 1
    assert capsys.readouterr().err == "No package: Python 3.13 is not installed\n"


def test_wheels_are_for_amazon_linux_2023_or_older() -> None:
    tags = Architecture.ARM64.platforms

    assert tags[0] == "manylinux_2_34_aarch64"
    assert {"manylinux_2_28_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64"} <= set(tags)
    assert "manylinux_2_35_aarch64" not in tags
    assert not [tag for tag in Architecture.X86_64.platforms if not tag.endswith("x86_64")]


@pytest.mark.parametrize(
    ("machine", "architecture"),
    [("aarch64", "arm64"), ("arm64", "arm64"), ("x86_64", "x86_64"), ("AMD64", "x86_64")],
)
def test_a_machine_has_lambdas_name(machine: str, architecture: str) -> None:
    assert Architecture.of_machine(machine) is Architecture(architecture)


@pytest.mark.parametrize("name", ["platform_machine", "sys_platform", "platform_system", "os_name"])
def test_a_lock_that_asks_for_the_building_machine_is_refused(name: str) -> None:
    with pytest.raises(WheelsError, match="a==1"):
        check_markers(f"b==2 \\\na==1 ; python_version < '4' and {name} == 'x' \\\n    --hash=sha256:00")


def test_a_lock_may_ask_for_the_python(tmp_path: Path) -> None:
    check_markers("a==1 ; python_version < '3.12' \\\n    # sys_platform is nothing here")


def test_a_wheel_without_a_hash_is_refused(tmp_path: Path) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text("six==1.17.0\n")

    with pytest.raises(WheelsError, match="--require-hashes"):
        install(lock, tmp_path / "target", Architecture.ARM64, sys.executable)


def test_bytecode_is_not_compared_with_its_source_and_names_lambdas_path(tmp_path: Path) -> None:
    module = tmp_path / "package" / "module.py"
    module.parent.mkdir()
    module.write_text("def f(): pass\n")

    compile_modules(tmp_path, sys.executable)

    (compiled,) = (module.parent / "__pycache__").iterdir()
    assert compiled.read_bytes()[4:8] == UNCHECKED
    assert b"/var/task/package/module.py" in compiled.read_bytes()
    assert str(tmp_path).encode() not in compiled.read_bytes()


def test_bytecode_of_a_library_takes_the_place_of_its_source(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text("x = 1\n")

    compile_modules(tmp_path, sys.executable, beside_sources=True)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["module.py", "module.pyc"]


def test_a_module_that_does_not_compile_ends_the_build(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text("def f(:\n")

    with pytest.raises(CompileError, match=r"module\.py"):
        compile_modules(tmp_path, sys.executable)


@pytest.mark.parametrize(
    "header",
    [b"\x7fELF" + bytes(14) + b"\x3e\x00", b"\xcf\xfa\xed\xfe" + bytes(14) + b"\xb7\x00", b""],
    ids=["x86_64", "no ELF", "empty"],
)
def test_a_shared_object_for_other_processors_ends_the_build(header: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.so").write_bytes(header)

    with pytest.raises(ArchitectureError, match=r"a\.so is not for arm64"):
        check_architecture(tmp_path, Architecture.ARM64)


def test_a_shared_object_for_the_right_processors_passes(tmp_path: Path) -> None:
    (tmp_path / "a.so").write_bytes(b"\x7fELF" + bytes(14) + b"\xb7\x00")

    check_architecture(tmp_path, Architecture.ARM64)
