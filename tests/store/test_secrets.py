import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from graphql_api.errors import BadCursorError
from graphql_api.settings import SettingsError
from graphql_api.store import secrets as secrets_module
from graphql_api.store.cursor import Seals
from graphql_api.store.secrets import REFRESH, SETTLING, CursorSecrets
from tests.world import settings

ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:cursor"
START = datetime(2030, 1, 1, tzinfo=UTC)
OLD, NEW = "an old secret of at least thirty-two", "a new secret of at least thirty-two bytes"
SCOPE = ("acme", "tasks")


class MissingError(ClientError):
    """ResourceNotFoundException, as the SDK's client makes it."""


class Manager:
    """Secrets Manager, with one secret: its versions, the latest last, and when each was made."""

    exceptions = SimpleNamespace(ResourceNotFoundException=MissingError)

    def __init__(self) -> None:
        self.now = START
        self.versions = [(OLD, START - timedelta(days=30))]
        self.is_down = False
        self.hangs = False
        self.reads = 0
        self.opened = 0

    def rotate(self, secret: str) -> None:
        self.versions.append((secret, self.now))

    async def get_secret_value(self, *, SecretId: str, VersionStage: str) -> dict[str, Any]:  # noqa: N803
        assert SecretId == ARN
        self.reads += 1
        if self.hangs:
            await asyncio.sleep(60)
        if self.is_down:
            raise ClientError({"Error": {"Code": "InternalServiceError"}}, "GetSecretValue")
        place = {"AWSCURRENT": 1, "AWSPREVIOUS": 2}[VersionStage]
        if len(self.versions) < place:
            raise MissingError({"Error": {"Code": "ResourceNotFoundException"}}, "GetSecretValue")
        secret, made_at = self.versions[-place]
        return {"SecretString": f"{secret}\n", "CreatedDate": made_at}


class Process:
    """One Lambda process: its seals, and the secrets they come from."""

    def __init__(self, manager: Manager) -> None:
        self.seals = Seals(())
        chosen = replace(settings("https://127.0.0.1:1"), cursor_secrets=(), cursor_secret_arn=ARN)
        self.secrets = CursorSecrets(chosen, self.seals, lambda: manager.now)

    async def seal(self) -> str:
        await self.secrets.refresh()
        return self.seals.seal(b"position", SCOPE)

    async def opens(self, text: str) -> bool:
        await self.secrets.refresh()
        try:
            return self.seals.open(text, SCOPE) == b"position"
        except BadCursorError:
            return False


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> Manager:
    stub = Manager()

    @asynccontextmanager
    async def opened(*_: Any) -> AsyncIterator[Any]:
        stub.opened += 1
        yield stub

    monkeypatch.setattr(secrets_module, "aws_client", opened)
    return stub


async def test_the_secret_is_read_once_in_five_minutes_by_one_client(manager: Manager):
    process = Process(manager)
    assert not process.secrets.are_fresh
    for _ in range(10):
        await process.seal()
    assert (manager.reads, process.secrets.are_fresh) == (2, True)
    manager.now += REFRESH
    assert not process.secrets.are_fresh
    await process.seal()
    assert (manager.reads, manager.opened) == (4, 1)
    await process.secrets.close()


async def test_no_cursor_is_refused_at_any_moment_of_a_rotation(manager: Manager):
    """A process that reads late meets cursors of one that read at once, and the other way round."""
    early, late = Process(manager), Process(manager)
    before = await early.seal()
    await late.seal()
    late.secrets._read_at = START + REFRESH / 2
    manager.rotate(NEW)
    sealed = set[str]()
    while manager.now < START + 3 * SETTLING:
        manager.now += timedelta(seconds=30)
        for process, other in ((early, late), (late, early)):
            text = await process.seal()
            sealed.add(text)
            assert await other.opens(text)
            assert await process.opens(before)
    assert len(sealed) == 2


async def test_a_new_secret_seals_when_every_process_knows_it(manager: Manager):
    process = Process(manager)
    before = await process.seal()
    manager.rotate(NEW)
    manager.now += SETTLING - timedelta(seconds=1)
    assert await process.seal() == before
    manager.now += REFRESH
    assert await process.seal() != before
    assert await process.opens(before)


async def test_a_secret_two_rotations_old_opens_nothing(manager: Manager):
    process = Process(manager)
    before = await process.seal()
    manager.rotate(NEW)
    manager.now += timedelta(days=1)
    manager.rotate("a third secret of at least thirty-two bytes")
    manager.now += timedelta(days=1)
    assert not await process.opens(before)


async def test_while_secrets_manager_is_down_what_was_read_serves_on(
    manager: Manager, caplog: pytest.LogCaptureFixture
):
    process = Process(manager)
    before = await process.seal()
    manager.is_down = True
    manager.now += REFRESH
    with caplog.at_level(logging.WARNING):
        assert await process.seal() == before
    assert [record.message for record in caplog.records] == ["The cursor secret could not be read again."]


async def test_a_process_that_never_read_it_does_not_begin(manager: Manager):
    manager.is_down = True
    process = Process(manager)
    with pytest.raises(ClientError):
        await process.seal()
    assert not process.secrets.are_fresh


@pytest.mark.parametrize("bad", ["short", ""])
async def test_a_rotation_to_what_is_no_secret_stops_nobody(
    manager: Manager, bad: str, caplog: pytest.LogCaptureFixture
):
    warm = Process(manager)
    before = await warm.seal()
    manager.rotate(bad)
    manager.now += SETTLING
    for process in (warm, Process(manager)):
        assert await process.seal() == before
    assert {record.levelname for record in caplog.records} == {"CRITICAL"}


async def test_where_no_version_is_a_secret_a_process_does_not_begin_and_one_that_has_goes_on(
    manager: Manager, caplog: pytest.LogCaptureFixture
):
    warm = Process(manager)
    before = await warm.seal()
    manager.versions = [("short", START)]
    manager.now += REFRESH
    with pytest.raises(SettingsError, match="too short"):
        await Process(manager).seal()
    assert await warm.seal() == before


async def test_a_manager_that_hangs_holds_up_no_process_that_has_its_secrets(
    manager: Manager, monkeypatch: pytest.MonkeyPatch
):
    process = Process(manager)
    before = await process.seal()
    monkeypatch.setattr(secrets_module, "PATIENCE_SECONDS", 0.01)
    manager.hangs = True
    manager.now += REFRESH
    assert await process.seal() == before


async def test_secrets_given_in_the_settings_are_not_read_from_anywhere(manager: Manager):
    given = CursorSecrets(settings("https://127.0.0.1:1"), Seals(()), lambda: manager.now)
    assert given.are_fresh
    await given.refresh()
    assert manager.opened == 0
