"""What a job costs: calls by kind, of a tenant of known size."""

import pytest

from graphql_api.auth.identity import Role
from graphql_api.lifecycle import export
from graphql_api.lifecycle.lines import from_line
from graphql_api.store.keys import INVENTORY_SHARDS
from tests.lifecycle.estate import begun, dump, folder, furnish, of, operator, work
from tests.realtime.stage import Clock, Stage


async def test_an_export_reads_each_item_once_in_batches(stage: Stage) -> None:
    await furnish(stage, "acme")
    await begun(stage.world.as_("acme", Role.ADMIN), "exportTenant")
    guard = stage.world.guard
    guard.forget_calls()
    steps = await stage.jobs.handle()
    made = guard.operations
    # A look into each shard of both tables, and the list of jobs.
    assert made["Query"] == 2 * INVENTORY_SHARDS + 1
    # For each step the job and at most a batch of items; the log's end twice, the registration once.
    assert made["BatchGetItem"] <= 2 * steps + 3
    assert made["UpdateItem"] == steps
    assert set(made) == {"Query", "BatchGetItem", "UpdateItem"}


async def test_an_erasure_deletes_each_item_once(stage: Stage, clock: Clock) -> None:
    await furnish(stage, "acme")
    job = await begun(operator(stage.world), "eraseTenant", slug="acme", confirm="acme")
    items = len(of("acme", await dump(stage)))
    guard = stage.world.guard
    guard.forget_calls()
    steps = await stage.jobs.handle()
    made = guard.operations
    found = await operator(stage.world).data("query ($id: ID!) { job(id: $id) { items } }", id=job["id"])
    # The socket's own items, and its share of the counts, go with the socket; the log's head with each step.
    assert items - 8 <= found["job"]["items"] <= items
    assert made["DeleteItem"] <= items + steps + 8
    assert made["Query"] <= steps * (2 * INVENTORY_SHARDS + 1) + 1


async def test_a_large_tenant_takes_more_files_which_hold_the_same(
    stage: Stage, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await furnish(stage, "acme")
    monkeypatch.setattr(export, "_CHUNK", 2)
    monkeypatch.setattr(export, "MAX_FILE_ITEMS", 3)
    await work(stage, clock, await begun(stage.world.as_("acme", Role.ADMIN), "exportTenant"))
    files = [file for file in folder(stage, "acme").iterdir() if file.suffix == ".ndjson"]
    lines = [from_line(text) for file in files for text in file.read_bytes().splitlines()]
    expected = {
        key
        for key in of("acme", await dump(stage))
        if key[1].split("#")[2] not in ("BUDGET", "GROUP", "SOCKET", "SOCKETS", "TOPIC")
    }
    assert max(file.read_bytes().count(b"\n") for file in files) <= 4
    assert len({file.name.rpartition("-")[0] for file in files}) < len(files)
    assert len(lines) == len(expected)
    assert {(line.table, line.key.partition, line.key.sort) for line in lines} == expected


async def test_a_tenant_that_no_export_can_list_is_told_so(
    stage: Stage, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await furnish(stage, "acme")
    monkeypatch.setattr(export, "MAX_FILES", 2)
    job = await work(stage, clock, await begun(stage.world.as_("acme", Role.ADMIN), "exportTenant"))
    assert (job["state"], job["failure"]) == ("FAILED", "The tenant has more than an export can list.")
