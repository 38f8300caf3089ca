"""Custom fields: what a tenant adds to its tasks, and the tasks that say something in them."""

from typing import Any

import pytest

from graphql_api.auth.identity import Role
from tests.features.builders import (
    BATCH,
    a_project,
    a_task,
    complete,
    connection_of,
    done,
    every,
    outcome,
    refusal,
    seen,
    some_tasks,
)
from tests.features.fields import FIELDS, SELECTED, VALUE, a_field, selected
from tests.features.test_plans import give
from tests.world import World

pytestmark = pytest.mark.identity(tenant="acme", role="ADMIN")

KINDS: dict[str, tuple[str, Any, Any]] = {
    "TEXT": ("text", " Cafe\u0301 ", "Caf\u00e9"),
    "NUMBER": ("number", "12.50", "12.5"),
    "BOOLEAN": ("boolean", False, False),
    "DATE": ("date", "2030-05-17", "2030-05-17"),
    "CHOICE": ("choice", "high", "high"),
}


async def values(world: World, task: str) -> dict[str, Any]:
    """Key and value of each custom field of a task."""
    told = (await seen(world, task, VALUE))["customFields"]
    return {each["key"]: each[each["type"].lower()] for each in told}


async def test_a_field_is_defined_and_listed_in_order(world: World):
    assert (await world.data(f"{{ {FIELDS} }}"))["customFields"] is None
    first = await a_field(world, "severity", "CHOICE", filterable=True)
    assert first == {
        "key": "severity",
        "name": "Severity",
        "type": "CHOICE",
        "options": ["low", "high"],
        "archived": False,
        "filterable": True,
    }
    await a_field(world, "customer")
    listed = (await world.as_("acme", Role.VIEWER).data(f"{{ {FIELDS} }}"))["customFields"]
    assert [field["key"] for field in listed["fields"]] == ["severity", "customer"]
    assert (await world.as_("globex", Role.ADMIN).data(f"{{ {FIELDS} }}"))["customFields"] is None


@pytest.mark.parametrize("kind", KINDS)
async def test_a_value_of_each_type_is_read_back_typed(world: World, kind: str):
    member, given, expected = KINDS[kind]
    await a_field(world, "field", kind)
    task = await a_task(world, customFields=[{"key": "field", member: given}])
    (told,) = (await seen(world, task, VALUE))["customFields"]
    absent = dict.fromkeys(("text", "number", "boolean", "date", "choice"))
    assert told == {"key": "field", "name": "Field", "type": kind, **absent, member: expected}


async def test_a_task_says_nothing_until_it_is_told(world: World):
    await a_field(world, "customer")
    assert await values(world, await a_task(world)) == {}


async def test_an_update_leaves_what_it_does_not_name_and_null_clears(world: World):
    for key in ("customer", "site"):
        await a_field(world, key)
    task = await a_task(
        world, customFields=[{"key": "customer", "text": "Hub"}, {"key": "site", "text": "A"}]
    )
    await done(world, "updateTask", "task { id }", id=task, customFields=[{"key": "site", "text": "B"}])
    assert await values(world, task) == {"customer": "Hub", "site": "B"}
    changed = await done(
        world, "updateTask", "task { version }", id=task, customFields=[{"key": "customer", "text": None}]
    )
    assert (await values(world, task), changed["version"]) == ({"site": "B"}, 3)
    same = await done(
        world, "updateTask", "task { version }", id=task, customFields=[{"key": "site", "text": "B"}]
    )
    assert same["version"] == 3


@pytest.mark.parametrize(
    ("number", "stored"),
    [
        ("0", "0"),
        ("-0.000", "0"),
        ("0E+999999", "0"),
        ("1e3", "1000"),
        (100, "100"),
        ("999999999999999.999999", "999999999999999.999999"),
        ("-0.000001", "-0.000001"),
        (12.5, "12.5"),
    ],
)
async def test_a_number_is_exact(world: World, number: Any, stored: str):
    await a_field(world, "effort", "NUMBER")
    task = await a_task(world, customFields=[{"key": "effort", "number": number}])
    assert await values(world, task) == {"effort": stored}


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("NUMBER", {"number": "1000000000000000"}),
        ("NUMBER", {"number": "0.0000001"}),
        ("NUMBER", {"number": "1e999999"}),
        ("NUMBER", {"number": "1e-999999"}),
        ("NUMBER", {"number": "NaN"}),
        ("NUMBER", {"number": "-Infinity"}),
        ("NUMBER", {"text": "12"}),
        ("NUMBER", {"number": 1, "text": "1"}),
        ("NUMBER", {"number": 1, "text": None}),
        ("NUMBER", {}),
        ("TEXT", {"text": " "}),
        ("TEXT", {"text": "two\nlines"}),
        ("TEXT", {"text": "x" * 201}),
        ("CHOICE", {"choice": "High"}),
        ("CHOICE", {"text": "high"}),
        ("BOOLEAN", {"choice": "true"}),
    ],
)
async def test_a_value_that_does_not_fit_is_refused_by_its_key(
    world: World, kind: str, value: dict[str, Any]
):
    await a_field(world, "field", kind)
    project = await a_project(world)
    row = {"projectId": project, "title": "Weld", "customFields": [{"key": "field", **value}]}
    refused = await outcome(world, "createTask", "__typename", **row)
    assert (refused["code"], refused["field"]) == ("BAD_USER_INPUT", "customFields.field")
    assert "field" in refused["message"]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ([{"key": "unknown", "text": "x"}], "customFields.key"),
        ([{"key": "customer", "text": "x"}] * 2, "customFields"),
        ([{"key": f"f{n}", "text": "x"} for n in range(21)], "customFields"),
    ],
)
async def test_keys_are_known_and_given_once(world: World, given: list[Any], field: str):
    await a_field(world, "customer")
    task = await a_task(world)
    refused = await outcome(world, "updateTask", "__typename", id=task, customFields=given)
    assert (refused["code"], refused["field"]) == ("BAD_USER_INPUT", field)


async def test_an_archived_field_is_read_and_neither_set_nor_filtered_by(world: World):
    await a_field(world, "customer", filterable=True)
    task = await a_task(world, customFields=[{"key": "customer", "text": "Hub"}])
    later = await done(world, "updateCustomField", FIELDS, key="customer", archived=True)
    assert [(f["archived"], f["filterable"]) for f in later["fields"]] == [(True, False)]
    assert await values(world, task) == {"customer": "Hub"}
    setting = {"customFields": [{"key": "customer", "text": "Nub"}]}
    assert await refusal(world, "updateTask", id=task, **setting) == "BAD_USER_INPUT"
    answer = await world.execute(SELECTED, filter={"customField": {"key": "customer", "text": "Hub"}})
    assert answer.codes == ["BAD_USER_INPUT"]
    again = await done(world, "updateCustomField", FIELDS, key="customer", archived=False)
    assert [(f["archived"], f["filterable"]) for f in again["fields"]] == [(False, False)]
    await done(world, "updateTask", "task { id }", id=task, **setting)
    assert await values(world, task) == {"customer": "Nub"}


async def test_an_option_that_goes_stays_where_it_is_held_and_can_be_filtered_by(world: World):
    await a_field(world, "severity", "CHOICE", filterable=True)
    task = await a_task(world, customFields=[{"key": "severity", "choice": "low"}])
    await done(world, "updateCustomField", FIELDS, key="severity", name="Grade", options=["high", "top"])
    (told,) = (await seen(world, task, VALUE))["customFields"]
    assert (told["name"], told["choice"]) == ("Grade", "low")
    assert await selected(world, key="severity", choice="low") == ["Weld"]
    given = {"customFields": [{"key": "severity", "choice": "low"}]}
    assert await refusal(world, "updateTask", id=task, **given) == "BAD_USER_INPUT"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"key": "Severity"}, "key"),
        ({"key": ""}, "key"),
        ({"key": "a" * 41}, "key"),
        ({"name": " "}, "name"),
        ({"name": "x" * 81}, "name"),
        ({"options": []}, "options"),
        ({"options": ["a", "a "]}, "options"),
        ({"options": [str(n) for n in range(31)]}, "options"),
        ({"options": ["x" * 51]}, "options"),
        ({"type": "TEXT"}, "options"),
    ],
)
async def test_a_definition_has_bounds(world: World, changes: dict[str, Any], field: str):
    given = {"key": "severity", "name": "Severity", "type": "CHOICE", "options": ["low"], **changes}
    refused = await outcome(world, "createCustomField", "__typename", **given)
    assert (refused["code"], refused["field"]) == ("BAD_USER_INPUT", field)


async def test_there_are_twenty_fields_in_use_and_forty_for_good(world: World):
    for number in range(20):
        await a_field(world, f"f{number}")
    more = {"key": "more", "name": "More", "type": "TEXT"}
    assert await refusal(world, "createCustomField", **more) == "BAD_USER_INPUT"
    for number in range(20):
        await done(world, "updateCustomField", FIELDS, key=f"f{number}", archived=True)
        await a_field(world, f"g{number}")
    assert await refusal(world, "updateCustomField", key="f0", archived=False) == "BAD_USER_INPUT"
    await done(world, "updateCustomField", FIELDS, key="g0", archived=True)
    assert await refusal(world, "createCustomField", **more) == "BAD_USER_INPUT"
    await done(world, "updateCustomField", FIELDS, key="f0", archived=False)


async def test_a_key_is_taken_once_and_unknown_ones_are_not_found(world: World):
    await a_field(world, "customer")
    again = {"key": "customer", "name": "Again", "type": "DATE"}
    assert await refusal(world, "createCustomField", **again) == "CONFLICT"
    assert await refusal(world, "updateCustomField", key="unknown", name="x") == "NOT_FOUND"
    stale = {"key": "customer", "name": "x", "expectedVersion": 1}
    assert await refusal(world, "updateCustomField", **stale) == "CONFLICT"
    globex = world.as_("globex", Role.ADMIN)
    assert await refusal(globex, "updateCustomField", key="customer", name="x") == "NOT_FOUND"


async def test_tasks_of_a_value_are_listed_as_an_agenda_page_by_page(world: World):
    await a_field(world, "severity", "CHOICE", filterable=True)
    project = await a_project(world)
    days = [f"2030-05-{day:02}" for day in (3, 1, 2)]
    high = [{"key": "severity", "choice": "high"}]
    rows = [{"title": day[-2:], "dueOn": day, "customFields": high} for day in days]
    tasks = await some_tasks(world, rows, projectId=project)
    await some_tasks(
        world, [{"title": "low", "customFields": [{"key": "severity", "choice": "low"}]}], projectId=project
    )
    await a_task(world, project, "none")
    await complete(world, tasks[1])
    value = {"key": "severity", "choice": "high"}
    assert await selected(world, **value) == ["02", "03", "01"]
    found = await every(world, SELECTED, 1, filter={"customField": value})
    assert [task["title"] for task in found] == ["02", "03", "01"]
    for narrowed, titles in (
        ({"completed": True}, ["01"]),
        ({"completed": False}, ["02", "03"]),
        ({"dueFrom": "2030-05-03"}, ["03"]),
    ):
        data = await world.data(SELECTED, filter={"customField": value, **narrowed})
        assert [edge["node"]["title"] for edge in connection_of(data)["edges"]] == titles


@pytest.mark.parametrize(
    ("kind", "member", "one", "same", "other"),
    [
        ("TEXT", "text", "Hub#1", " Hub#1", "hub#1"),
        ("NUMBER", "number", "1.50", 1.5, "1.500001"),
        ("BOOLEAN", "boolean", True, True, False),
        ("DATE", "date", "2030-05-17", "2030-05-17", "2030-05-18"),
        ("TEXT", "text", "\u00e9", "e\u0301", "e"),
        ("TEXT", "text", "\U0001f6e0" * 200, "\U0001f6e0" * 200, "\U0001f6e0" * 199),
    ],
)
async def test_equal_values_are_found_in_any_form(
    world: World, kind: str, member: str, one: Any, same: Any, other: Any
):
    await a_field(world, "field", kind, filterable=True)
    await a_task(world, customFields=[{"key": "field", member: one}])
    assert await selected(world, key="field", **{member: same}) == ["Weld"]
    assert await selected(world, key="field", **{member: other}) == []


@pytest.mark.parametrize(
    ("filter", "field"),
    [
        ({"customField": {"key": "unknown", "text": "x"}}, "filter.customField.key"),
        ({"customField": {"key": "plain", "text": "x"}}, "filter.customField.plain"),
        ({"customField": {"key": "customer", "text": None}}, "filter.customField.customer"),
        ({"customField": {"key": "customer"}}, "filter.customField.customer"),
        ({"customField": {"key": "customer", "number": 1}}, "filter.customField.customer"),
        ({"customField": {"key": "customer", "text": "x"}, "status": "todo"}, "filter.status"),
    ],
)
async def test_what_no_index_answers_is_refused(world: World, filter: dict[str, Any], field: str):
    await a_field(world, "plain")
    await a_field(world, "customer", filterable=True)
    answer = await world.execute(SELECTED, filter=filter)
    assert [error["extensions"].get("field") for error in answer.errors] == [field]


async def test_a_value_goes_with_the_tasks_of_the_whole_tenant(world: World):
    await a_field(world, "customer", filterable=True)
    project = await a_project(world)
    value = {"key": "customer", "text": "x"}
    answer = await world.execute(SELECTED, filter={"customField": value, "projectId": project})
    assert answer.codes == ["BAD_USER_INPUT"]
    query = """query ($id: ID!, $value: CustomFieldInput) { project(id: $id) {
        tasks(filter: {customField: $value}) { edges { cursor } } } }"""
    assert (await world.execute(query, id=project, value=value)).codes == ["BAD_USER_INPUT"]


async def test_five_fields_can_be_filtered_by_and_an_archived_one_makes_room(world: World):
    for number in range(5):
        await a_field(world, f"f{number}", filterable=True)
    sixth = {"key": "sixth", "name": "Sixth", "type": "TEXT"}
    assert await refusal(world, "createCustomField", **sixth, filterable=True) == "BAD_USER_INPUT"
    task = await a_task(world, customFields=[{"key": "f1", "text": "old"}])
    await done(world, "updateCustomField", FIELDS, key="f1", archived=True)
    await a_field(world, "sixth", filterable=True)
    assert await selected(world, key="sixth", text="old") == []
    await done(world, "updateTask", "task { id }", id=task, customFields=[{"key": "sixth", "text": "new"}])
    assert await selected(world, key="sixth", text="new") == ["Weld"]
    assert await values(world, task) == {"f1": "old", "sixth": "new"}


async def test_another_tenants_values_are_not_found(world: World):
    globex = world.as_("globex", Role.ADMIN)
    for tenant in (world, globex):
        await a_field(tenant, "customer", filterable=True)
    await a_task(globex, title="theirs", customFields=[{"key": "customer", "text": "Hub"}])
    assert await selected(world, key="customer", text="Hub") == []
    assert await selected(globex, key="customer", text="Hub") == ["theirs"]


async def test_rows_of_a_batch_are_refused_by_themselves(world: World):
    await a_field(world, "customer", filterable=True)
    project = await a_project(world)
    rows = [
        {"projectId": project, "title": text or "bad", "customFields": [{"key": "customer", "text": text}]}
        for text in ("a", "", "b")
    ]
    results = await done(world, "createTasks", BATCH, tasks=rows)
    assert [result["__typename"] for result in results] == [
        "CreateTaskPayload",
        "InvalidInputError",
        "CreateTaskPayload",
    ]
    assert await selected(world, key="customer", text="b") == ["b"]


async def test_a_plan_without_the_feature_reads_and_does_not_write(world: World):
    await a_field(world, "customer", filterable=True)
    setting: dict[str, Any] = {"customFields": [{"key": "customer", "text": "Hub"}]}
    project = await a_project(world)
    task = await a_task(world, project, **setting)
    await give(world, "FREE")
    for mutation, payload in (
        ("createCustomField", {"key": "site", "name": "Site", "type": "TEXT"}),
        ("updateCustomField", {"key": "customer", "archived": True}),
        ("createTask", {"projectId": project, "title": "x", **setting}),
        ("updateTask", {"id": task, **setting}),
    ):
        assert await refusal(world, mutation, **payload) == "QUOTA_EXCEEDED"
    row = {"projectId": project, "title": "x", **setting}
    (result,) = await done(world, "createTasks", BATCH, tasks=[row])
    assert result["code"] == "QUOTA_EXCEEDED"
    assert await values(world, task) == {"customer": "Hub"}
    assert await selected(world, key="customer", text="Hub") == ["Weld"]
    await done(world, "updateTask", "task { id }", id=task, title="Still")
    assert await selected(world, key="customer", text="Hub") == ["Still"]


async def test_the_same_request_defines_and_sets_once(world: World):
    given = {"key": "customer", "name": "Customer", "type": "TEXT", "idempotencyKey": "5f1c0b6e"}
    first = await done(world, "createCustomField", FIELDS, **given)
    assert await done(world, "createCustomField", FIELDS, **given) == first
    await a_field(world, "effort", "NUMBER")
    task = await a_task(world)
    change = {"id": task, "customFields": [{"key": "effort", "number": "1.5"}], "idempotencyKey": "5f1c0b6e"}
    for _ in range(2):
        assert (await done(world, "updateTask", "task { version }", **change))["version"] == 2
    other = change | {"customFields": [{"key": "effort", "number": "2.5"}]}
    assert await refusal(world, "updateTask", **other) == "IDEMPOTENCY_MISMATCH"


async def test_the_values_of_a_task_are_priced_as_one_write(world: World):
    task = await a_task(world)
    query = """mutation ($input: UpdateTaskInput!) { updateTask(input: $input) {
        ... on UpdateTaskPayload { task { id } } } }"""
    points = [
        (await world.execute(query, input={"id": task, "customFields": given})).extensions["cost"]["points"]
        for given in ([], [{"key": f"f{number}", "text": "x"} for number in range(20)])
    ]
    assert points[0] == points[1]
