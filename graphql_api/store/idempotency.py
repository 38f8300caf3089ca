"""A retried mutation has one effect: its record is written in the very transaction of the effect."""

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import Enum
from typing import Any, cast

from strawberry import Some

from graphql_api.errors import IdempotencyMismatchError
from graphql_api.store.codec import Item
from graphql_api.store.keys import SEPARATOR, Family, Key, entity_key
from graphql_api.store.schema import EXPIRY
from graphql_api.store.table import Table
from graphql_api.store.writes import Condition, Put

KIND = "IDEMPOTENCY"
REMEMBERED_FOR = timedelta(hours=24)


class AlreadyDoneError(Exception):
    """The mutation took effect before; `uids` are the entities it left."""

    def __init__(self, uids: list[str]) -> None:
        super().__init__(uids)
        self.uids = uids


@dataclass(frozen=True, slots=True)
class Mark:
    """What a commit leaves behind so that the same request is known when it comes again."""

    key: Key | None = None
    fingerprint: str = ""
    now: datetime | None = None

    def record(self, uids: Sequence[str]) -> list[Put]:
        """The write that goes into the effect's transaction; none for a mutation without a key."""
        if self.key is None or self.now is None:
            return []
        expires = int((self.now + REMEMBERED_FOR).timestamp())
        item: Item = {
            "fingerprint": {"S": self.fingerprint},
            "uids": {"L": [{"S": uid} for uid in uids]},
            EXPIRY: {"N": str(expires)},
        }
        # TTL removes expired items late, so an expired record counts as absent.
        unused = Condition(
            "attribute_not_exists(#pk) OR #expiry <= :now",
            {"#pk": "pk", "#expiry": EXPIRY},
            {":now": {"N": str(int(self.now.timestamp()))}},
        )
        return [Put(self.key, item, self._replay, unused)]

    async def require_new(self, table: Table) -> None:
        """Raise AlreadyDoneError if the effect stands, IdempotencyMismatchError for other input."""
        if self.key is None or self.now is None:
            return
        item = (await table.batch_get([self.key], consistent=True)).get(self.key)
        if item is not None and int(item[EXPIRY]["N"]) > self.now.timestamp():
            raise self._replay(item)

    def part(self, number: int) -> "Mark":
        """The mark of one commit among several that make up one mutation."""
        if self.key is None:
            return self
        key = Key(f"{self.key.partition}{SEPARATOR}{number}", self.key.sort)
        return dataclasses.replace(self, key=key)

    def _replay(self, item: Item | None) -> Exception:
        if item is None or item["fingerprint"]["S"] != self.fingerprint:
            return IdempotencyMismatchError()
        return AlreadyDoneError([uid["S"] for uid in item["uids"]["L"]])


UNMARKED = Mark()


def mark(
    family: Family, actor_uid: str, mutation: str, key: str | None, payload: object, now: datetime
) -> Mark:
    """The mark of one mutation: scoped to tenant, user, mutation and key, bound to the whole input."""
    if key is None:
        return UNMARKED
    scope = hashlib.sha256(json.dumps([actor_uid, mutation, key]).encode()).hexdigest()
    canonical = json.dumps(_canonical(payload), sort_keys=True, default=str)  # of a Decimal
    fingerprint = hashlib.sha256(canonical.encode()).hexdigest()
    return Mark(entity_key(family, KIND, scope), fingerprint, now)


def _canonical(value: Any) -> Any:
    """The input as JSON; absent fields are left out, so a field added later changes no fingerprint."""
    if isinstance(value, Some):
        return [_canonical(cast("Some[Any]", value).value)]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list):
        return [_canonical(entry) for entry in cast("list[Any]", value)]
    if dataclasses.is_dataclass(value):
        return {name: _canonical(entry) for name, entry in vars(value).items() if entry is not None}
    return value
