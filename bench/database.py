"""The database twice: the engine's, with each call noted, and in memory, answering what was noted."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, Self, cast

import orjson

from graphql_api.settings import Settings
from graphql_api.store.client import Database

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.client import DynamoDBClient

# Attributes of the client that are no calls of the data plane.
_PASSED_ON = frozenset({"exceptions", "meta", "get_waiter", "create_table", "update_time_to_live"})


class Exchange(NamedTuple):
    """One call that was answered; `operation` is the client's method."""

    operation: str
    parameters: dict[str, Any]
    answer: dict[str, Any]


class ObservedDatabase(Database):
    """A database that keeps the calls it answers."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._exchanges: list[Exchange] = []

    @property
    def client(self) -> "DynamoDBClient":
        return cast("DynamoDBClient", _ObservedClient(super().client, self._exchanges))

    def take(self) -> list[Exchange]:
        """The calls since the last time."""
        taken = self._exchanges.copy()
        self._exchanges.clear()
        return taken


class _ObservedClient:
    def __init__(self, client: Any, exchanges: list[Exchange]) -> None:
        self._client = client
        self._exchanges = exchanges

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._client, name)
        if name in _PASSED_ON:
            return attribute

        async def call(**parameters: Any) -> dict[str, Any]:
            answer = await attribute(**parameters)
            self._exchanges.append(Exchange(name, parameters, answer))
            return answer

        return call


class CannedDatabase(Database):
    """Answers reads with what an engine answered, at a dictionary's price; what is written is forgotten."""

    def __init__(self, settings: Settings, exchanges: Iterable[Exchange]) -> None:
        super().__init__(settings)
        self._canned = cast("DynamoDBClient", _CannedClient(exchanges))

    @property
    def client(self) -> "DynamoDBClient":
        return self._canned

    async def open(self) -> Self:
        return self


class _CannedClient:
    def __init__(self, exchanges: Iterable[Exchange]) -> None:
        self._pages: dict[bytes, dict[str, Any]] = {}
        self._items: dict[tuple[str, str], dict[str, Any] | None] = {}
        for operation, parameters, answer in exchanges:
            if operation == "query":
                self._pages[_signature(parameters)] = answer
            for request in parameters.get("RequestItems", {}).values():
                self._items |= {(key["pk"]["S"], key["sk"]["S"]): None for key in request["Keys"]}
            for items in answer.get("Responses", {}).values():
                self._items |= {(item["pk"]["S"], item["sk"]["S"]): item for item in items}

    async def query(self, **parameters: Any) -> dict[str, Any]:
        return self._pages[_signature(parameters)]

    async def batch_get_item(self, RequestItems: dict[str, Any], **_: Any) -> dict[str, Any]:  # noqa: N803
        ((table, request),) = RequestItems.items()
        items = [self._items[key["pk"]["S"], key["sk"]["S"]] for key in request["Keys"]]
        return {"Responses": {table: [item for item in items if item is not None]}, "UnprocessedKeys": {}}

    async def update_item(self, ExpressionAttributeNames: dict[str, str], **_: Any) -> dict[str, Any]:  # noqa: N803
        # What the process leases of a budget: there is always enough.
        return {"Attributes": {name: {"N": "0"} for name in ExpressionAttributeNames.values()}}

    async def put_item(self, **_: Any) -> dict[str, Any]:
        """An entry of the audit log, of the first use of a token."""
        return {}

    delete_item = put_item


def _signature(parameters: dict[str, Any]) -> bytes:
    return orjson.dumps(parameters, option=orjson.OPT_SORT_KEYS)
