"""All that a tenant can have, what both tables hold, and jobs brought to their end."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiobotocore.session

from graphql_api.auth.identity import Identity, Role
from graphql_api.deadline import Deadline
from graphql_api.features.webhooks.webhook import Webhook
from graphql_api.lifecycle.jobs import platform_repository
from graphql_api.realtime.endpoints import Wake
from graphql_api.relay import uid_of
from graphql_api.store.keys import SORT_SEPARATOR
from graphql_api.store.repository import Repository
from tests.features.builders import a_comment, a_project, a_task, a_webhook, an_api_key, done
from tests.features.fields import a_field
from tests.realtime.stage import Client, Clock, Stage
from tests.webhooks.stage import WebhookFunction
from tests.world import World

NOBODY = "http://127.0.0.1:9/"  # the port where what comes is thrown away, if anybody listens
LISTEN = "subscription { taskChanged { id } }"
JOB = "job { id work slug state items failure finishedAt }"
READ = """{ tenant { name version } workflow { states { key name } }
    users { edges { node { id name email role status } } }
    projects { edges { node { id name version tasks(first: 5) { edges { node { id title version status
        position comments(first: 5) { edges { node { id body } } } } } } } } } }"""

Dump = dict[tuple[str, str, str], dict[str, Any]]


async def furnish(stage: Stage, slug: str) -> Client:
    """Give a tenant something of every kind, logged; the client of a socket that listens.

    Of its webhook a call has failed.
    """
    admin = stage.world.as_(slug, Role.ADMIN)
    await done(admin, "inviteUser", "user { id }", email=f"new@{slug}.example", name="New")
    hook = await a_webhook(admin, NOBODY)
    await stage.pump()
    project = await a_project(admin, f"{slug}'s")
    for title in ("one", "two"):
        await a_comment(admin, await a_task(admin, project, title, idempotencyKey=f"{slug}-{title}"))
    deleted = await a_task(admin, project, "gone")
    await done(admin, "deleteTask", "task { id }", id=deleted)
    await an_api_key(admin, slug)
    await a_field(admin, "site")
    await stage.pump()
    await a_turn(stage, slug, hook)
    await stage.world.services.usage.flush()
    client = await stage.client(slug, Role.ADMIN)
    await client.subscribe(LISTEN)
    await stage.pump()
    return client


async def a_turn(stage: Stage, slug: str, hook: str) -> None:
    """What a message of the queue leads to."""
    body = Wake(slug, uid_of(Webhook, hook)).to_text()
    message = {"messageId": f"to {hook}", "body": body}
    answer = await WebhookFunction(stage.world.services).handle({"Records": [message]})
    assert answer == {"batchItemFailures": []}


async def dump(stage: Stage) -> Dump:
    """Everything, asked past the product: by table, partition and sort key."""
    settings = stage.world.services.settings
    found: Dump = {}
    async with past_the_product(stage) as client:
        for table, name in (("data", settings.table_name), ("control", settings.control_table_name)):
            async for page in client.get_paginator("scan").paginate(TableName=name):
                for item in page["Items"]:
                    found[table, item["pk"]["S"], item["sk"]["S"]] = item
    return found


async def take_away(stage: Stage, key: tuple[str, str, str]) -> None:
    """Have an item of the data table no longer there, as the console takes it away."""
    name = stage.world.services.settings.table_name
    async with past_the_product(stage) as client:
        await client.delete_item(TableName=name, Key={"pk": {"S": key[1]}, "sk": {"S": key[2]}})


@asynccontextmanager
async def past_the_product(stage: Stage) -> AsyncIterator[Any]:
    endpoint = stage.world.services.settings.dynamodb_endpoint
    session = aiobotocore.session.get_session()
    async with session.create_client("dynamodb", region_name="us-east-1", endpoint_url=endpoint) as client:
        yield client


def of(slug: str, everything: Dump) -> Dump:
    """What belongs to a tenant, by any key of any item."""
    return {key: item for key, item in everything.items() if key[1].startswith(f"T#{slug}#")}


def kinds(items: Dump) -> set[str]:
    return {pk.split("#")[2] for _, pk, _ in items}


def traces(slug: str, everything: Dump) -> list[tuple[str, str, str]]:
    """Every item in which a tenant's prefix is found, be it in an index key or in a text; its webhooks are
    listed beside those of others.
    """
    return [
        key
        for key, item in everything.items()
        if f"T#{slug}#" in json.dumps([key, item], default=str)
        or (key[1].startswith("C#@WEBHOOKS") and key[2].startswith(slug + SORT_SEPARATOR))
    ]


def operator(world: World) -> World:
    return world.as_(None, Role.PLATFORM)


async def begun(world: World, field: str, **payload: Any) -> dict[str, Any]:
    return await done(world, field, JOB, **payload)


async def work(stage: Stage, clock: Clock, job: dict[str, Any], *, minutes: int = 10) -> dict[str, Any]:
    """The job when it is over, a minute of the schedule after the other, the stream running beside."""
    for _ in range(minutes):
        await stage.jobs.handle()
        await stage.pump()
        found = await operator(stage.world).data(
            "query ($id: ID!) { job(id: $id) { id state items failure finishedAt } }", id=job["id"]
        )
        if found["job"]["state"] != "RUNNING":
            return found["job"]
        clock.forward(minutes=1)
    raise AssertionError(f"the job is not over after {minutes} minutes")


def folder(stage: Stage, slug: str) -> Path:
    """Where the only export of a tenant was written."""
    (found,) = (stage.world.services.settings.export_directory / slug).iterdir()
    return found


def platform(stage: Stage) -> Repository:
    identity = Identity("operator", Role.PLATFORM, None, 0)
    return platform_repository(stage.world.services.sources, identity, "request", Deadline.after(60))
