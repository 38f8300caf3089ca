import asyncio
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from graphql_api.auth.identity import Identity, Role
from graphql_api.auth.membership import Membership
from graphql_api.auth.plan import DEFAULTS, Tier
from graphql_api.bootstrap import Services, build_services
from graphql_api.deadline import Deadline
from graphql_api.errors import BadCursorError, ForbiddenError, UnauthenticatedError
from graphql_api.features.projects import Project
from graphql_api.readers import MembershipReader
from graphql_api.relay import global_id
from graphql_api.store.cursor import LIFETIME_HOURS
from graphql_api.store.keys import PLATFORM, tenant_family
from graphql_api.store.table import StoreBusyError
from tests.features.builders import Clock, done, failing, member_id, world_at
from tests.world import World, open_world, settings, token, user_uid

NOWHERE = "http://127.0.0.1:1"
ADMIN = Identity("acme-admin", Role.ADMIN, "acme", 0)


@pytest.fixture
def reader(world: World) -> MembershipReader:
    return MembershipReader(world.services.sources.database)


def context_of(services: Services, identity: Identity | None = ADMIN):
    return services.new_context(identity, request_id="r", deadline=Deadline.after(10))


async def test_nothing_is_connected_before_it_is_opened_nor_after_it_is_closed() -> None:
    services = build_services(settings(NOWHERE))

    with pytest.raises(RuntimeError, match="not open"):
        _ = services.sources.database.client
    await services.open()
    client = services.sources.database.client
    await services.open()
    assert services.sources.database.client is client
    await services.close()
    with pytest.raises(RuntimeError, match="not open"):
        _ = services.sources.database.client


async def test_services_can_be_opened_again(world: World) -> None:
    await world.services.close()
    await world.services.open()
    world.guard.watch(world.services.sources.database.client)

    assert (await world.as_("acme", Role.VIEWER).data("{ tenant { slug } }")) == {"tenant": {"slug": "acme"}}


async def test_a_token_becomes_the_member_it_names(world: World) -> None:
    identity = await world.services.authenticate(token("acme", Role.MANAGER))

    assert (identity.subject, identity.tenant, identity.role) == (
        user_uid("acme", Role.MANAGER),
        "acme",
        Role.MANAGER,
    )
    operator = await world.services.authenticate(token(None, Role.PLATFORM))
    assert (operator.tenant, operator.role) == (None, Role.PLATFORM)


async def test_what_is_no_token_and_who_is_no_member_are_told_apart(world: World) -> None:
    with pytest.raises(UnauthenticatedError):
        await world.services.authenticate("no.valid.token")
    for tenant, subject in (("acme", "nobody"), ("initech", "acme-admin"), ("globex", "acme-admin")):
        with pytest.raises(ForbiddenError, match="not a member"):
            await world.services.authenticate(token(tenant, Role.ADMIN, subject))


async def test_a_member_is_read_from_the_tenant_and_the_registry(
    world: World, reader: MembershipReader
) -> None:
    for role in (Role.VIEWER, Role.ADMIN):
        assert await reader.read("acme", user_uid("acme", role)) == Membership(
            role, active=True, tenant_active=True, allowance=DEFAULTS[Tier.ENTERPRISE]
        )
    assert await reader.read("acme", user_uid("globex", Role.ADMIN)) is None
    assert await reader.read("initech", "nobody") is None


async def test_each_record_is_read_with_its_owners_rights(world: World, reader: MembershipReader) -> None:
    world.guard.forget_calls()
    await reader.read("acme", user_uid("acme", Role.VIEWER))

    principals = {str(call.principal): call.operation for call in world.guard.calls}
    assert len(principals) == 2
    assert set(principals.values()) == {"BatchGetItem"}


async def test_a_suspension_of_the_user_or_the_tenant_is_read(world: World, reader: MembershipReader) -> None:
    person = user_uid("acme", Role.VIEWER)
    await done(world.as_("acme", Role.ADMIN), "suspendUser", "user { id }", id=member_id("acme", Role.VIEWER))
    assert await reader.read("acme", person) == Membership(
        Role.VIEWER, active=False, tenant_active=True, allowance=DEFAULTS[Tier.ENTERPRISE]
    )

    await done(world.as_(None, Role.PLATFORM), "suspendTenant", "tenant { slug }", slug="acme")
    assert await reader.read("acme", person) == Membership(
        Role.VIEWER, active=False, tenant_active=False, allowance=DEFAULTS[Tier.ENTERPRISE]
    )


async def test_nobody_comes_in_while_the_records_cannot_be_read(world: World) -> None:
    with failing(world, "BatchGetItem"):
        answer = await world.as_("acme", Role.VIEWER).execute("{ __typename }")
        assert answer.codes == ["DEADLINE_EXCEEDED"]
        with pytest.raises(StoreBusyError):
            await world.services.authenticate(token("acme", Role.ADMIN))
    assert await world.as_("acme", Role.VIEWER).data("{ __typename }")


async def test_a_member_who_asks_many_things_at_once_is_looked_up_once(world: World) -> None:
    viewer = world.as_("acme", Role.VIEWER)

    await asyncio.gather(*(viewer.data("{ __typename }") for _ in range(20)))
    assert world.guard.operations["BatchGetItem"] == 2


async def test_a_context_reaches_what_its_caller_may(world: World) -> None:
    member, operator, nobody = (
        context_of(world.services, identity)
        for identity in (ADMIN, Identity("operator", Role.PLATFORM, None, 0), None)
    )

    assert member.repository.family == tenant_family("acme")
    assert operator.platform.family == PLATFORM
    assert operator.founding("initech").family == tenant_family("initech")
    for refused in (lambda: member.platform, lambda: member.founding("globex"), lambda: operator.repository):
        with pytest.raises(ForbiddenError):
            refused()
    for refused in (lambda: nobody.repository, lambda: nobody.platform, lambda: nobody.founding("acme")):
        with pytest.raises(UnauthenticatedError):
            refused()
    for context in (member, operator, nobody):
        await context.close()


async def test_time_and_ids_come_from_where_the_services_were_given_them(engine_endpoint: str) -> None:
    clock, numbers = Clock(datetime(2030, 5, 17, 23, tzinfo=UTC)), count()
    world = await open_world(engine_endpoint, now=clock, make_uid=lambda: f"{next(numbers):026}")
    try:
        assert context_of(world.services).today.isoformat() == "2030-05-17"
        clock.forward(hours=1)
        assert context_of(world.services).today.isoformat() == "2030-05-18"
        made = await done(
            world.as_("acme", Role.MANAGER), "createProject", "project { id createdAt }", name="Gripper"
        )
        assert made == {
            "id": global_id(Project, f"{next(numbers) - 1:026}"),
            "createdAt": "2030-05-18T00:00:00+00:00",
        }
    finally:
        await world.services.close()


async def test_cursors_expire_by_the_same_clock(engine_endpoint: str) -> None:
    async with world_at(engine_endpoint) as (world, clock):
        cursors = world.services.sources.cursors
        cursor = cursors.seal("position", ("scope",))
        clock.now += timedelta(hours=LIFETIME_HOURS)
        assert cursors.open(cursor, ("scope",)) == "position"
        clock.forward(hours=1)
        with pytest.raises(BadCursorError):
            cursors.open(cursor, ("scope",))


def test_two_installations_share_nothing() -> None:
    one, other = (build_services(settings(NOWHERE)) for _ in range(2))

    assert one.sources.database is not other.sources.database
    assert one.memberships is not other.memberships
    assert one.operations is not other.operations
