"""Each kind of audit entry, left through the door that it is about and read through the API."""

import re
import time
from typing import Any

import pytest

from graphql_api.auth.identity import Role
from tests.asgi import call
from tests.features.builders import done
from tests.log_lines import log_lines
from tests.realtime.stage import Clock, Stage, signed
from tests.world import KEYS, World, token, user_uid

FIELDS = "kind outcome count actorId subject field code operation requestId address"


async def entries(world: World, tenant: str = "acme", **filter: Any) -> list[dict[str, Any]]:
    """A tenant's entries, the latest first, the use of tokens left out unless asked for."""
    query = f"""query ($filter: AuditFilter) {{
        auditEvents(first: 100, filter: $filter) {{ edges {{ node {{ {FIELDS} }} }} }} }}"""
    page = (await world.as_(tenant, Role.ADMIN).data(query, filter=filter))["auditEvents"]
    nodes = [edge["node"] for edge in page["edges"]]
    return [node for node in nodes if filter or node["kind"] != "TOKEN_USED"]


async def platforms(world: World, **filter: Any) -> list[dict[str, Any]]:
    query = f"""query ($filter: PlatformAuditFilter) {{
        platformAuditEvents(filter: $filter) {{ edges {{ node {{ {FIELDS} }} }} }} }}"""
    page = (await world.as_(None, Role.PLATFORM).data(query, filter=filter))["platformAuditEvents"]
    return [edge["node"] for edge in page["edges"]]


def told(found: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(entry[name] for name in names) for entry in found]


async def test_a_role_that_is_too_low_is_an_entry_with_the_field_and_no_value(world: World):
    answer = await world.as_("acme", Role.VIEWER).execute(
        'query Peek { x: changes(filter: {since: "2020-01-01T00:00:00"}) { edges { cursor } } }'
    )
    assert answer.codes == ["FORBIDDEN"]

    (entry,) = await entries(world)

    assert entry["requestId"] == answer.reply.headers["x-request-id"]
    assert told([entry], "kind", "outcome", "count", "subject", "field", "code", "operation") == [
        ("ACCESS_DENIED", "REFUSED", 1, user_uid("acme", Role.VIEWER), "Query.changes", "FORBIDDEN", "Peek")
    ]


async def test_an_id_of_another_tenant_leaves_an_entry_nowhere(world: World):
    other = await done(world.as_("globex", Role.MANAGER), "createProject", "project { id }", name="Theirs")
    answer = await world.as_("acme", Role.ADMIN).execute(f'{{ project(id: "{other["id"]}") {{ id }} }}')
    assert answer.codes == ["NOT_FOUND"]

    assert await entries(world) == await entries(world, "globex") == []


async def test_what_one_tenant_tries_is_in_its_own_log_alone(world: World):
    await world.as_("acme", Role.MEMBER).mutate(
        "suspendUser", "user { id }", id=(await _viewer(world, "globex", Role.VIEWER))
    )

    assert told(await entries(world), "kind", "field") == [("ACCESS_DENIED", "Mutation.suspendUser")]
    assert await entries(world, "globex") == []


@pytest.mark.parametrize("times", [1, 2, 3, 9])
async def test_what_is_alike_within_a_minute_is_one_entry_with_a_count_of_powers_of_two(
    stage: Stage, times: int
):
    world = stage.world
    world.guard.forget_calls()
    for _ in range(times):
        await world.as_("acme", Role.MEMBER).execute("{ changes { edges { cursor } } }")
    writes = world.guard.operations["PutItem"]

    assert told(await entries(world), "count") == [(1 << (times.bit_length() - 1),)]
    assert writes == times.bit_length()


async def test_a_minute_later_it_is_another_entry(clocked: Stage, clock: Clock):
    for _ in range(2):
        await clocked.world.as_("acme", Role.MEMBER).execute("{ changes { edges { cursor } } }")
        clock.forward(minutes=1)

    assert told(await entries(clocked.world), "kind", "count") == [("ACCESS_DENIED", 1)] * 2


async def test_an_administrative_act_is_told_with_how_it_ended(world: World):
    admin = world.as_("acme", Role.ADMIN)
    viewer = await _viewer(world, "acme", Role.VIEWER)
    await done(admin, "suspendUser", "user { id }", id=viewer)
    refused = await admin.mutate("suspendUser", "user { id }", id="bm9ib2R5")
    assert refused["code"] == "NOT_FOUND"

    assert told(await entries(world), "kind", "outcome", "field", "code", "actorId") == [
        ("ADMINISTRATION", outcome, "Mutation.suspendUser", code, await _viewer(world, "acme", Role.ADMIN))
        for outcome, code in (("REFUSED", "NOT_FOUND"), ("SUCCEEDED", None))
    ]


async def test_an_operators_act_is_the_platforms_own(world: World):
    await done(world.as_(None, Role.PLATFORM), "suspendTenant", "tenant { slug }", slug="globex")

    assert told(await platforms(world, kind="ADMINISTRATION"), "subject", "field", "actorId") == [
        ("operator", "Mutation.suspendTenant", None)
    ]
    assert await entries(world) == []


async def test_the_first_use_of_a_token_in_an_hour_is_an_entry_of_each_process(clocked: Stage, clock: Clock):
    world, subject = clocked.world, user_uid("acme", Role.MEMBER)
    for _ in range(2):
        clock.forward(hours=1)
        for _ in range(3):
            await world.as_("acme", Role.MEMBER).execute("{ __typename }")

    found = await entries(world, kind="TOKEN_USED")

    assert told([one for one in found if one["subject"] == subject], "count") == [(1,)] * 2


async def test_a_token_of_no_valid_signature_is_nobodys(world: World):
    forged = token("acme", Role.ADMIN)[:-8] + "AAAAAAAA"
    await _with_token(world, forged)

    assert told(await platforms(world, kind="TOKEN_REFUSED"), "subject", "code") == [
        (None, "UNAUTHENTICATED")
    ]
    assert await entries(world) == []


async def test_a_token_that_has_expired_is_the_platforms_for_its_tenant_may_be_gone(world: World):
    await _with_token(world, signed("acme", Role.MEMBER, seconds=-60))

    expired = await platforms(world, kind="TOKEN_REFUSED")
    assert told(expired, "subject") == [(user_uid("acme", Role.MEMBER),)]
    assert await entries(world) == []


async def test_an_expired_token_for_another_audience_is_nobodys(world: World):
    now = int(time.time())
    claims = {"iss": "https://issuer.test", "aud": "another", "sub": "acme-admin", "tenant": "acme"}
    await _with_token(world, KEYS.sign(claims | {"iat": now - 90, "exp": now - 60, "roles": ["ADMIN"]}))

    assert await entries(world) == []


async def test_who_is_no_member_of_a_tenant_is_told_to_the_platform_alone(stage: Stage):
    world = stage.world
    answer = await world.as_("acme", Role.ADMIN, "stranger").execute("{ viewer { id } }")
    assert answer.codes == ["FORBIDDEN"]

    client = await stage.client()
    await client.init(signed("acme", Role.ADMIN, subject="stranger"))

    assert await entries(world) == []
    assert sorted(told(await platforms(world, subject="stranger"), "kind", "field")) == [
        ("ACCESS_DENIED", None),
        ("SOCKET_REFUSED", None),
    ]


async def test_who_is_suspended_is_told_to_the_tenant(world: World):
    admin = world.as_("acme", Role.ADMIN)
    await done(admin, "suspendUser", "user { id }", id=await _viewer(world, "acme", Role.VIEWER))
    world.services.memberships.forget("acme")
    answer = await world.as_("acme", Role.VIEWER).execute("{ viewer { id } }")
    assert answer.codes == ["FORBIDDEN"]

    assert told(await entries(world, kind="ACCESS_DENIED"), "subject", "field") == [
        (user_uid("acme", Role.VIEWER), None)
    ]


async def test_sockets_come_go_and_are_refused(stage: Stage):
    client = await stage.client("acme", Role.MEMBER)
    await client.disconnect()
    refused = await stage.client()
    await refused.init(signed("acme", Role.MEMBER, seconds=-60))
    stranger = await stage.client()
    await stranger.connect(Origin="https://evil.example")

    assert sorted(told(await entries(stage.world), "kind", "outcome")) == [
        ("SOCKET_CLOSED", "SUCCEEDED"),
        ("SOCKET_CONNECTED", "SUCCEEDED"),
    ]
    assert sorted(told(await platforms(stage.world, kind="SOCKET_REFUSED"), "code")) == [
        ("HTTP_403",),
        ("UNAUTHENTICATED",),
    ]


async def test_an_entry_tells_the_network_and_not_the_machine(world: World):
    await world.as_("acme", Role.VIEWER).execute("{ changes { edges { cursor } } }")

    (entry,) = await entries(world)

    assert re.fullmatch(r"10\.0\.\d+\.0/24", entry["address"])


async def test_without_the_feature_of_the_plan_it_is_kept_and_not_read(world: World):
    operator = world.as_(None, Role.PLATFORM)
    await done(operator, "changePlan", "tenant { slug }", slug="acme", plan="FREE")
    world.services.memberships.forget("acme")
    answer = await world.as_("acme", Role.ADMIN).execute("{ auditEvents { edges { cursor } } }")

    assert answer.codes == ["FORBIDDEN"]


async def test_pages_go_on_where_the_last_one_ended(clocked: Stage, clock: Clock):
    world = clocked.world
    for _ in range(5):
        clock.forward(minutes=1)
        await world.as_("acme", Role.VIEWER).execute("{ changes { edges { cursor } } }")
    query = """query ($after: String) { auditEvents(first: 2, after: $after, filter: {kind: ACCESS_DENIED}) {
        pageInfo { hasNextPage endCursor } edges { node { at } } } }"""
    seen, after, pages = list[str](), None, 0
    while pages < 5:
        page = (await world.as_("acme", Role.ADMIN).data(query, after=after))["auditEvents"]
        seen += [edge["node"]["at"] for edge in page["edges"]]
        after, pages = page["pageInfo"]["endCursor"], pages + 1
        if not page["pageInfo"]["hasNextPage"]:
            break

    assert pages == 3
    assert len(set(seen)) == 5
    assert seen == sorted(seen, reverse=True)


async def test_a_page_is_one_query(world: World):
    calls = await world.as_("acme", Role.ADMIN).calls("{ auditEvents { edges { cursor } } }")

    assert calls == ["Query"]


async def test_every_entry_is_a_line_of_the_log_without_a_value(world: World):
    with log_lines("audit") as lines:
        await world.as_("acme", Role.ADMIN).mutate(
            "inviteUser", "user { id }", email="canary@acme.example", name="Canary"
        )
        await world.as_("acme", Role.VIEWER).execute("{ changes { edges { cursor } } }")

    assert [(line["entry"]["kind"], line["entry"]["outcome"]) for line in lines()] == [
        ("ADMINISTRATION", "BEGUN"),
        ("ADMINISTRATION", "SUCCEEDED"),
        ("ACCESS_DENIED", "REFUSED"),
    ]
    assert {line["logger"] for line in lines()} == {"audit"}
    assert "anary" not in str(lines())


async def _with_token(world: World, bearer: str) -> None:
    reply = await call(
        world.app,
        "POST",
        "/graphql",
        {"authorization": f"Bearer {bearer}", "content-type": "application/json"},
        b'{"query": "{ __typename }"}',
    )
    assert reply.status == 401


async def _viewer(world: World, tenant: str, role: Role) -> str:
    return (await world.as_(tenant, role).data("{ viewer { id } }"))["viewer"]["id"]
