"""A table of the shipped shape on the engine that the suite runs on, and its items in wire form."""

import uuid
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, NamedTuple

from aiobotocore.session import get_session

from graphql_api.store.client import client_config
from graphql_api.store.schema import Index, table_definition

SESSION = get_session()  # shared: it keeps the service model that every client is made from


class Table(NamedTuple):
    client: Any
    name: str

    async def put(self, pk: str, **attributes: Any) -> None:
        item = key(pk) | {name: wire(value) for name, value in attributes.items()}
        await self.client.put_item(TableName=self.name, Item=item)

    async def get(self, pk: str) -> dict[str, Any] | None:
        answer = await self.client.get_item(TableName=self.name, Key=key(pk), ConsistentRead=True)
        return answer.get("Item")

    async def update(self, pk: str, expression: str, **options: Any) -> dict[str, Any]:
        options = {"ReturnValues": "ALL_NEW", **options}
        answer = await self.client.update_item(
            TableName=self.name, Key=key(pk), UpdateExpression=expression, **options
        )
        return answer["Attributes"]

    async def members(self, index: Index, partition: str) -> list[str]:
        answer = await self.client.query(
            TableName=self.name,
            IndexName=index.index_name,
            KeyConditionExpression="#p = :p",
            ExpressionAttributeNames={"#p": index.value.partition},
            ExpressionAttributeValues={":p": {"S": partition}},
        )
        return [item["pk"]["S"] for item in answer["Items"]]


def wire(value: str | int | list[str]) -> dict[str, Any]:
    if isinstance(value, list):
        return {"L": [wire(one) for one in value]}
    return {"N": str(value)} if isinstance(value, int) else {"S": value}


def key(pk: str) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": "item"}}


@asynccontextmanager
async def open_table(endpoint: str) -> AsyncIterator[Table]:
    context: AbstractAsyncContextManager[Any] = SESSION.create_client(
        "dynamodb",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=client_config(validate_parameters=True),
    )
    async with context as client:
        name = f"contract-{uuid.uuid4()}"
        await client.create_table(**table_definition(name))
        try:
            yield Table(client, name)
        finally:
            await client.delete_table(TableName=name)
