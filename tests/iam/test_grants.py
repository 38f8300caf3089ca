"""The least that the product needs: no policy grants what neither door ever uses."""

import shutil

from graphql_api.auth.identity import Role
from tests.audit.signer import KeySigner
from tests.features.builders import a_comment, a_project, a_task, done
from tests.iam.guard import (
    CONNECTIONS_ROLE,
    PLATFORM_ROLE,
    REGISTRY_READER_ROLE,
    ROUNDS_ROLE,
    TenantSession,
)
from tests.lifecycle import estate
from tests.realtime.stage import Clock, Stage, open_stage
from tests.world import World, token

LISTEN = "subscription ($after: String) { taskChanged(after: $after) { id } }"


async def onboard(world: World) -> None:
    """Everything there is to the registry."""
    operator = world.as_(None, Role.PLATFORM)
    person = {"adminEmail": "a@umbrella.example", "adminName": "A"}
    await done(operator, "onboardTenant", "tenant { slug }", slug="umbrella", name="Umbrella", **person)
    await done(operator, "suspendTenant", "tenant { slug }", slug="umbrella")
    await done(world, "signUp", "id: tenant { slug }", slug="initech", name="Initech", **person)
    await operator.data("{ tenants { edges { node { slug } } } }")
    await operator.data("{ platformAuditEvents { edges { cursor } } }")


async def invite(world: World) -> None:
    """Somebody new, for as long as who invites them is an administrator."""
    admin = world.as_("acme", Role.ADMIN)
    await done(admin, "inviteUser", "user { id }", email="new@acme.example", name="New")


async def work(world: World) -> None:
    """Tasks and comments come, and change."""
    admin = world.as_("acme", Role.ADMIN)
    task = await a_task(admin, await a_project(admin))
    await a_comment(admin, task)
    await done(admin, "updateTask", "task { id }", id=task, title="Another")
    await admin.data("{ tasks { edges { node { id } } } }")


async def listen(stage: Stage, clock: Clock) -> None:
    """One client hears what happens; another resumes behind what it has seen, and both leave."""
    first, second = await stage.client("acme"), await stage.client("acme")
    await first.subscribe(LISTEN)
    seen = await stage.world.as_("acme", Role.ADMIN).data(
        "{ changes(first: 1) { edges { node { cursor } } } }"
    )
    await work(stage.world)
    await second.subscribe(LISTEN, after=seen["changes"]["edges"][0]["node"]["cursor"])
    # The stream's function is another process, which has yet to learn who may listen.
    stage.world.services.listeners.forget("acme")
    await stage.pump()
    assert first.taken()
    assert second.taken()
    await second.send({"id": "1", "type": "complete"})
    await first.send({"type": "ping"})
    for client in (first, second):
        await client.disconnect()
    await stage.sweep.handle()
    # An operator's socket that nobody else closes.
    stranger = await stage.client()
    await stranger.init(token(None, Role.PLATFORM))
    clock.forward(hours=3)
    await stage.sweep.handle()


async def offboard(stage: Stage, clock: Clock) -> None:
    """A tenant goes, with who still listens."""
    client = await stage.client("acme")
    await client.subscribe(LISTEN)
    exported = await estate.begun(stage.world.as_("acme", Role.ADMIN), "exportTenant")
    await estate.work(stage, clock, exported)
    operator = stage.world.as_(None, Role.PLATFORM)
    erasing = await estate.begun(operator, "eraseTenant", slug="acme", confirm="acme")
    await estate.work(stage, clock, erasing)
    shutil.rmtree(stage.world.services.settings.export_directory)


async def test_every_grant_is_needed_and_nothing_else_is_asked(engine_endpoint: str) -> None:
    clock = Clock()
    async with open_stage(engine_endpoint, signer=KeySigner(), now=clock) as stage:
        guard = stage.world.guard
        await stage.world.services.usage.flush()
        guard.forget_calls()
        guard.grants_used.clear()

        await onboard(stage.world)
        await invite(stage.world)
        await work(stage.world)
        await listen(stage, clock)
        await stage.world.services.usage.flush()
        await offboard(stage, clock)

        assert guard.unused_grants == set()
        assert not guard.refused
        assert {call.principal for call in guard.calls} == {
            CONNECTIONS_ROLE,
            PLATFORM_ROLE,
            REGISTRY_READER_ROLE,
            ROUNDS_ROLE,
            TenantSession("acme"),
            TenantSession("acme", "lifecycle"),
            TenantSession("globex"),  # whose log the round has come by
            TenantSession("initech"),
            TenantSession("umbrella"),
        }
