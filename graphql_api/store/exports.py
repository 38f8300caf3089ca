"""Where exports of tenants are kept: a bucket on AWS, a directory on one machine."""

import asyncio
from pathlib import Path
from typing import Any, Protocol

from graphql_api.settings import Settings
from graphql_api.store.client import PRINCIPAL, Database
from graphql_api.store.keys import Family, tenant_of

URL_SECONDS = 300


class Exports(Protocol):
    """Files of tenants. What is written again replaces what was there."""

    async def write(self, family: Family, path: str, content: bytes) -> None: ...
    async def url(self, family: Family, path: str) -> str:
        """Where the file can be fetched; of a bucket by whoever has the URL, for URL_SECONDS."""
        ...


class DirectoryExports:
    """Files below a directory, in one of each tenant's own."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def write(self, family: Family, path: str, content: bytes) -> None:
        await asyncio.to_thread(write_whole, self._place(family, path), content)

    async def url(self, family: Family, path: str) -> str:
        return self._place(family, path).absolute().as_uri()

    def _place(self, family: Family, path: str) -> Path:
        return self._directory / tenant_of(family) / path


class BucketExports:
    """Objects of a bucket, below the tenant's slug, each call with the tenant's rights."""

    def __init__(self, database: Database, bucket: str) -> None:
        self._database = database
        self._bucket = bucket
        self._client: Any = None

    async def write(self, family: Family, path: str, content: bytes) -> None:
        client, token = await self._opened(), PRINCIPAL.set(family)
        try:
            await client.put_object(Bucket=self._bucket, Key=_object(family, path), Body=content)
        finally:
            PRINCIPAL.reset(token)

    async def url(self, family: Family, path: str) -> str:
        client, token = await self._opened(), PRINCIPAL.set(family)
        try:
            return await client.generate_presigned_url(
                "get_object",
                Params={"Bucket": self._bucket, "Key": _object(family, path)},
                ExpiresIn=URL_SECONDS,
            )
        finally:
            PRINCIPAL.reset(token)

    async def _opened(self) -> Any:
        """Made when it is first needed: most functions never write or sign, and it takes long to make."""
        if self._client is None:
            self._client = await self._database.client_of("s3")
        return self._client


def exports_of(settings: Settings, database: Database) -> Exports:
    """Those of the installation."""
    if settings.export_bucket:
        return BucketExports(database, settings.export_bucket)
    return DirectoryExports(settings.export_directory)


def write_whole(place: Path, content: bytes) -> None:
    """Whole or not at all."""
    place.parent.mkdir(parents=True, exist_ok=True)
    unfinished = place.with_name(place.name + ".part")
    unfinished.write_bytes(content)
    unfinished.replace(place)


def _object(family: Family, path: str) -> str:
    return f"{tenant_of(family)}/{path}"
