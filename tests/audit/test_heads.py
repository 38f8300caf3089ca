"""The daily signed head of each log that has moved, and how it is verified."""

from typing import Any

import pytest

from graphql_api.audit.heads import BadSignatureError, SignedPlace, verified_head
from graphql_api.auth.identity import Role
from graphql_api.deadline import Deadline
from graphql_api.local.head_commands import SignedAnchor, anchor, trusted
from graphql_api.sinks import rounds
from graphql_api.sinks.rounds import Rounds
from graphql_api.store.keys import tenant_family
from tests.audit.signer import KeySigner
from tests.features.builders import a_project
from tests.log_lines import log_lines
from tests.realtime.stage import Clock, Stage, open_stage
from tests.world import World, found


@pytest.fixture
def signer() -> KeySigner:
    return KeySigner()


async def sweep(stage: Stage) -> dict[str, str]:
    """The signed heads that a run of the sweep leaves in the log's lines, by tenant."""
    with log_lines("audit") as lines:
        await stage.sweep.handle()
        return {line["tenant"]: line["head"] for line in lines() if "head" in line}


async def head_of(world: World, tenant: str) -> Any:
    sources = world.services.sources
    return await sources.change_log(tenant_family(tenant), Deadline.after(10)).head()


async def test_each_log_that_moved_has_one_signed_head_a_day(
    engine_endpoint: str, clock: Clock, signer: KeySigner
):
    async with open_stage(engine_endpoint, now=clock, signer=signer) as stage:
        first = await sweep(stage)
        assert first.keys() == {"acme", "globex"}
        assert await sweep(stage) == {}

        clock.forward(days=1)
        await a_project(stage.world.as_("acme", Role.ADMIN))
        await stage.pump()
        second = await sweep(stage)
        head = await head_of(stage.world, "acme")

        assert second.keys() == {"acme"}
        place = verified_head(second["acme"], [await signer.public_key()])
        assert (place.tenant, place.sequence, place.hash, place.epoch) == (
            "acme",
            head.sequence,
            head.hash,
            head.epoch,
        )
        assert await sweep(stage) == {}


async def test_heads_are_kept_day_by_day_and_expire_with_the_log(
    engine_endpoint: str, clock: Clock, signer: KeySigner
):
    async with open_stage(engine_endpoint, now=clock, signer=signer) as stage:
        told = await sweep(stage)
        items = [item for item in await stage.items() if item["pk"]["S"] == "T#acme#LOG#SIGNED"]

        (item,) = items
        assert item["sk"]["S"] == clock().date().isoformat()
        assert item["signed"]["S"] == told["acme"]
        retention = stage.world.services.settings.log_retention
        assert int(item["expires_at"]["N"]) == pytest.approx((clock() + retention).timestamp(), abs=60)


async def test_a_round_goes_on_behind_the_last_tenant_it_came_to(
    engine_endpoint: str, signer: KeySigner, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(rounds, "MAX_TENANTS", 2)
    async with open_stage(engine_endpoint, signer=signer) as stage:
        for slug in ("initech", "umbrella", "wonka"):
            await found(stage.world, slug)
        await stage.pump()
        signed = [set(await sweep(stage)) for _ in range(3)]

        assert signed == [{"acme", "globex"}, {"initech", "umbrella"}, {"wonka"}]


async def test_without_a_signer_and_sinks_nothing_is_read(stage: Stage):
    services = stage.world.services
    stage.world.guard.forget_calls()

    assert await Rounds(services.sources, services.sinks, services.signer, Deadline.after(10)).run() == 0
    assert stage.world.guard.calls == []


async def test_a_head_that_another_key_signed_or_anybody_changed_is_no_anchor(
    engine_endpoint: str, signer: KeySigner
):
    async with open_stage(engine_endpoint, signer=signer) as stage:
        signed = (await sweep(stage))["acme"]
    key = await signer.public_key()
    header, payload, signature = signed.split(".")
    other = await KeySigner().public_key()
    forged = [
        f"{header}.{payload[:-2]}AA.{signature}",
        f"{header}.{payload}.{signature[:-4]}AAAA",
        f"{header}.{payload}.",
        "a.b.c",
    ]

    assert isinstance(verified_head(signed, [other, key]), SignedPlace)
    for text, keys in [*((each, [key]) for each in forged), (signed, [other]), (signed, [])]:
        with pytest.raises(BadSignatureError):
            verified_head(text, keys)
    with pytest.raises(BadSignatureError):
        verified_head(signed, [other | {"kid": key["kid"]}])


async def test_a_signed_head_is_an_anchor_of_its_own_tenant_alone(
    engine_endpoint: str, signer: KeySigner, capsys: pytest.CaptureFixture[str]
):
    async with open_stage(engine_endpoint, signer=signer) as stage:
        signed = (await sweep(stage))["acme"]
        head = await head_of(stage.world, "acme")
    given = anchor(signed)
    assert isinstance(given, SignedAnchor)

    known = await trusted(given, "acme", None, signer)

    assert known is not None
    assert (known.sequence, known.hash) == (head.sequence, head.hash)
    assert "signed by a key that is trusted" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="another tenant"):
        await trusted(given, "globex", None, signer)
    with pytest.raises(SystemExit, match="cannot be trusted"):
        await trusted(given, "acme", [await KeySigner().public_key()], None)
    with pytest.raises(SystemExit, match="--keys"):
        await trusted(given, "acme", None, None)


def test_the_form_of_an_anchor_says_which_it_is():
    assert anchor("42:9f86d0") == (42, "9f86d0")
