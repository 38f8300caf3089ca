"""Every key of the table is built here; nothing else concatenates one.

`T#<tenant>#…` for all that a tenant owns, index partitions included; `P#…` for what the platform owns;
`C#<connection>` for a socket's identity and expiry, looked up before its tenant is known.
A path's segments never contain the separator, so the encoding is injective: no id crosses a boundary.
"""

import hashlib
import re
from dataclasses import dataclass
from typing import NamedTuple, NewType

from graphql_api.auth.identity import TENANT_SLUG

SEPARATOR = "#"
SEGMENT = re.compile(r"\A[^#\x00-\x1f\x7f\ud800-\udfff]{1,320}\Z")
# Sorts before every printable character: "Site" stands before "Site map".
SORT_SEPARATOR = "\x1f"
# The ends of any sort range: nothing sorts before the one, and no sort key begins with the other.
FIRST, LAST = "\x00", "\U0010ffff"
INVENTORY_SHARDS = 8  # Each takes 1,000 new items a second (DynamoDB).
MAX_TEXT_BYTES = 900  # leaves room for a uid and a word in the 1,024 bytes of a sort key (DynamoDB)

Family = NewType("Family", str)
PLATFORM = Family("P")
CONNECTIONS = Family("C")


class MalformedKeyError(ValueError):
    """A segment that could reach into another partition; a bug, never a user's mistake."""


@dataclass(frozen=True, slots=True)
class Key:
    """The primary key of one item."""

    partition: str
    sort: str


def tenant_family(slug: str) -> Family:
    """The family that holds everything of one tenant."""
    if not TENANT_SLUG.match(slug):
        raise MalformedKeyError("not a tenant slug")
    return Family(f"T{SEPARATOR}{slug}")


def tenant_of(family: Family) -> str:
    """The slug of a tenant's family."""
    return family.removeprefix(f"T{SEPARATOR}")


def partition(family: Family, *path: str) -> str:
    """A partition key inside a family: of the table or of an index."""
    if not path or not all(SEGMENT.match(segment) for segment in path):
        raise MalformedKeyError("not a key path")
    return SEPARATOR.join((family, *path))


def digest(text: str) -> str:
    """A segment for anybody's text, which may itself be too long or hold the separator."""
    return hashlib.sha256(text.encode()).hexdigest()


def entity_key(family: Family, kind: str, uid: str) -> Key:
    """The key of an entity: its own partition, so that any mix of entities loads in one BatchGetItem."""
    return Key(partition(family, kind, uid), kind)


def inventory_partition(family: Family, shard: int) -> str:
    """The index partition that holds the keys of a share of what a tenant owns."""
    return partition(family, "INVENTORY", str(shard))


def inventory_place(key: Key) -> tuple[str, str] | None:
    """Where an item stands in its tenant's inventory: the shard's partition, and a hash of the key, which is
    short and each item's own. None for what is no tenant's.
    """
    root, slug, *_ = key.partition.split(SEPARATOR)
    if root != "T" or not TENANT_SLUG.match(slug):
        return None
    digest = hashlib.sha256(f"{key.partition}\n{key.sort}".encode()).hexdigest()[:32]
    return inventory_partition(tenant_family(slug), int(digest[:8], 16) % INVENTORY_SHARDS), digest


class EntityAddress(NamedTuple):
    """What the key of an entity says: whose it is, what it is, and which."""

    family: Family
    kind: str
    uid: str


def parse_entity_key(key: Key) -> EntityAddress | None:
    """The reverse of `entity_key`, for who meets an item first: in the stream. None for any other key."""
    family, *address = key.partition.rsplit(SEPARATOR, 2)
    if len(address) != 2 or address[0] != key.sort or family.count(SEPARATOR) > 1:
        return None
    return EntityAddress(Family(family), *address)


def sort_key(*parts: str) -> str:
    """A sort key: it orders as the tuple of its parts. The last one is a uid, which makes it total.

    One of the others may be anybody's text: a long one orders by its beginning alone.
    """
    return SORT_SEPARATOR.join((*map(_sortable, parts[:-1]), parts[-1]))


def _sortable(text: str) -> str:
    return text.replace(LAST, "\ufffd").encode()[:MAX_TEXT_BYTES].decode(errors="ignore")


def after(sort: str) -> str:
    """The lower bound that excludes `sort` itself and nothing that follows it: its immediate successor."""
    return sort + "\x00"
