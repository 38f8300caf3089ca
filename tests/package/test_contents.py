import json
from pathlib import Path

import pytest

from infra.package.building import copy, product_paths
from infra.package.contents import ENDPOINTS, ContentsError, chosen, trimmed


def planted(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"")
    return root


@pytest.mark.parametrize(
    "path",
    [
        "six.py",
        "strawberry/schema/schema.py",
        "orjson/orjson.cpython-313-aarch64-linux-gnu.so",
        "botocore/cacert.pem",
        "botocore/data/endpoints.json",
        "botocore/data/dynamodb/2012-08-10/service-2.json.gz",
        "starlette-1.10.0.dist-info/METADATA",
        "starlette-1.10.0.dist-info/licenses/LICENSE.md",
    ],
)
def test_what_is_needed_goes_in(path: str) -> None:
    assert chosen([path]) == [path]


@pytest.mark.parametrize(
    "path",
    [
        "bin/strawberry",
        "attr/__init__.pyi",
        "wrapt-stubs/__init__.pyi",
        "jwt/py.typed",
        "aiohttp/_http_parser.pyx",
        "wrapt/_wrappers.c",
        "multidict/_testcapi.cpython-313-aarch64-linux-gnu.so",
        "aioitertools/tests/asyncio.py",
        "strawberry/static/graphiql.html",
        "botocore/data/s3/2006-03-01/service-2.json.gz",
        "botocore/data/dynamodb/2012-08-10/examples-1.json",
        "starlette-1.10.0.dist-info/RECORD",
        "starlette-1.10.0.dist-info/direct_url.json",
    ],
)
def test_what_nobody_needs_on_lambda_stays_out(path: str) -> None:
    assert chosen([path]) == []


@pytest.mark.parametrize(
    "stray",
    ["aiohttp/.env", "notes.txt", "botocore/data/new.json", "jwt/id_rsa", "x.dist-info/key.pem", "a/b.pth"],
)
def test_a_stray_file_among_the_libraries_ends_the_build(stray: str) -> None:
    with pytest.raises(ContentsError, match=stray):
        chosen(["jwt/__init__.py", stray])


@pytest.mark.parametrize("stray", [".env", "auth/key.pem", "features/tasks.py.orig", "data.json"])
def test_a_stray_file_in_the_product_ends_the_build(stray: str, tmp_path: Path) -> None:
    planted(tmp_path, "graphql_api/schema.py", f"graphql_api/{stray}")

    with pytest.raises(ContentsError, match=stray):
        product_paths(tmp_path)


def test_of_the_product_only_what_functions_import_goes_in(tmp_path: Path) -> None:
    planted(
        tmp_path,
        "graphql_api/__main__.py",
        "graphql_api/local/serve.py",
        "graphql_api/static/ide/index.html",
        "graphql_api/__pycache__/schema.cpython-313.pyc",
        "graphql_api/auth/__pycache__/tokens.cpython-311.pyc",
        "graphql_api/schema.py",
        "graphql_api/auth/tokens.py",
        "tests/conftest.py",
    )

    assert product_paths(tmp_path) == ["graphql_api/auth/tokens.py", "graphql_api/schema.py"]


def test_endpoints_keep_every_partition_and_our_services(tmp_path: Path) -> None:
    partition = {"partition": "aws", "defaults": {"a": 1}, "services": {"dynamodb": {"b": 2}, "s3": {}}}
    source = planted(tmp_path, ENDPOINTS)
    (source / ENDPOINTS).write_text(json.dumps({"partitions": [partition], "version": 3}))

    copy(source, [ENDPOINTS], tmp_path / "staged")

    assert json.loads((tmp_path / "staged" / ENDPOINTS).read_bytes()) == {
        "partitions": [{**partition, "services": {"dynamodb": {"b": 2}}}],
        "version": 3,
    }


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_a_librarys_name_and_version_stay_without_its_description(newline: bytes) -> None:
    metadata = newline.join([b"Name: six", b"Version: 1.17.0", b"", b"Six is", b"", b"a library"])

    assert trimmed("six-1.17.0.dist-info/METADATA", metadata) == b"Name: six\nVersion: 1.17.0\n"


def test_anything_else_is_packed_as_it_is() -> None:
    assert trimmed("six.py", b"a\r\n\r\nb") == b"a\r\n\r\nb"
