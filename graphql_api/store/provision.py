"""The data table where no template makes it: on one machine and in tests."""

from graphql_api.store.client import Database
from graphql_api.store.schema import EXPIRY, table_definition


async def create_table(database: Database) -> bool:
    """Create the table with its TTL; False if it exists already."""
    client, name = database.client, database.table_name
    try:
        await client.create_table(**table_definition(name))
    except client.exceptions.ResourceInUseException:
        return False
    await client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    await client.update_time_to_live(
        TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": EXPIRY}
    )
    return True
