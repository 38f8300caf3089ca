import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from aiobotocore.awsrequest import AioAWSResponse
from botocore.compat import HTTPHeaders

from graphql_api.store.client import PRINCIPAL, Database
from graphql_api.store.exports import URL_SECONDS, BucketExports, DirectoryExports, exports_of
from graphql_api.store.keys import Family, tenant_family
from tests.world import settings

ACME, GLOBEX = tenant_family("acme"), tenant_family("globex")


class Nothing:
    async def read(self) -> bytes:
        return b""


class Bucket:
    """What reaches S3, and in whose name; nothing leaves the process."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, bytes]] = []
        self.signed_for: list[Family | None] = []

    async def answer(self, request: Any, **_event: object) -> AioAWSResponse:
        body = request.body if isinstance(request.body, bytes) else await request.body.read()
        self.sent.append((request.method, urlsplit(request.url).path, body))
        return AioAWSResponse(request.url, 200, HTTPHeaders(), Nothing())

    def sign(self, **_event: object) -> None:
        self.signed_for.append(PRINCIPAL.get())


@pytest.fixture
async def database() -> AsyncIterator[Database]:
    chosen = dataclasses.replace(settings("http://127.0.0.1:9"), region="eu-west-1")
    opened = await Database(chosen).open()
    yield opened
    await opened.close()


def found_in(directory: Path) -> dict[str, bytes]:
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


async def bucket_of(exports: BucketExports) -> Bucket:
    bucket, client = Bucket(), await exports._opened()
    client.meta.events.register("before-send.s3", bucket.answer)
    client.meta.events.register("before-sign.s3", bucket.sign)
    return bucket


async def test_a_file_goes_below_its_tenants_name_in_the_tenants_own_name(database: Database):
    exports = BucketExports(database, "exports")
    bucket = await bucket_of(exports)
    await exports.write(ACME, "job/manifest.json", b"{}")
    ((method, path, body),) = bucket.sent
    assert (method, path.removeprefix("/exports")) == ("PUT", "/acme/job/manifest.json")
    assert b"{}" in body
    assert bucket.signed_for == [ACME]
    assert PRINCIPAL.get() is None


async def test_a_url_is_signed_in_the_tenants_own_name_and_for_minutes(database: Database):
    exports = BucketExports(database, "exports")
    bucket = await bucket_of(exports)
    parts = urlsplit(await exports.url(GLOBEX, "job/data-0-0001.ndjson"))
    asked = parse_qs(parts.query)
    # Of the region: the global name redirects, and a URL is signed for one name.
    assert (parts.scheme, parts.netloc) == ("https", "exports.s3.eu-west-1.amazonaws.com")
    assert parts.path.removeprefix("/exports") == "/globex/job/data-0-0001.ndjson"
    assert asked.get("X-Amz-Expires") == [str(URL_SECONDS)]
    assert bucket.signed_for == [GLOBEX]
    assert bucket.sent == []


async def test_files_of_a_directory_are_whole_and_written_again(tmp_path: Path):
    exports = DirectoryExports(tmp_path)
    for content in (b"a", b"bb"):
        await exports.write(ACME, "job/one.ndjson", content)
    assert found_in(tmp_path) == {"acme/job/one.ndjson": b"bb"}
    assert await exports.url(ACME, "job/one.ndjson") == (tmp_path / "acme/job/one.ndjson").as_uri()


def test_a_bucket_is_taken_where_one_is_named():
    chosen = settings("http://127.0.0.1:9")
    assert isinstance(exports_of(chosen, Database(chosen)), DirectoryExports)
