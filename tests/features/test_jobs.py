import json
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest

from graphql_api.auth.identity import Identity, Role
from graphql_api.deadline import Deadline
from graphql_api.features.tenants import TenantRegistration, TenantStatus
from graphql_api.handlers.events import JobsHandler
from tests.features.builders import done, outcome
from tests.world import TENANT_POLICY, World

JOB = "job { id work slug state items }"
FILE = (
    "query ($id: ID!, $name: String!) { job(id: $id) { state file(name: $name) { name size sha256 url } } }"
)
BY_ID = "query ($id: ID!) { job(id: $id) { slug } }"
LISTED = "{ jobs { edges { node { slug work state } } pageInfo { hasNextPage } } }"


@pytest.fixture
def admin(world: World) -> World:
    return world.as_("acme", Role.ADMIN)


@pytest.fixture
def operator(world: World) -> World:
    return world.as_(None, Role.PLATFORM)


def content(url: str) -> Any:
    return json.loads(Path(url2pathname(urlsplit(url).path)).read_text())


async def finished(world: World) -> None:
    """Let the jobs' function work, with its own rights."""
    mark = TENANT_POLICY.set("lifecycle")
    try:
        await JobsHandler(world.services).handle()
    finally:
        TENANT_POLICY.reset(mark)


async def test_an_administrator_exports_the_own_tenant_and_fetches_the_files(admin: World, operator: World):
    job = await done(admin, "exportTenant", JOB)
    assert (job["work"], job["slug"], job["state"]) == ("EXPORT", "acme", "RUNNING")
    asked = {"id": job["id"], "name": "manifest.json"}
    assert (await admin.data(FILE, **asked))["job"]["file"] is None
    await finished(admin)

    found = (await admin.data(FILE, **asked))["job"]
    manifest = content(found["file"]["url"])
    assert found["state"] == "DONE"
    assert manifest["tenant"]["slug"] == "acme"
    for entry in manifest["files"]:
        one = (await admin.data(FILE, id=job["id"], name=entry["name"]))["job"]["file"]
        assert (one["size"], one["sha256"]) == (entry["size"], entry["sha256"])
    assert (await admin.data(FILE, id=job["id"], name="../globex"))["job"]["file"] is None
    # Operators see tenants, never their data.
    assert (await operator.execute(FILE, **asked)).codes == ["FORBIDDEN"]
    shutil.rmtree(admin.services.settings.export_directory)


async def test_another_tenants_export_is_not_found(admin: World, operator: World, world: World):
    assert (await outcome(admin, "exportTenant", JOB, slug="globex"))["message"] == "Tenant not found."
    job = await done(operator, "exportTenant", JOB, slug="globex")
    for reader, codes in ((admin, ["NOT_FOUND"]), (world.as_("globex", Role.ADMIN), [])):
        assert (await reader.execute(BY_ID, id=job["id"])).codes == codes
    assert (await admin.data(LISTED))["jobs"]["edges"] == []
    listed = await world.as_("globex", Role.ADMIN).data(LISTED)
    assert [edge["node"]["slug"] for edge in listed["jobs"]["edges"]] == ["globex"]


async def test_operators_see_the_jobs_of_all_tenants_the_latest_first(operator: World, admin: World):
    await done(admin, "exportTenant", JOB)
    await done(operator, "exportTenant", JOB, slug="globex")
    listed = await operator.data(LISTED)
    assert {edge["node"]["slug"] for edge in listed["jobs"]["edges"]} == {"acme", "globex"}


async def test_a_tenant_has_one_job_at_a_time(admin: World, operator: World):
    await done(admin, "exportTenant", JOB)
    assert (await outcome(admin, "exportTenant", JOB))["code"] == "CONFLICT"
    assert (await outcome(operator, "eraseTenant", JOB, slug="acme", confirm="acme"))["code"] == "CONFLICT"
    await finished(admin)
    await done(admin, "exportTenant", JOB)
    shutil.rmtree(admin.services.settings.export_directory)


async def test_an_operator_says_which_tenant_is_exported(operator: World):
    assert (await outcome(operator, "exportTenant", JOB))["field"] == "slug"
    assert (await outcome(operator, "exportTenant", JOB, slug="nobody"))["code"] == "NOT_FOUND"


async def test_the_key_of_a_namesake_in_another_tenant_is_another(world: World):
    """Both jobs are the platform's; a person of the same subject in another tenant is somebody else."""
    jobs = [
        await done(world.as_(slug, Role.ADMIN, f"{slug}-admin"), "exportTenant", JOB, idempotencyKey="key-1")
        for slug in ("acme", "globex")
    ]
    again = await done(world.as_("acme", Role.ADMIN), "exportTenant", JOB, idempotencyKey="key-1")
    assert [job["slug"] for job in jobs] == ["acme", "globex"]
    assert again["id"] == jobs[0]["id"]


async def test_an_erasure_needs_the_slug_twice_and_a_tenant(operator: World):
    wrong = await outcome(operator, "eraseTenant", JOB, slug="acme", confirm="globex")
    assert wrong["field"] == "confirm"
    for slug in ("nobody", "T#acme"):
        assert (await outcome(operator, "eraseTenant", JOB, slug=slug, confirm=slug))["code"] == "NOT_FOUND"


async def test_whoever_opens_a_tenant_at_the_same_moment_does_not_open_it(operator: World, admin: World):
    """An onboarding or a reactivation that was under way writes its status behind the erasure's."""
    await done(operator, "eraseTenant", JOB, slug="acme", confirm="acme")
    context = admin.services.new_context(
        Identity("operator", Role.PLATFORM, None, 0), request_id="late", deadline=Deadline.after(10)
    )
    registration = await context.platform.fresh().get(TenantRegistration, "acme")
    opened = context.platform.stamped(registration, status=TenantStatus.ACTIVE)
    await context.platform.commit(context.platform.change(registration, opened), leaves=[opened])
    await context.close()
    admin.services.memberships.forget("acme")
    assert (await admin.execute("{ tenant { name } }")).codes == ["FORBIDDEN"]


async def test_a_tenant_that_is_being_erased_is_shut_out_for_good(operator: World, admin: World):
    await done(operator, "eraseTenant", JOB, slug="acme", confirm="acme")
    admin.services.memberships.forget("acme")
    assert (await admin.execute("{ tenant { name } }")).codes == ["FORBIDDEN"]
    for field, more in (
        ("reactivateTenant", {}),
        ("suspendTenant", {}),
        ("changePlan", {"plan": "PRO"}),
        ("exportTenant", {}),
        ("eraseTenant", {"confirm": "acme"}),
        ("onboardTenant", {"name": "Acme", "adminEmail": "a@b.example", "adminName": "A"}),
    ):
        selection = JOB if field in ("exportTenant", "eraseTenant") else "tenant { slug }"
        assert (await outcome(operator, field, selection, slug="acme", **more))["code"] == "CONFLICT", field
