"""The tables where no template makes them: on one machine and in tests."""

from typing import Any

from graphql_api.store.client import Database
from graphql_api.store.schema import EXPIRY, control_definition, table_definition


async def create_tables(database: Database) -> None:
    """Create both tables with their TTL, unless they exist already."""
    await _create(database, table_definition(database.table_name))
    await _create(database, control_definition(database.control_table_name))


async def _create(database: Database, definition: dict[str, Any]) -> None:
    client, name = database.client, definition["TableName"]
    try:
        await client.create_table(**definition)
    except client.exceptions.ResourceInUseException:
        return
    await client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    await client.update_time_to_live(
        TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": EXPIRY}
    )
