"""The calls the product makes of DynamoDB, with retries under a deadline and typed failures."""

import asyncio
import logging
import random
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, cast

from botocore.exceptions import BotoCoreError, ClientError, CredentialRetrievalError, HTTPClientError
from botocore.exceptions import ConnectionError as EndpointError

from graphql_api.deadline import Deadline
from graphql_api.errors import DeadlineExceededError
from graphql_api.store.capacity import Meter, measure
from graphql_api.store.client import PRINCIPAL, Database
from graphql_api.store.codec import Item
from graphql_api.store.keys import SEPARATOR, Family, Key
from graphql_api.store.schema import PARTITION, SORT, FamilyIndex, Index, IndexKeys, LogIndex
from graphql_api.store.writes import Add, Write, key_attributes

MAX_BATCH_KEYS = 100  # BatchGetItem
MAX_TRANSACTION_ITEMS = 100  # TransactWriteItems
MAX_ATTEMPTS = 8
BASE_DELAY, MAX_DELAY = 0.02, 1.0  # seconds; full jitter between 0 and the doubled base

_BUSY = frozenset(
    {
        "InternalServerError",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "Throttling",  # STS says it so
        "ThrottlingException",
    }
)
# A transaction holds the item, or is still at work under the same token; the SDK does not wait for either.
_CONFLICTS = frozenset(
    {"ReplicatedWriteConflictException", "TransactionConflictException", "TransactionInProgressException"}
)
# Reasons for which a cancelled transaction is tried again as it is; the SDK never does (1 attempt).
_TRANSIENT = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
# Of DynamoDB, and of the STS that gives the session a call is signed with.
_REFUSED = frozenset({"AccessDenied", "AccessDeniedException"})
# What a session is answered that has ended before its time, besides.
_ENDED = frozenset({"ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException"})

_log = logging.getLogger(__name__)


class ForeignItemError(Exception):
    """An item of somebody else's was read: a bug, and one that no policy stood in the way of."""


class StoreBusyError(DeadlineExceededError):
    """DynamoDB could not answer in time or at its present load; nothing was returned half."""

    def __init__(self) -> None:
        super().__init__("The data store is busy; try again.")


# What a call may end with that says nothing of its items: for who can do without an answer.
UNANSWERED = (DeadlineExceededError, BotoCoreError, ClientError)


class Table:
    """One table, the data table unless another is named, as one principal may use it for one request.

    Raises StoreBusyError when an answer cannot be had under the deadline, and the error that a
    write carries when its condition does not hold. `meter` is told what was consumed.
    """

    def __init__(
        self,
        database: Database,
        principal: Family,
        deadline: Deadline,
        name: str | None = None,
        meter: Meter | None = None,
    ) -> None:
        self._database = database
        self._meter = meter
        self._name = name or database.table_name
        self._principal = principal
        self._deadline = deadline

    async def batch_get(self, keys: Sequence[Key], *, consistent: bool = False) -> dict[Key, Item]:
        """The items of up to 100 distinct keys; an absent one is left out, an unread one is an error."""
        found: dict[Key, Item] = {}
        pending = [key_attributes(key) for key in keys]
        for attempt in range(MAX_ATTEMPTS):
            await self._back_off(attempt)
            request = {"Keys": pending, "ConsistentRead": consistent}
            answer = await self._call(
                self._database.client.batch_get_item, RequestItems={self._name: request}
            )
            for item in self._own(answer["Responses"].get(self._name, ())):
                found[Key(item[PARTITION]["S"], item[SORT]["S"])] = item
            unread = answer.get("UnprocessedKeys", {}).get(self._name)
            if not unread:
                return found
            pending = unread["Keys"]
        raise StoreBusyError

    async def query(
        self,
        index: Index | LogIndex | FamilyIndex,
        partition: str,
        low: str,
        high: str,
        limit: int,
        *,
        newest_first: bool = False,
    ) -> list[Item]:
        """Up to `limit` items of an index partition with sort keys in [low, high], ascending by default."""
        wanted = {"IndexName": index.index_name, "ScanIndexForward": not newest_first}
        return await self._query(index.value, partition, (low, high), limit, wanted)

    async def read(
        self, partition: str, low: str, high: str, limit: int, *, newest_first: bool = False
    ) -> list[Item]:
        """Up to `limit` items of a partition of the table itself, consistent; sort keys in [low, high]."""
        wanted = {"ConsistentRead": True, "ScanIndexForward": not newest_first}
        return await self._query(IndexKeys(PARTITION, SORT), partition, (low, high), limit, wanted)

    async def _query(
        self, keys: IndexKeys, partition: str, within: tuple[str, str], limit: int, wanted: dict[str, Any]
    ) -> list[Item]:
        """DynamoDB ends a page at 1 MB, so a long page can take further calls."""
        items, start = list[Item](), dict[str, Any]()
        while len(items) < limit:
            answer = await self._call(
                self._database.client.query,
                TableName=self._name,
                KeyConditionExpression="#p = :p AND #s BETWEEN :low AND :high",
                ExpressionAttributeNames={"#p": keys.partition, "#s": keys.sort},
                ExpressionAttributeValues={
                    ":p": {"S": partition},
                    ":low": {"S": within[0]},
                    ":high": {"S": within[1]},
                },
                Limit=limit - len(items),
                **wanted,
                **start,
            )
            items += self._own(answer["Items"])
            if "LastEvaluatedKey" not in answer:
                break
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}
        return items

    async def commit(self, writes: Sequence[Write], token: str | None = None) -> None:
        """Apply all writes or none; a single one costs half of what a transaction does.

        The first write whose condition fails decides the error. A conflict with another transaction is
        retried, with the same token, so a commit whose answer was lost still has one effect. Two writes or
        more under a `token` of the caller's have one effect within ten minutes (DynamoDB).
        """
        token = token or str(uuid.uuid4())
        for attempt in range(MAX_ATTEMPTS):
            await self._back_off(attempt)
            try:
                if len(writes) == 1:
                    await self._write(writes[0])
                else:
                    await self._transact(writes, token)
            except ClientError as error:
                if not _is_conflict(error):
                    raise
            else:
                return
        raise StoreBusyError

    async def add(self, write: Add) -> int:
        """Commit one addition; the number as it is then."""
        for attempt in range(MAX_ATTEMPTS):
            await self._back_off(attempt)
            _, parameters = write.request(self._name)
            client = self._database.client
            try:
                answer = await self._call(client.update_item, **parameters, ReturnValues="UPDATED_NEW")
            except client.exceptions.ConditionalCheckFailedException as error:
                raise write.on_failure(error.response.get("Item")) from None
            except ClientError as error:
                if not _is_conflict(error):
                    raise
            else:
                return int(answer["Attributes"][write.attribute]["N"])
        raise StoreBusyError

    def _own(self, items: Sequence[Item]) -> Sequence[Item]:
        """The items, all of which must be in the principal's family."""
        prefix = self._principal + SEPARATOR
        if not all(item[PARTITION]["S"].startswith(prefix) for item in items):
            _log.critical("An item of another tenant was read.", extra={"principal": self._principal})
            raise ForeignItemError
        return items

    async def _write(self, write: Write) -> None:
        action, parameters = write.request(self._name)
        client = self._database.client
        operations = {"Put": client.put_item, "Update": client.update_item, "Delete": client.delete_item}
        try:
            await self._call(operations[action], **parameters)
        except client.exceptions.ConditionalCheckFailedException as error:
            standing = error.response.get("Item")
            # The SDK repeats a write whose answer was lost; the repetition finds its own effect.
            if standing is None or not write.applied_in(standing):
                raise write.on_failure(standing) from None

    async def _transact(self, writes: Sequence[Write], token: str) -> None:
        requests = [write.request(self._name) for write in writes]
        try:
            await self._call(
                self._database.client.transact_write_items,
                TransactItems=[{action: parameters} for action, parameters in requests],
                ClientRequestToken=token,
            )
        except ClientError as error:
            for write, reason in zip(writes, _reasons(error), strict=False):
                if reason["Code"] == "ConditionalCheckFailed":
                    raise write.on_failure(reason.get("Item")) from None
            raise

    async def _call(self, operation: Callable[..., Awaitable[Any]], **parameters: Any) -> Any:
        try:
            answer = await self._signed(operation, {**parameters, "ReturnConsumedCapacity": "TOTAL"})
        except ClientError as error:
            if _is_busy(error):
                raise StoreBusyError from error
            if _code(error) in _REFUSED:
                _log.critical("DynamoDB refused a call.", extra={"principal": self._principal})
            raise
        except (CredentialRetrievalError, HTTPClientError, EndpointError, TimeoutError) as error:
            raise StoreBusyError from error
        if self._meter is not None:
            measure(answer, self._meter)
        return answer

    async def _signed(self, operation: Callable[..., Awaitable[Any]], parameters: Mapping[str, Any]) -> Any:
        """The call as its principal, once more with another session where this one may have been ended."""
        self._deadline.require()
        token = PRINCIPAL.set(self._principal)
        try:
            async with asyncio.timeout(self._deadline.remaining()):
                try:
                    return await operation(**parameters)
                except ClientError as error:
                    is_refused = _code(error) in _REFUSED | _ENDED
                    if not is_refused or not self._database.renew_session(self._principal):
                        raise
                return await operation(**parameters)
        finally:
            PRINCIPAL.reset(token)

    async def _back_off(self, attempt: int) -> None:
        """Wait before every attempt but the first."""
        if attempt > 0:
            longest = min(MAX_DELAY, BASE_DELAY * 2 ** (attempt - 1))
            delay = random.uniform(0, longest)  # noqa: S311 - jitter, not a secret
            self._deadline.require(delay)
            await asyncio.sleep(delay)


def _code(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "")


def _reasons(error: ClientError) -> Sequence[Mapping[str, Any]]:
    """Why each member of a cancelled transaction failed, in their order."""
    return cast("Sequence[Mapping[str, Any]]", error.response.get("CancellationReasons", ()))


def _is_busy(error: ClientError) -> bool:
    # What stands before DynamoDB can answer 502 to 504 with a page that names no code.
    return _code(error) in _BUSY or error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500


def _is_conflict(error: ClientError) -> bool:
    """Whether another writer was in the way, so that the very same commit may be tried again."""
    codes = {reason["Code"] for reason in _reasons(error)} - {"None"}
    return _code(error) in _CONFLICTS or (bool(codes) and codes <= _TRANSIENT)
