"""Custom fields that tests define, and what tasks are seen to say in them."""

from typing import Any

from tests.features.builders import connection_of, done
from tests.world import World

VALUE = "customFields { key name type text number boolean date choice }"
FIELDS = "customFields { version fields { key name type options archived filterable } }"
SELECTED = """query ($filter: TaskFilter, $first: Int, $after: String) {
    list: tasks(filter: $filter, first: $first, after: $after) {
        edges { node { id title } } pageInfo { hasNextPage endCursor } } }"""


async def a_field(admin: World, key: str, type: str = "TEXT", **more: Any) -> Any:
    """The field as it was made; a CHOICE has the options low and high."""
    options = {"options": ["low", "high"]} if type == "CHOICE" else {}
    given = {"key": key, "name": key.title(), "type": type, **options, **more}
    made = await done(admin, "createCustomField", FIELDS, **given)
    return made["fields"][-1]


async def selected(world: World, **value: Any) -> list[str]:
    """The titles of the tasks that have a value, on a page of a hundred."""
    data = await world.data(SELECTED, filter={"customField": value}, first=100)
    return [edge["node"]["title"] for edge in connection_of(data)["edges"]]
