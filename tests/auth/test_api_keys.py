"""The one who verifies API keys, over records in a dict that count how often they are read."""

import asyncio
import zlib
from dataclasses import dataclass, field

import pytest

from graphql_api.auth.api_keys import (
    BURST_OF_PROCESS,
    BURST_OF_TENANT,
    MAX_TENANTS,
    TTL,
    ApiKeyVerifier,
    KeyRecord,
)
from graphql_api.auth.identity import Role
from graphql_api.auth.secret_text import API_KEY, INVITATION, SecretText
from graphql_api.auth.tokens import INVALID_TOKEN, MAX_AGE, Claims
from graphql_api.errors import RateLimitedError, UnauthenticatedError
from tests.auth.clock import Clock

FOREVER = 10_000_000


@dataclass
class Records:
    """What is stored, by tenant and key."""

    stored: dict[tuple[str, str], KeyRecord] = field(default_factory=dict[tuple[str, str], KeyRecord])
    reads: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    async def read(self, tenant: str, uid: str) -> KeyRecord | None:
        self.reads.append((tenant, uid))
        await asyncio.sleep(0)
        return self.stored.get((tenant, uid))

    def issue(self, tenant: str, uid: str = "key-1", until: int | None = None) -> SecretText:
        secret = SecretText.new(API_KEY, tenant, uid)
        self.stored[tenant, uid] = KeyRecord("user-1", Role.MEMBER, ((secret.digest, until),))
        return secret


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def records() -> Records:
    return Records()


@pytest.fixture
def verifier(records: Records, clock: Clock) -> ApiKeyVerifier:
    return ApiKeyVerifier(records.read, clock)


async def is_refused(verifier: ApiKeyVerifier, text: str) -> bool:
    """Whether it is, in the words that every bad token is refused with."""
    try:
        await verifier.verify(text)
    except UnauthenticatedError as error:
        return error.message == INVALID_TOKEN
    return False


async def test_a_key_names_its_user_role_and_tenant(
    verifier: ApiKeyVerifier, records: Records, clock: Clock
) -> None:
    claims = await verifier.verify(records.issue("acme").text)
    until = await verifier.verify(records.issue("acme", "key-2", until=1_000_500).text)

    assert claims == Claims("user-1", Role.MEMBER, "acme", int(clock.now) + MAX_AGE, "key-1")
    assert until.expires_at == 1_000_500


async def test_texts_that_were_never_given_out_cost_no_read(
    verifier: ApiKeyVerifier, records: Records
) -> None:
    good = records.issue("acme").text
    told = good.rpartition("_")[0]
    for text in (
        "",
        API_KEY,
        good[:-1],
        good + "\n",
        good[:-1] + ("0" if good[-1] != "0" else "1"),
        good.upper(),
        good.replace("acme", "acm"),
        good.replace("_acme_", "_ac#me_"),
        f"{told}_00000000",
        "_".join([good] * 200),
        SecretText.new(INVITATION, "acme", "key-1").text,
    ):
        assert await is_refused(verifier, text), text
    assert records.reads == []


async def test_a_checksum_alone_opens_nothing(verifier: ApiKeyVerifier, records: Records) -> None:
    head = records.issue("acme").text.rsplit("_", 2)[0]
    told = f"{head}_{'0' * 64}"

    assert await is_refused(verifier, f"{told}_{zlib.crc32(told.encode()):08x}")
    assert records.reads == [("acme", "key-1")]


async def test_a_key_relabelled_for_another_tenant_is_looked_up_there_and_unknown(
    verifier: ApiKeyVerifier, records: Records
) -> None:
    good, theirs = records.issue("acme"), records.issue("globex")
    relabelled = SecretText(API_KEY, "globex", "key-1", good.value)

    assert await is_refused(verifier, relabelled.text)
    assert not await is_refused(verifier, theirs.text)
    assert ("acme", "key-1") not in records.reads


async def test_what_was_found_is_remembered_for_a_while_and_no_longer(
    verifier: ApiKeyVerifier, records: Records, clock: Clock
) -> None:
    good, unknown = records.issue("acme").text, SecretText.new(API_KEY, "acme", "key-9").text
    for _ in range(5):
        await verifier.verify(good)
        assert await is_refused(verifier, unknown)
    assert len(records.reads) == 2

    del records.stored["acme", "key-1"]
    clock.advance(TTL)
    assert await is_refused(verifier, good)
    assert TTL <= 60


async def test_an_expiry_is_to_the_second_whatever_is_remembered(
    verifier: ApiKeyVerifier, records: Records, clock: Clock
) -> None:
    good = records.issue("acme", until=int(clock.now) + 10).text
    clock.advance(9)
    assert not await is_refused(verifier, good)
    clock.advance(1)
    assert await is_refused(verifier, good)


async def test_both_secrets_of_a_rotated_key_open_it_each_until_its_time(
    verifier: ApiKeyVerifier, records: Records, clock: Clock
) -> None:
    former, secret = records.issue("acme"), records.issue("acme")
    digests = ((secret.digest, None), (former.digest, int(clock.now) + 60))
    records.stored["acme", "key-1"] = KeyRecord("user-1", Role.MEMBER, digests)

    assert [await is_refused(verifier, one.text) for one in (secret, former)] == [False, False]
    clock.advance(60)
    assert [await is_refused(verifier, one.text) for one in (secret, former)] == [False, True]


async def test_callers_at_once_share_one_read(verifier: ApiKeyVerifier, records: Records) -> None:
    good = records.issue("acme").text

    await asyncio.gather(*(verifier.verify(good) for _ in range(50)))
    assert len(records.reads) == 1


async def test_a_flood_of_unknown_keys_is_looked_up_at_a_bounded_rate(
    verifier: ApiKeyVerifier, records: Records, clock: Clock
) -> None:
    good, other = records.issue("acme").text, records.issue("globex").text
    await verifier.verify(good)

    limited = 0
    for number in range(200):
        try:
            assert await is_refused(verifier, SecretText.new(API_KEY, "acme", f"no-{number}").text)
        except RateLimitedError:
            limited += 1
    assert len(records.reads) == BURST_OF_TENANT
    assert limited == 201 - BURST_OF_TENANT

    clock.advance(TTL)
    assert not await is_refused(verifier, good)
    assert not await is_refused(verifier, other)


async def test_a_flood_over_many_tenants_is_bounded_for_the_process_and_leaves_known_keys_alone(
    verifier: ApiKeyVerifier, records: Records, clock: Clock
) -> None:
    good = records.issue("acme").text
    await verifier.verify(good)
    limited = 0
    for number in range(MAX_TENANTS + 500):
        try:
            await is_refused(verifier, SecretText.new(API_KEY, f"nobody-{number}", "key-1").text)
        except RateLimitedError:
            limited += 1

    assert len(records.reads) == BURST_OF_PROCESS
    assert limited == MAX_TENANTS + 501 - BURST_OF_PROCESS
    clock.advance(0)
    assert not await is_refused(verifier, good)


async def test_what_is_remembered_is_bounded(records: Records, clock: Clock) -> None:
    verifier = ApiKeyVerifier(records.read, clock, capacity=2)
    secrets = [records.issue("acme", f"key-{number}").text for number in range(3)]
    for text in (*secrets, secrets[2], secrets[1], secrets[0]):
        await verifier.verify(text)

    assert len(records.reads) == 4


async def test_a_key_stands_until_it_is_gone_whatever_is_remembered(
    verifier: ApiKeyVerifier, records: Records
) -> None:
    claims = await verifier.verify(records.issue("acme").text)
    assert await verifier.stands(claims)
    assert await verifier.stands(Claims("user-1", Role.MEMBER, "acme", FOREVER))

    del records.stored["acme", "key-1"]
    assert not await verifier.stands(claims)


async def test_a_failed_read_is_the_callers_failure_and_not_remembered(
    records: Records, clock: Clock
) -> None:
    good, fails = records.issue("acme").text, True

    async def read(tenant: str, uid: str) -> KeyRecord | None:
        if fails:
            raise TimeoutError
        return await records.read(tenant, uid)

    verifier = ApiKeyVerifier(read, clock)
    with pytest.raises(TimeoutError):
        await verifier.verify(good)
    fails = False
    assert not await is_refused(verifier, good)


def test_a_secret_is_in_no_representation() -> None:
    secret = SecretText.new(API_KEY, "acme", "key-1")
    record = KeyRecord("user-1", Role.MEMBER, ((secret.digest, None),))

    assert len({SecretText.new(API_KEY, "acme", "key-1").value for _ in range(100)}) == 100
    for told in (secret.value, secret.digest):
        assert told not in f"{secret!r} {secret} {record!r} {record}"


def test_a_digest_is_of_the_whole_text() -> None:
    secret = SecretText.new(API_KEY, "acme", "key-1")
    relabelled = SecretText(API_KEY, "globex", "key-1", secret.value)

    assert SecretText.parse(API_KEY, secret.text) == secret
    assert SecretText.parse(INVITATION, secret.text) is None
    assert relabelled.digest != secret.digest
