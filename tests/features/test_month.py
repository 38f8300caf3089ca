"""The cost points of a calendar month: used up, and open again by a better plan or by the next month."""

from graphql_api.auth.identity import Role
from graphql_api.metering.month import REMEMBERED
from graphql_api.store.keys import tenant_family
from tests.features.builders import done
from tests.features.test_plans import ask, give
from tests.realtime.stage import Clock
from tests.world import World, open_world

QUERY = "{ projects(first: 100) { edges { node { id } } } }"
FAMILY = tenant_family("acme")


async def used_up(world: World) -> World:
    """A member of a tenant whose month is used up, as its usage says."""
    await give(world, "FREE", pointsPerMonth=5_000)
    world.services.usage.count(FAMILY, "Board", {"operations": 1, "points": 5_000})
    await world.services.usage.flush()
    return world.as_("acme", Role.MEMBER)


async def test_a_month_that_is_used_up_refuses_until_a_better_plan_is_chosen(engine_endpoint: str):
    clock = Clock()
    world = await open_world(engine_endpoint, now=clock)
    member = await used_up(world)
    clock.forward(seconds=REMEMBERED.total_seconds() + 1)
    reply, payload = await ask(member, QUERY)
    (error,) = payload["errors"]
    assert (reply.status, error["extensions"]["code"], "data" in payload) == (429, "QUOTA_EXCEEDED", False)
    assert error["extensions"]["limit"] == 5_000
    assert 0 < int(reply.headers["retry-after"]) <= 31 * 24 * 3600
    # What leads out of it is not refused.
    await done(world.as_("acme", Role.ADMIN), "choosePlan", "entitlements { plan }", plan="PRO")
    world.services.memberships.forget("acme")
    reply, payload = await ask(member, QUERY)
    assert (reply.status, "errors" in payload) == (200, False)
    await world.services.close()


async def test_what_leads_out_of_a_month_takes_nothing_else_with_it(engine_endpoint: str):
    clock = Clock()
    world = await open_world(engine_endpoint, now=clock)
    member = await used_up(world)
    clock.forward(seconds=REMEMBERED.total_seconds() + 1)
    skipped = "choosePlan(input: {plan: FREE}) @skip(if: true) { __typename }"
    made = 'createProject(input: {name: "More"}) { __typename }'
    for query in (f"mutation {{ {skipped} {made} }}", f"mutation {{ {made} {skipped} }}"):
        _, payload = await ask(member, query)
        assert payload["errors"][0]["extensions"]["code"] == "QUOTA_EXCEEDED"
    await world.services.close()


async def test_the_next_month_begins_anew_and_another_tenant_has_its_own(engine_endpoint: str):
    clock = Clock()
    world = await open_world(engine_endpoint, now=clock)
    member = await used_up(world)
    clock.forward(seconds=REMEMBERED.total_seconds() + 1)
    assert (await ask(member, QUERY))[0].status == 429
    assert (await ask(world.as_("globex", Role.MEMBER), QUERY))[0].status == 200
    clock.forward(days=32)
    world.services.memberships.forget("acme")
    assert (await ask(member, QUERY))[0].status == 200
    await world.services.close()
