"""All that there is of a tenant: every item of its family stands in one index, put there by the store itself.

Both tables have the index, of keys alone. So what a tenant has is found without a Scan and with the tenant's
own rights, whoever wrote it, and also what stands in no other list: what is deleted, the records of
idempotency keys, who holds an e-mail address.
"""

from typing import NamedTuple

from graphql_api.store.keys import (
    FIRST,
    INVENTORY_SHARDS,
    LAST,
    SEPARATOR,
    Family,
    Key,
    after,
    inventory_partition,
)
from graphql_api.store.repository import together
from graphql_api.store.schema import PARTITION, SORT, FamilyIndex
from graphql_api.store.table import Table

# What a tenant's partitions are of, by the first segment behind the family; a kind that is in neither fails
# the build. All are erased. An export leaves out what lives as long as a socket, or refills by itself.
EXPORTED = frozenset(
    {
        "APIKEY",
        "AUDIT",
        "COMMENT",
        "EMAIL",
        "FIELDS",
        "HISTORY",
        "IDEMPOTENCY",
        "INVITATION",
        "KEYSECRET",
        "LOG",
        "PROJECT",
        "TASK",
        "TENANT",
        "USAGE",
        "USER",
        "WEBHOOK",
        "WEBHOOK_SECRET",
        "WORKFLOW",
    }
)
PASSING = frozenset({"BUDGET", "GROUP", "SOCKET", "SOCKETS", "TOPIC"})
_INDEX = FamilyIndex.INVENTORY


class Listed(NamedTuple):
    """An item's key, and where it stands in its shard."""

    place: str
    key: Key


def kind_of(key: Key) -> str:
    """What an item of a tenant is of: the first segment behind the family."""
    return key.partition.split(SEPARATOR)[2]


async def listed(table: Table, family: Family, shard: int, limit: int, behind: str = FIRST) -> list[Listed]:
    """Up to `limit` items of a shard, behind a place. The index follows its table within a second as a rule:
    what was just written may be missing, what was just deleted be there.
    """
    path = inventory_partition(family, shard)
    rows = await table.query(_INDEX, path, after(behind), LAST, limit)
    return [Listed(row[_INDEX.value.sort]["S"], Key(row[PARTITION]["S"], row[SORT]["S"])) for row in rows]


async def some_of(table: Table, family: Family, limit: int) -> list[Key]:
    """Up to `limit` items of each shard; none where the tenant has nothing in this table."""
    shards = await together(listed(table, family, shard, limit) for shard in range(INVENTORY_SHARDS))
    return [one.key for shard in shards for one in shard]
