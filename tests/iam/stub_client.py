"""A real client whose requests are answered before they reach a socket."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiobotocore.awsrequest import AioAWSResponse
from aiobotocore.session import get_session
from botocore.compat import HTTPHeaders
from types_aiobotocore_dynamodb import DynamoDBClient

from tests.iam.guard import PolicyGuard, Principal


def key_schema(partition: str, sort: str) -> list[dict[str, str]]:
    return [
        {"AttributeName": partition, "KeyType": "HASH"},
        {"AttributeName": sort, "KeyType": "RANGE"},
    ]


CONTROL: dict[str, Any] = {
    "TableName": "control",
    "KeySchema": key_schema("pk", "sk"),
    "GlobalSecondaryIndexes": [
        {"IndexName": "timeline", "KeySchema": key_schema("whose", "at")},
        {"IndexName": "inventory", "KeySchema": key_schema("family", "place")},
    ],
}
TABLE: dict[str, Any] = {
    "TableName": "data",
    "KeySchema": key_schema("pk", "sk"),
    "GlobalSecondaryIndexes": [
        {"IndexName": "by_position", "KeySchema": key_schema("project", "position")},
        {"IndexName": "agenda", "KeySchema": key_schema("assignee", "due")},
        {"IndexName": "inventory", "KeySchema": key_schema("family", "place")},
    ],
}
# Of somebody else; the policies name neither it nor anything in it.
OTHER: dict[str, Any] = {
    "TableName": "other",
    "KeySchema": key_schema("pk", "sk"),
    "GlobalSecondaryIndexes": [
        {"IndexName": "agenda", "KeySchema": key_schema("assignee", "due")},
        {"IndexName": "inventory", "KeySchema": key_schema("family", "place")},
    ],
}
# The policies are for the first and the last.
TABLES = (TABLE, OTHER, CONTROL)

# One session reads the service's description once.
SESSION = get_session()


class EmptyBody:
    async def read(self) -> bytes:
        return b"{}"


class Caller:
    """Who calls next."""

    def __init__(self) -> None:
        self.principal: Principal | None = None

    def __call__(self) -> Principal | None:
        return self.principal


@asynccontextmanager
async def watched_client(guard: PolicyGuard, sent: list[str]) -> AsyncIterator[DynamoDBClient]:
    def answer(request: Any, **_event: object) -> AioAWSResponse:
        sent.append(request.headers["X-Amz-Target"].decode().rpartition(".")[2])
        return AioAWSResponse(request.url, 200, HTTPHeaders(), EmptyBody())

    connecting = SESSION.create_client(
        "dynamodb", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
    )
    async with connecting as client:
        client.meta.events.register("before-send.dynamodb", answer)
        guard.watch(client)
        yield client
