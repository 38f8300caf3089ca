"""The secret that seals cursors, from AWS Secrets Manager: read when a process starts to serve, never frozen
into a snapshot of one that has not, and read again while it serves, so that it can be rotated.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from graphql_api.settings import Settings, SettingsError, is_strong
from graphql_api.store.client import aws_client
from graphql_api.store.cursor import Seals

if TYPE_CHECKING:
    from types_aiobotocore_secretsmanager.client import SecretsManagerClient

REFRESH = timedelta(minutes=5)
# A new secret seals only when every process has had the time to read it.
SETTLING = 2 * REFRESH
# Nothing can be served without them; later a client waits for them, whom the old ones serve as well.
FIRST_SECONDS, PATIENCE_SECONDS = 10.0, 1.0

_log = logging.getLogger(__name__)


class _Version(NamedTuple):
    secret: bytes
    created_at: datetime


class CursorSecrets:
    """Keeps `seals` supplied with the secret's current and previous version; both open what was sealed."""

    def __init__(self, settings: Settings, seals: Seals, now: Callable[[], datetime]) -> None:
        self._settings = settings
        self._arn = settings.cursor_secret_arn
        self._seals = seals
        self._now = now
        self._read_at: datetime | None = None
        self._resources = AsyncExitStack()
        self._client: SecretsManagerClient | None = None

    @property
    def are_fresh(self) -> bool:
        if self._arn is None:
            return True
        return self._read_at is not None and self._now() - self._read_at < REFRESH

    async def refresh(self) -> None:
        """Read them if it is time to. While they cannot be read again, those that were read go on serving."""
        if self._arn is None or self.are_fresh:
            return
        patience = FIRST_SECONDS if self._read_at is None else PATIENCE_SECONDS
        try:
            async with asyncio.timeout(patience):
                self._seals.renew(await self._read(self._arn))
        except (BotoCoreError, ClientError, TimeoutError, SettingsError):
            if self._read_at is None:
                raise
            _log.error("The cursor secret could not be read again.", exc_info=True)
        self._read_at = self._now()

    async def close(self) -> None:
        self._client = None
        await self._resources.aclose()

    async def _read(self, arn: str) -> list[bytes]:
        """Every version that is good, the one that seals first."""
        client = self._client or await self._resources.enter_async_context(
            aws_client("secretsmanager", self._settings)
        )
        self._client = client
        current = await _version(client, arn, "AWSCURRENT")
        try:
            previous = await _version(client, arn, "AWSPREVIOUS")
        except client.exceptions.ResourceNotFoundException:
            previous = None
        if current is None or previous is None:
            return [_present(current or previous).secret]
        if self._now() - current.created_at < SETTLING:
            return [previous.secret, current.secret]
        return [current.secret, previous.secret]


async def _version(client: "SecretsManagerClient", arn: str, stage: str) -> _Version | None:
    """None for one that is no secret, however it came there: a rotation that failed stops nobody."""
    answer = await client.get_secret_value(SecretId=arn, VersionStage=stage)
    secret = answer.get("SecretString", "").strip().encode()
    if not is_strong(secret):
        _log.critical("A version of the cursor secret is too short.", extra={"stage": stage})
        return None
    return _Version(secret, answer["CreatedDate"])


def _present(version: _Version | None) -> _Version:
    if version is None:
        raise SettingsError("the cursor secret is too short")
    return version
