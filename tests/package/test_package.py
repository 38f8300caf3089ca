import json
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from zipfile import ZipFile

import pytest
from botocore.session import get_session

from bench.cold_start import cold_start, starts
from infra.package.__main__ import LIMIT, main, report
from infra.package.runtime import Architecture
from tests.package.conftest import Package
from tests.test_architecture import project_files

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
# What the functions call, said once more: the package must not decide it by itself.
CALLED = ("apigatewaymanagementapi", "dynamodb", "secretsmanager", "sqs", "sts")
HASHED_UNCHECKED = 1  # PEP 552
# One of each kind of partition.
REGIONS = ("us-east-1", "eu-central-1", "cn-north-1", "us-gov-west-1", "us-iso-east-1", "eusc-de-east-1")

IMPORT = """
import importlib, os
def refuse(event, arguments):
    if event in {"socket.connect", "socket.getaddrinfo"}:
        raise RuntimeError(f"{event} at import")
sys.addaudithook(refuse)
assert callable(importlib.import_module(sys.argv[1]).handler)
homes = (sys.path[-1], os.path.dirname(os.__file__))
files = [getattr(module, "__file__", None) or homes[0] for module in sys.modules.values()]
print(*[file for file in files if not file.startswith(homes)])
"""
CLIENTS = """
import asyncio, json
from aiobotocore.session import get_session
async def endpoints(wanted):
    session, found = get_session(), []
    for service, region in wanted:
        async with session.create_client(service, region_name=region) as client:
            found.append(client.meta.endpoint_url)
    return found
print(json.dumps(asyncio.run(endpoints(json.loads(sys.argv[1])))))
"""
OTHER_SERVICE = """
from aiobotocore.session import get_session
from botocore.exceptions import UnknownServiceError
try:
    get_session().create_client("s3", region_name="us-east-1").__aenter__().send(None)
except UnknownServiceError as missing:
    print(missing)
"""
VERSIONS = """
from importlib.metadata import distributions
for found in distributions(path=sys.path[-1:]):
    print(found.metadata["Name"], found.version)
"""


def contents(package: Package) -> dict[str, bytes]:
    with ZipFile(package.archive.path) as zipped:
        return {name: zipped.read(name) for name in zipped.namelist()}


def test_another_build_elsewhere_has_the_same_bytes(package: Package, tmp_path: Path) -> None:
    for directory in ("graphql_api", "infra/package", "requirements"):
        shutil.copytree(ROOT / directory, tmp_path / directory, ignore=shutil.ignore_patterns("static"))
    (tmp_path / "scratch").mkdir()
    others = {"TZ": "Asia/Tokyo", "PYTHONHASHSEED": "7", "LC_ALL": "C", "TMPDIR": str(tmp_path / "scratch")}
    architecture = Architecture.of_machine(os.uname().machine)

    subprocess.run(
        [sys.executable, "-m", "infra.package", "--architecture", architecture, "--output", "other.zip"],
        cwd=tmp_path,
        env=dict(os.environ) | others,
        umask=0o077,
        check=True,
        capture_output=True,
    )

    assert (tmp_path / "other.zip").read_bytes() == package.archive.path.read_bytes()


def test_the_sources_are_those_of_the_checkout(package: Package) -> None:
    """A file that git ignores, or one that is missing, is found here."""
    left_out = re.compile(r"graphql_api/(local/|__main__\.py)")
    expected = {n for n in project_files() if n.startswith("graphql_api/") and not left_out.match(n)}

    assert {name for name in contents(package) if name.endswith(".py")} == expected


def test_nothing_of_development_goes_in(package: Package) -> None:
    names = list(contents(package))

    assert {name.partition("/")[0] for name in names}.isdisjoint({"tests", "bench", "infra", "bin", "boto3"})
    assert [name for name in names if re.match(r"graphql_api/(.*/)?(local|static|__main__)\b", name)] == []
    assert {Path(name).suffix for name in names if ".dist-info/" not in name} == {
        *(".py", ".pyc", ".so", ".json", ".gz", ".pem", "")
    }


def test_the_sdk_has_the_data_of_our_services_alone(package: Package) -> None:
    data = [name.split("/")[2] for name in contents(package) if name.startswith("botocore/data/")]

    assert {name for name in data if not name.endswith(".json")} == set(CALLED)


def test_every_module_has_bytecode_that_is_not_compared_with_its_source(package: Package) -> None:
    magic = bytes.fromhex(package.run("import importlib.util; print(importlib.util.MAGIC_NUMBER.hex())"))
    files = contents(package)
    headers = {name: content[:8] for name, content in files.items() if name.endswith(".pyc")}
    compiled = {re.sub(r"__pycache__/(.*)\.cpython-313\.pyc", r"\1.py", name) for name in headers}

    assert set(headers.values()) == {magic + HASHED_UNCHECKED.to_bytes(4, "little")}
    assert compiled >= {name for name in files if name.endswith(".py")}
    assert {"six.pyc", "botocore/session.pyc", "strawberry/__init__.pyc"} <= compiled


def test_no_path_of_this_machine_is_inside(package: Package) -> None:
    paths = [str(ROOT), sys.prefix, str(Path(package.python).parents[1]), "/lambda-package-"]
    found = {
        (name, path)
        for name, content in contents(package).items()
        for path in paths
        if path not in ("/", "/usr") and path.encode() in content
    }

    assert found == set()


def test_bytecode_names_the_files_as_they_lie_on_lambda(package: Package) -> None:
    wrong = [
        name
        for name, content in contents(package).items()
        if name.endswith(".pyc")
        if f"/var/task/{re.sub(r'__pycache__/|.cpython-313', '', name)[:-1]}".encode() not in content
    ]

    assert wrong == []


@pytest.mark.parametrize("door", ["http", "websocket", "stream", "sweep"])
def test_a_handler_needs_the_package_and_the_standard_library_alone(package: Package, door: str) -> None:
    """And connects to nothing when it is imported."""
    assert package.run(IMPORT, f"graphql_api.handlers.{door}").strip() == ""


def test_clients_of_our_services_find_the_endpoints_of_the_whole_sdk(package: Package) -> None:
    wanted = [(service, region) for service in CALLED for region in REGIONS]
    whole = get_session()

    endpoints = json.loads(package.run(CLIENTS, json.dumps(wanted)))

    assert endpoints == [whole.create_client(*names).meta.endpoint_url for names in wanted]


def test_there_is_no_client_of_another_service(package: Package) -> None:
    assert "Unknown service: 's3'" in package.run(OTHER_SERVICE)


def test_what_the_lock_names_is_there_with_its_version(package: Package) -> None:
    lock = (ROOT / "requirements" / "runtime.txt").read_text(encoding="utf-8")
    locked = set(re.findall(r"^([\w.-]+)==([\w.]+)", lock, re.MULTILINE))
    found = {tuple(line.split()) for line in package.run(VERSIONS).splitlines()}

    assert {(re.sub(r"[-_.]+", "-", name).lower(), number) for name, number in found} == locked
    assert ("aiobotocore", version("aiobotocore")) in locked


def test_without_its_settings_a_function_does_not_start(package: Package) -> None:
    program = "import graphql_api.handlers.http"
    with pytest.raises(AssertionError, match="TABLE_NAME is not set"):
        package.run(program, environment={})


def test_it_is_small(package: Package) -> None:
    assert 5_000_000 < package.archive.zipped <= LIMIT
    assert package.archive.unzipped <= 3 * LIMIT


def test_too_large_a_package_fails_the_command(
    package: Package, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("infra.package.__main__.build", lambda *_: package.archive)
    assert main([]) == 0
    monkeypatch.setattr("infra.package.__main__.LIMIT", package.archive.zipped - 1)

    assert main([]) == 1
    assert "more than the" in capsys.readouterr().err


def test_the_report_tells_sizes_the_largest_packages_and_the_hash(package: Package) -> None:
    lines = list(report(package.archive, Architecture.ARM64))

    assert re.search(r"lambda\.zip \(arm64\): [\d.]+ MB, unzipped [\d.]+ MB", lines[0])
    assert "cryptography" in lines[2]
    assert len(lines) == 13
    assert lines[-1] == f"sha256 {package.archive.sha256}"


def test_the_benchmark_starts_every_function_with_and_without_bytecode(
    package: Package, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("bench.cold_start.prepare", lambda *_: package.staged)

    printed = "\n".join(cold_start(tmp_path, quick=True))

    assert re.search(r"[\d.]+ MB zipped, [\d.]+ MB unzipped", printed)
    started = re.findall(r"^  (\S.*?) {2,}[\d,]+ \(", printed, re.MULTILINE)
    assert started == [start.title for start in starts(tmp_path)]
    assert list((tmp_path / "package").rglob("*.pyc"))
    assert not list((tmp_path / "sources").rglob("*.pyc"))
