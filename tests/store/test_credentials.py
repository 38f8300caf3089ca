import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiobotocore.session import get_session
from botocore.awsrequest import AWSPreparedRequest
from botocore.exceptions import ClientError

from graphql_api.deadline import Deadline
from graphql_api.settings import Settings
from graphql_api.store import client as client_module
from graphql_api.store import credentials as credentials_module
from graphql_api.store.client import Database, aws_client
from graphql_api.store.credentials import Roles, Vending
from graphql_api.store.keys import CONNECTIONS, PLATFORM, Family, entity_key, tenant_family
from graphql_api.store.table import StoreBusyError, Table
from tests.reliability.network import answer_of
from tests.world import settings

TENANT_ROLE, PLATFORM_ROLE = (
    "arn:aws:iam::123456789012:role/tenant",
    "arn:aws:iam::123456789012:role/platform",
)
ACME, GLOBEX = tenant_family("acme"), tenant_family("globex")


class Sts:
    """AssumeRole: the access key says which session it is of, and the how manieth."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.lasts = timedelta(hours=1)
        self.refuses = False
        self.code = "AccessDenied"

    async def assume_role(self, **request: Any) -> dict[str, Any]:
        self.requests.append(request)
        await asyncio.sleep(0.001)
        if self.refuses:
            raise ClientError({"Error": {"Code": self.code, "Message": "no"}}, "AssumeRole")
        tags = {tag["Key"]: tag["Value"] for tag in request.get("Tags", ())}
        name = tags.get("tenant", "platform")
        return {
            "Credentials": {
                "AccessKeyId": f"{name}.{len(self.requests)}",
                "SecretAccessKey": "secret",
                "SessionToken": f"token of {name}",
                "Expiration": datetime.now(UTC) + self.lasts,
            }
        }


@pytest.fixture
def sts(monkeypatch: pytest.MonkeyPatch) -> Sts:
    stub = Sts()

    @asynccontextmanager
    async def opened(service: str, settings: Settings, **options: Any) -> AsyncIterator[Any]:
        if service == "sts":
            yield stub
            return
        async with aws_client(service, settings, **options) as client:
            yield client

    monkeypatch.setattr(client_module, "aws_client", opened)
    return stub


class Signed:
    """A database whose requests go nowhere; kept is whose key signed what."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.keys: list[tuple[str, str]] = []
        self.refusal, self.refused = "", tuple[str, ...]()
        events: Any = database.client.meta.events
        events.register("before-send.dynamodb", self._answer)

    def refuse(self, code: str, *keys: str) -> None:
        """From now on these access keys are answered so."""
        self.refusal, self.refused = code, keys

    def _answer(self, request: AWSPreparedRequest, **_: object) -> Any:
        authorization = request.headers["Authorization"]
        text = authorization.decode() if isinstance(authorization, bytes) else authorization
        body = request.body.decode() if isinstance(request.body, bytes) else str(request.body)
        self.keys.append((text.partition("Credential=")[2].partition("/")[0], body))
        if self.keys[-1][0] in self.refused:
            return answer_of(request, 400, json.dumps({"__type": f"com.amazonaws#{self.refusal}"}).encode())
        return answer_of(request, 200, b'{"Responses": {}}')

    async def read(self, family: Family) -> str:
        """The access key that a read of the family was signed with."""
        table = Table(self.database, family, Deadline.after(5))
        key = entity_key(family, "Note", "1")
        await table.batch_get([key])
        return next(name for name, body in reversed(self.keys) if f'"{key.partition}"' in body)


@pytest.fixture
async def signed(sts: Sts) -> AsyncIterator[Signed]:
    chosen = replace(
        settings("https://127.0.0.1:1"), tenant_role_arn=TENANT_ROLE, platform_role_arn=PLATFORM_ROLE
    )
    database = await Database(chosen).open()
    yield Signed(database)
    await database.close()


async def test_a_tenants_calls_are_signed_by_a_session_that_is_tagged_with_it(signed: Signed, sts: Sts):
    assert await signed.read(ACME) == "acme.1"
    assert sts.requests == [
        {
            "RoleArn": TENANT_ROLE,
            "RoleSessionName": "tenant-acme",
            "Tags": [{"Key": "tenant", "Value": "acme"}],
            "DurationSeconds": 3600,
        }
    ]


async def test_the_platforms_calls_are_signed_by_its_own_role_without_a_tag(signed: Signed, sts: Sts):
    assert await signed.read(PLATFORM) == "platform.1"
    assert sts.requests == [
        {"RoleArn": PLATFORM_ROLE, "RoleSessionName": "platform", "DurationSeconds": 3600}
    ]


async def test_sockets_are_looked_up_with_the_functions_own_role(signed: Signed, sts: Sts):
    assert await signed.read(CONNECTIONS) == "test"
    assert sts.requests == []


async def test_no_session_crosses_tenants_under_fifty_requests_at_once(signed: Signed, sts: Sts):
    families = [tenant_family(f"tenant-{number % 7}") for number in range(46)] + [PLATFORM, CONNECTIONS] * 2
    keys = await asyncio.gather(*(signed.read(family) for family in families))
    whose = [key.partition(".")[0] for key in keys]
    named = {PLATFORM: "platform", CONNECTIONS: "test"}
    assert whose == [named.get(family, family.removeprefix("T#")) for family in families]
    assert set(Counter(request["RoleSessionName"] for request in sts.requests).values()) == {1}
    for key, body in signed.keys:
        owner = key.partition(".")[0]
        prefix = {"platform": "P#", "test": "C#"}.get(owner, f"T#{owner}#")
        assert f'"S": "{prefix}' in body


async def test_a_session_is_used_until_five_minutes_before_its_end(signed: Signed, sts: Sts):
    sts.lasts = timedelta(minutes=5, seconds=30)
    assert [await signed.read(ACME) for _ in range(3)] == ["acme.1"] * 3


async def test_from_five_minutes_before_the_end_one_caller_fetches_the_next_session(signed: Signed, sts: Sts):
    sts.lasts = timedelta(minutes=4, seconds=59)
    assert await signed.read(ACME) == "acme.1"
    sts.lasts = timedelta(hours=1)
    keys = await asyncio.gather(*(signed.read(ACME) for _ in range(50)))
    assert set(keys) <= {"acme.1", "acme.2"}
    assert len(sts.requests) == 2
    assert await signed.read(ACME) == "acme.2"


async def test_while_no_session_can_be_had_the_last_one_serves_until_a_minute_before_its_end(
    signed: Signed, sts: Sts
):
    sts.lasts = timedelta(minutes=4)
    await signed.read(ACME)
    sts.refuses = True
    assert await signed.read(ACME) == "acme.1"


async def test_without_a_session_nothing_is_sent(signed: Signed, sts: Sts, caplog: pytest.LogCaptureFixture):
    sts.refuses = True
    with pytest.raises(ClientError):
        await signed.read(ACME)
    assert signed.keys == []
    assert [record.__dict__["principal"] for record in caplog.records if record.levelname == "CRITICAL"] == [
        ACME
    ]
    sts.refuses = False
    assert await signed.read(ACME) == "acme.2"


@pytest.mark.parametrize(
    "code", ["AccessDeniedException", "ExpiredTokenException", "UnrecognizedClientException"]
)
async def test_a_session_that_was_revoked_is_replaced_at_once(
    signed: Signed, sts: Sts, code: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    await signed.read(ACME)
    signed.refuse(code, "acme.1")
    monkeypatch.setattr(credentials_module, "RENEWABLE_SECONDS", 0)
    assert await signed.read(ACME) == "acme.2"
    assert await signed.read(ACME) == "acme.2"
    assert [record.levelname for record in caplog.records] == []


async def test_what_a_young_session_is_refused_is_refused_and_asks_for_no_other(signed: Signed, sts: Sts):
    signed.refuse("AccessDeniedException", "acme.1", "acme.2")
    for _ in range(5):
        with pytest.raises(ClientError):
            await signed.read(ACME)
    assert len(sts.requests) == 1


async def test_what_another_session_is_refused_as_well_is_refused(
    signed: Signed, sts: Sts, monkeypatch: pytest.MonkeyPatch
):
    signed.refuse("AccessDeniedException", "acme.1", "acme.2")
    monkeypatch.setattr(credentials_module, "RENEWABLE_SECONDS", 0)
    with pytest.raises(ClientError):
        await signed.read(ACME)
    assert [key for key, _ in signed.keys] == ["acme.1", "acme.2"]


async def test_an_sts_that_is_too_busy_is_a_store_that_is(signed: Signed, sts: Sts):
    sts.code = "Throttling"
    sts.refuses = True
    with pytest.raises(StoreBusyError):
        await signed.read(ACME)


async def test_a_caller_that_gives_up_does_not_keep_the_others_waiting(signed: Signed):
    first = asyncio.ensure_future(signed.read(ACME))
    second = asyncio.ensure_future(signed.read(ACME))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).startswith("acme.")


async def test_a_process_remembers_a_bounded_number_of_sessions(sts: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(credentials_module, "MAX_SESSIONS", 2)
    family = ACME
    vending = Vending(Roles(TENANT_ROLE, PLATFORM_ROLE), sts, get_session(), lambda: family)
    credentials = await vending.load_credentials()
    names = list[str]()
    for slug in ("acme", "globex", "acme", "initech", "acme", "globex"):
        family = tenant_family(slug)
        names.append(str((await credentials.get_frozen_credentials()).access_key))
    assert names == ["acme.1", "globex.2", "acme.1", "initech.3", "acme.1", "globex.4"]


async def test_a_call_without_a_principal_is_signed_by_nobody(signed: Signed):
    with pytest.raises(RuntimeError, match="no principal"):
        await signed.database.client.describe_table(TableName="data")


async def test_on_one_machine_no_role_is_assumed(sts: Sts):
    database = await Database(settings("https://127.0.0.1:1")).open()
    assert await Signed(database).read(GLOBEX) == "test"
    assert sts.requests == []
    await database.close()
