"""What the stream's function makes of an erasure, and of removals that are none."""

from graphql_api.auth.identity import Role
from tests.audit.signer import KeySigner
from tests.features.builders import a_project, a_task
from tests.iam.guard import TenantSession
from tests.lifecycle.estate import begun, dump, furnish, of, operator, take_away, traces, work
from tests.realtime.stage import Clock, Stage, open_stage


async def test_records_that_come_late_do_not_begin_a_log_anew(stage: Stage, clock: Clock) -> None:
    await furnish(stage, "acme")
    await a_task(stage.world.as_("acme", Role.ADMIN), title="unread")
    job = await begun(operator(stage.world), "eraseTenant", slug="acme", confirm="acme")
    for _ in range(4):
        await stage.jobs.handle()
        clock.forward(minutes=1)
    over = await operator(stage.world).data("query ($id: ID!) { job(id: $id) { state } }", id=job["id"])
    assert over["job"]["state"] == "DONE"

    records = await stage.records()
    assert {record["eventName"] for record in records} == {"INSERT", "MODIFY", "REMOVE"}
    for _ in range(2):  # At least once.
        assert await stage.stream.handle({"Records": records}) == {"batchItemFailures": []}

    assert traces("acme", await dump(stage)) == []


async def test_what_the_stream_is_told_between_two_steps_is_erased_too(stage: Stage, clock: Clock) -> None:
    await furnish(stage, "acme")
    admin = stage.world.as_("acme", Role.ADMIN)
    project = await a_project(admin)
    job = await begun(operator(stage.world), "eraseTenant", slug="acme", confirm="acme")
    # A request that was let in before goes on for a while.
    await a_task(admin, project, "late")
    await stage.jobs.handle()
    await a_project(admin, "later")
    assert of("acme", await dump(stage))
    await work(stage, clock, job)
    assert traces("acme", await dump(stage)) == []


async def test_nobody_hears_of_the_removals(stage: Stage, clock: Clock) -> None:
    client = await furnish(stage, "acme")
    client.taken()
    await work(stage, clock, await begun(operator(stage.world), "eraseTenant", slug="acme", confirm="acme"))
    assert [frame["type"] for frame in client.taken()] in ([], ["error"])


async def test_a_removal_past_the_api_is_still_logged(stage: Stage) -> None:
    await furnish(stage, "acme")
    (task,) = [
        key
        for key, item in of("acme", await dump(stage)).items()
        if key[2] == "TASK" and item["title"] == {"S": "one"}
    ]
    before = len(of("acme", await dump(stage)))
    await take_away(stage, task)
    await stage.pump()
    # The task goes; a segment and a history come.
    assert len(of("acme", await dump(stage))) == before + 1


async def test_a_socket_that_is_only_counted_holds_nothing_up(stage: Stage, clock: Clock) -> None:
    await furnish(stage, "acme")
    gone = [item for item in await stage.items() if item["pk"]["S"].startswith("C#socket")]
    assert gone
    await stage.take_away(*gone)
    await work(stage, clock, await begun(operator(stage.world), "eraseTenant", slug="acme", confirm="acme"))
    assert traces("acme", await dump(stage)) == []


async def test_the_round_over_tenants_passes_by_who_is_erased(engine_endpoint: str) -> None:
    clock = Clock()
    async with open_stage(engine_endpoint, now=clock, signer=KeySigner()) as stage:
        await furnish(stage, "acme")
        job = await begun(operator(stage.world), "eraseTenant", slug="acme", confirm="acme")
        await work(stage, clock, job)
        clock.forward(hours=1)
        stage.world.guard.forget_calls()
        await stage.sweep.handle()
        seen = {call.principal for call in stage.world.guard.calls}
        assert TenantSession("globex") in seen
        assert TenantSession("acme") not in seen
        assert traces("acme", await dump(stage)) == []
