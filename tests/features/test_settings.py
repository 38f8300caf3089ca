"""Settings of a tenant: each is bounded, and each does something."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from graphql_api.auth.identity import Role, TenantSettings
from tests.features.builders import (
    TASKS,
    Clock,
    a_project,
    a_task,
    done,
    listed,
    member_id,
    outcome,
    refusal,
    seen,
    world_at,
)
from tests.world import World

pytestmark = pytest.mark.identity(tenant="acme", role="ADMIN")

SETTINGS = "settings { timeZone defaultDueDays inviteRole emailDomains projectRole }"
DEFAULTS = {
    "timeZone": "UTC",
    "defaultDueDays": None,
    "inviteRole": "ADMIN",
    "emailDomains": [],
    "projectRole": "MANAGER",
}


@pytest.fixture
async def clocked(engine_endpoint: str) -> AsyncIterator[tuple[World, Clock]]:
    """Half past eleven in the evening of 17 May 2030, UTC."""
    async with world_at(engine_endpoint, datetime(2030, 5, 17, 23, 30, tzinfo=UTC)) as opened:
        yield opened


async def settle(world: World, **settings: Any) -> Any:
    """Change acme's settings, and let this process know."""
    changed = await done(world, "updateTenant", f"tenant {{ name version {SETTINGS} }}", settings=settings)
    world.services.memberships.forget("acme")
    return changed


async def test_a_tenant_begins_with_the_defaults(world: World):
    viewer = world.as_("acme", Role.VIEWER)
    assert (await viewer.data(f"{{ tenant {{ {SETTINGS} }} }}"))["tenant"]["settings"] == DEFAULTS


async def test_what_is_left_out_stays_and_null_is_the_default(world: World):
    changed = await settle(world, timeZone="Europe/Paris", defaultDueDays=7)
    assert changed["settings"] == {**DEFAULTS, "timeZone": "Europe/Paris", "defaultDueDays": 7}
    assert changed["name"] == "Acme"
    changed = await settle(world, timeZone=None, emailDomains=[" Example.COM ", "a.example"])
    assert changed["settings"] == {
        **DEFAULTS,
        "defaultDueDays": 7,
        "emailDomains": ["a.example", "example.com"],
    }
    everything = dict.fromkeys(DEFAULTS)
    assert (await settle(world, **everything))["settings"] == DEFAULTS
    globex = await world.as_("globex", Role.VIEWER).data(f"{{ tenant {{ {SETTINGS} }} }}")
    assert globex["tenant"]["settings"] == DEFAULTS


@pytest.mark.parametrize(
    "settings",
    [
        {"timeZone": "Mars/Olympus"},
        {"timeZone": "../../etc/passwd"},
        {"timeZone": "UTC-3"},
        {"timeZone": ""},
        {"defaultDueDays": -1},
        {"defaultDueDays": 3651},
        {"inviteRole": "MEMBER"},
        {"inviteRole": "PLATFORM"},
        {"projectRole": "VIEWER"},
        {"projectRole": "PLATFORM"},
        {"emailDomains": ["example"]},
        {"emailDomains": ["a@b.example"]},
        {"emailDomains": [f"{'x' * 63}.{'y' * 63}.{'z' * 63}.{'w' * 63}.example"]},
        {"emailDomains": [f"a{number}.example" for number in range(21)]},
    ],
)
async def test_a_setting_has_bounds(world: World, settings: dict[str, Any]):
    refused = await outcome(world, "updateTenant", "__typename", settings=settings)
    assert (refused["code"], refused["field"]) == ("BAD_USER_INPUT", f"settings.{next(iter(settings))}")


async def test_settings_themselves_cannot_be_null(world: World):
    refused = await outcome(world, "updateTenant", "__typename", settings=None)
    assert (refused["code"], refused["field"]) == ("BAD_USER_INPUT", "settings")


async def test_changes_of_different_settings_add_up(world: World):
    stale = {"expectedVersion": 1, "settings": {"defaultDueDays": 1}}
    await settle(world, timeZone="Europe/Paris")
    await settle(world, defaultDueDays=3)
    assert (await world.data(f"{{ tenant {{ {SETTINGS} }} }}"))["tenant"]["settings"] == {
        **DEFAULTS,
        "timeZone": "Europe/Paris",
        "defaultDueDays": 3,
    }
    assert await refusal(world, "updateTenant", **stale) == "CONFLICT"


@pytest.mark.parametrize(
    ("zone", "overdue"),
    [("UTC", []), ("Europe/Paris", ["17 May"]), ("America/New_York", []), ("Pacific/Kiritimati", ["17 May"])],
)
async def test_overdue_is_by_the_tenant_s_calendar(
    clocked: tuple[World, Clock], zone: str, overdue: list[str]
):
    world, _ = clocked
    await a_task(world, title="17 May", dueOn="2030-05-17")
    await a_task(world, title="18 May", dueOn="2030-05-18")
    await settle(world, timeZone=zone)
    assert await listed(world, filter={"overdue": True}) == overdue


async def test_a_new_task_is_due_as_many_days_from_today_as_the_tenant_wants(clocked: tuple[World, Clock]):
    world, _ = clocked
    project = await a_project(world)
    assert (await seen(world, await a_task(world, project), "dueOn"))["dueOn"] is None
    await settle(world, timeZone="Europe/Paris", defaultDueDays=7)
    task = await a_task(world, project)
    assert (await seen(world, task, "dueOn"))["dueOn"] == "2030-05-25"
    own = await a_task(world, project, dueOn="2030-06-01")
    assert (await seen(world, own, "dueOn"))["dueOn"] == "2030-06-01"
    await done(world, "updateTask", "task { id }", id=task, dueOn=None)
    assert (await seen(world, task, "dueOn"))["dueOn"] is None


@pytest.mark.parametrize(("role", "refused"), [("MEMBER", []), ("MANAGER", ["MEMBER"])])
async def test_who_may_start_projects_is_the_tenant_s_to_say(world: World, role: str, refused: list[str]):
    await settle(world, projectRole=role)
    for asked in (Role.MEMBER, Role.MANAGER, Role.ADMIN):
        answer = await outcome(world.as_("acme", asked), "createProject", "__typename", name="x")
        assert (answer.get("code") == "FORBIDDEN") == (asked in refused)
    await settle(world, projectRole="ADMIN")
    assert await refusal(world.as_("acme", Role.MANAGER), "createProject", name="x") == "FORBIDDEN"
    assert await refusal(world.as_("acme", Role.VIEWER), "createProject", name="x") == "FORBIDDEN"


async def test_managers_invite_where_they_may_and_nobody_above_themselves(world: World):
    manager = world.as_("acme", Role.MANAGER)
    person = {"email": "new@acme.example", "name": "New"}
    assert await refusal(manager, "inviteUser", **person) == "FORBIDDEN"
    await settle(world, inviteRole="MANAGER")
    assert await refusal(manager, "inviteUser", **person, role="ADMIN") == "FORBIDDEN"
    assert await refusal(manager, "inviteUser", **person, role="PLATFORM") == "BAD_USER_INPUT"
    await done(manager, "inviteUser", "user { role }", **person, role="MANAGER")
    assert await refusal(world.as_("acme", Role.MEMBER), "inviteUser", **person) == "FORBIDDEN"
    globex = world.as_("globex", Role.MANAGER)
    assert await refusal(globex, "inviteUser", **person) == "FORBIDDEN"


async def test_a_manager_who_is_one_no_longer_does_not_invite(world: World):
    manager = world.as_("acme", Role.MANAGER)
    await settle(world, inviteRole="MANAGER")
    await manager.data("{ viewer { id } }")
    await done(world, "setUserRole", "user { id }", id=member_id("acme", Role.MANAGER), role="MEMBER")
    # This process has not heard of it yet.
    assert await refusal(manager, "inviteUser", email="x@acme.example", name="X") == "FORBIDDEN"


async def test_an_administrator_invites_whose_token_claims_less(world: World):
    await settle(world, inviteRole="MANAGER")
    narrowed = world.as_("acme", Role.MANAGER, "acme-admin")
    await done(narrowed, "inviteUser", "user { id }", email="x@acme.example", name="X")
    assert (
        await refusal(narrowed, "inviteUser", email="y@acme.example", name="Y", role="ADMIN") == "FORBIDDEN"
    )


async def test_people_are_invited_under_the_tenant_s_domains(world: World):
    await settle(world, emailDomains=["acme.example"])
    refused = await outcome(world, "inviteUser", "__typename", email="x@evil.example", name="X")
    assert (refused["code"], refused["field"]) == ("BAD_USER_INPUT", "email")
    sub = await outcome(world, "inviteUser", "__typename", email="x@sub.acme.example", name="X")
    assert sub["code"] == "BAD_USER_INPUT"
    await done(world, "inviteUser", "user { id }", email="X@Acme.Example", name="X")


def test_a_zone_that_is_no_longer_known_counts_as_utc():
    night = datetime(2030, 5, 17, 23, 30, tzinfo=UTC)
    assert TenantSettings(time_zone="Gone/Away").local_date(night).isoformat() == "2030-05-17"
    assert TenantSettings(time_zone="Europe/Paris").local_date(night).isoformat() == "2030-05-18"


async def test_settings_cost_no_call_of_their_own(world: World):
    await settle(world, timeZone="Europe/Paris", defaultDueDays=7, projectRole="MEMBER")
    project = await a_project(world)
    await world.data("{ __typename }")
    world.guard.forget_calls()
    await a_task(world, project)
    await a_project(world.as_("acme", Role.ADMIN), "Arm")
    operations = [call.operation for call in world.guard.calls]
    assert operations == ["BatchGetItem", "PutItem", "PutItem"]
    assert await world.calls(TASKS, filter={"overdue": True}) == ["Query"] * 4
