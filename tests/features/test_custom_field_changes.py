"""Custom fields and settings in the audit log and in what subscribers hear."""

import dataclasses
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from graphql_api.auth.identity import Identity, Role
from graphql_api.realtime.delivery import Audience
from tests.features.builders import a_task, connection_of, done
from tests.features.fields import FIELDS, a_field
from tests.realtime.board import a_listener, told
from tests.realtime.stage import Stage, open_stage

CHANGES = """query ($filter: ChangeFilter) { list: changes(filter: $filter) { edges { node {
    action entityType entityId attributes { name before after } } } } }"""
HEARD = """subscription { taskChanged { action task { title customFields { key name number choice } } } }"""
OVERDUE = """subscription { projectChanged { project {
    tasks(filter: {overdue: true}) { edges { node { title } } } } } }"""


@pytest.fixture
async def stage(engine_endpoint: str) -> AsyncIterator[Stage]:
    async with open_stage(engine_endpoint) as opened:
        yield opened


async def logged(stage: Stage, **filter: Any) -> list[Any]:
    """Entries of the log, the latest first, with their attributes before and after."""
    await stage.pump()
    data = await stage.world.as_("acme", Role.ADMIN).data(CHANGES, filter=filter)
    entries = [edge["node"] for edge in connection_of(data)["edges"]]
    for entry in entries:
        entry["attributes"] = {
            one["name"]: tuple(side and json.loads(side) for side in (one["before"], one["after"]))
            for one in entry["attributes"]
        }
    return entries


async def test_the_log_tells_values_before_and_after_and_no_slots(stage: Stage):
    admin = stage.world.as_("acme", Role.ADMIN)
    await a_field(admin, "severity", "CHOICE", filterable=True)
    await a_field(admin, "effort", "NUMBER")
    task = await a_task(admin, customFields=[{"key": "severity", "choice": "low"}])
    change = [{"key": "severity", "choice": "high"}, {"key": "effort", "number": "2.50"}]
    await done(admin, "updateTask", "task { id }", id=task, customFields=change)
    updated, created = await logged(stage, entityId=task)
    low, high = ({"key": "severity", "value": value} for value in ("low", "high"))
    effort = {"key": "effort", "value": "2.5"}
    assert updated["attributes"] == {"customFields": ([low], [effort, high])}
    assert created["attributes"]["customFields"] == (None, [low])
    assert "slots" not in created["attributes"]


async def test_the_log_tells_of_definitions_and_settings(stage: Stage):
    admin = stage.world.as_("acme", Role.ADMIN)
    await a_field(admin, "effort", "NUMBER")
    fields = (await admin.data("{ customFields { id } }"))["customFields"]["id"]
    await done(admin, "updateCustomField", FIELDS, key="effort", name="Hours")
    latest, *_ = await logged(stage, entityId=fields)
    before, after = latest["attributes"]["fields"]
    assert (latest["entityType"], before[0]["name"], after[0]["name"]) == ("CustomFields", "Effort", "Hours")
    tenant = (await admin.data("{ tenant { id } }"))["tenant"]["id"]
    await done(admin, "updateTenant", "tenant { id }", settings={"timeZone": "Europe/Paris"})
    latest, *_ = await logged(stage, entityId=tenant)
    before, after = latest["attributes"]["settings"]
    assert (before["timeZone"], after["timeZone"]) == ("UTC", "Europe/Paris")


async def test_subscribers_hear_values_as_readers_see_them(stage: Stage):
    admin = stage.world.as_("acme", Role.ADMIN)
    await a_field(admin, "severity", "CHOICE", filterable=True)
    await a_field(admin, "effort", "NUMBER")
    await stage.pump()
    listener = await a_listener(stage, HEARD, Role.VIEWER)
    stranger = await stage.client("globex", Role.VIEWER)
    await stranger.subscribe(HEARD)
    task = await a_task(admin, customFields=[{"key": "effort", "number": "1.5"}])
    await done(
        admin, "updateTask", "task { id }", id=task, customFields=[{"key": "severity", "choice": "low"}]
    )
    await done(admin, "deleteTask", "task { id }", id=task)
    await stage.pump()
    effort = {"key": "effort", "name": "Effort", "number": "1.5", "choice": None}
    severity = {"key": "severity", "name": "Severity", "number": None, "choice": "low"}
    heard = [(event["action"], event["task"]["customFields"]) for event in told(listener.taken())]
    assert heard == [("CREATED", [effort]), ("UPDATED", [severity, effort]), ("DELETED", [severity, effort])]
    assert stranger.taken() == []


async def test_events_are_executed_with_the_settings_of_their_tenant(stage: Stage):
    admin = stage.world.as_("acme", Role.ADMIN)
    await a_task(admin, title="late", dueOn="2020-01-01")
    project = (await admin.data("{ projects { edges { node { id } } } }"))["projects"]["edges"][0]["node"][
        "id"
    ]
    await stage.pump()
    listener = await a_listener(stage, OVERDUE)
    await done(admin, "updateProject", "project { id }", id=project, name="Renamed")
    await stage.pump()
    (event,) = told(listener.taken())
    assert event["project"]["tasks"]["edges"] == [{"node": {"title": "late"}}]


def test_an_audience_has_all_that_an_identity_has():
    identity = Identity("somebody", Role.MEMBER, "acme", 99)
    audience = Audience(identity)
    for field in dataclasses.fields(Identity):
        assert getattr(audience, field.name) == getattr(identity, field.name)
