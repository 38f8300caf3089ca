import json

from graphql_api.auth.identity import Role
from graphql_api.changes.verify import Verifier
from graphql_api.deadline import Deadline
from graphql_api.lifecycle.importing import Importer
from graphql_api.store.inventory import EXPORTED, PASSING
from graphql_api.store.keys import tenant_family
from tests.lifecycle.estate import (
    READ,
    begun,
    dump,
    folder,
    furnish,
    kinds,
    of,
    operator,
    platform,
    traces,
    work,
)
from tests.realtime.stage import Clock, Stage


async def test_a_tenant_is_exported_erased_and_nothing_is_left(stage: Stage, clock: Clock) -> None:
    client, others = await furnish(stage, "acme"), await furnish(stage, "globex")
    before = await dump(stage)
    assert kinds(of("acme", before)) == EXPORTED | PASSING
    assert any(pk.startswith("C#@WEBHOOKS") for _, pk, _ in traces("acme", before))
    assert any(pk.endswith("#DELIVERIES") for _, pk, _ in of("acme", before))

    exported = await begun(stage.world.as_("acme", Role.ADMIN), "exportTenant")
    assert (await work(stage, clock, exported))["state"] == "DONE"
    manifest = json.loads((folder(stage, "acme") / "manifest.json").read_text())
    erasing = await begun(operator(stage.world), "eraseTenant", slug="acme", confirm="acme")
    over = await work(stage, clock, erasing)

    assert over["state"] == "DONE"
    assert over["items"] >= sum(manifest["items"].values())
    after = await dump(stage)
    assert of("acme", after) == {}
    assert traces("acme", after) == []
    assert not client.is_open
    assert others.is_open
    assert of("globex", after) == of("globex", before)
    listed = await operator(stage.world).data(
        "{ tenants { edges { node { slug name status erasureBegunAt erasedAt erasedItems } } } }"
    )
    (tombstone,) = (edge["node"] for edge in listed["tenants"]["edges"] if edge["node"]["slug"] == "acme")
    assert tombstone["name"] == "acme"
    assert tombstone["status"] == "SUSPENDED"
    assert tombstone["erasureBegunAt"] < tombstone["erasedAt"]
    assert tombstone["erasedItems"] == over["items"]


async def test_an_export_that_is_imported_again_reads_as_before_and_its_log_holds(
    stage: Stage, clock: Clock
) -> None:
    await furnish(stage, "acme")
    admin = stage.world.as_("acme", Role.ADMIN)
    read = await admin.data(READ)
    exported = await begun(admin, "exportTenant")
    await work(stage, clock, exported)
    before = of("acme", await dump(stage))
    await work(stage, clock, await begun(operator(stage.world), "eraseTenant", slug="acme", confirm="acme"))
    place = folder(stage, "acme")

    items = await Importer(
        stage.world.services.sources,
        platform(stage),
        "acme",
        lambda name: (place / name).read_bytes(),
        Deadline.after(60),
    ).run()

    after = of("acme", await dump(stage))
    kept = {key: item for key, item in before.items() if key[1].split("#")[2] in EXPORTED}
    assert items == len(kept) == len(after)
    renamed = {key for key in kept if kept[key] != after[key]}
    # An epoch begins: no cursor of what was after the export is good any more.
    assert {pk for _, pk, _ in renamed} == {"T#acme#LOG", "T#acme#LOG#SEGMENTS"}
    clock.forward(minutes=1)
    stage.world.services.memberships.forget("acme")
    assert await admin.data(READ) == read
    await stage.pump()
    sources = stage.world.services.sources
    log = sources.change_log(tenant_family("acme"), Deadline.after(60))
    verified = await Verifier(log, now=sources.now, retention=sources.log_retention).run()
    assert verified.first == 1
