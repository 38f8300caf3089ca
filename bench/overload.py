"""One tenant asks for ten times what its plan allows; how another one fares beside it, over HTTP."""

import asyncio
import dataclasses
import socket
import time
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import aiohttp
import uvicorn

from bench.installation import BenchInstallation
from bench.tenant import Session
from graphql_api.app import create_app
from graphql_api.auth.identity import Identity, Role
from graphql_api.bootstrap import Services, build_services
from graphql_api.local.dynamodb import EmbeddedDynamoDB
from graphql_api.store.provision import create_tables

QUERY = "{ projects(first: 20) { edges { node { id name } } } }"
TIMES = 10  # what the overloading tenant asks for, of what it may
CALM_RATE = 20  # requests in a second of the other one
POINTS_PER_SECOND, BURST = 200, 5_000  # of the overloading tenant's plan
SLUGS = LOUD, CALM = ("loud", "calm")


@dataclass(frozen=True, slots=True)
class Observed:
    """The answers to one tenant's requests: how many of each status, and the seconds each took, sorted."""

    statuses: Counter[int]
    seconds: list[float]

    def percentile(self, part: float) -> float:
        return self.seconds[ceil(len(self.seconds) * part) - 1]


def overload(directory: Path, *, quick: bool) -> Iterator[str]:
    """Both alone, then at once."""
    with EmbeddedDynamoDB() as engine:
        alone, beside, loud = asyncio.run(_measure(directory, engine.endpoint, 1 if quick else 20))
    yield f"\nOverload: a tenant asks {TIMES} times what its plan allows, another {CALM_RATE} a second"
    for title, seen in (("the other, alone", alone), ("the other, beside it", beside), ("the tenant", loud)):
        succeeded = seen.statuses[200] / sum(seen.statuses.values())
        times = ", ".join(f"p{part * 100:.0f} {seen.percentile(part) * 1000:.1f} ms" for part in (0.5, 0.95))
        told = ", ".join(f"{count} of status {status}" for status, count in sorted(seen.statuses.items()))
        yield f"  {title:22}{succeeded:7.1%} answered   {times:30} {told}"
    yield f"  p95 beside / alone: {beside.percentile(0.95) / alone.percentile(0.95):.2f}"


async def _measure(directory: Path, endpoint: str, seconds: float) -> tuple[Observed, Observed, Observed]:
    installation = BenchInstallation(directory, endpoint)
    # A budget fills while time goes by.
    services = dataclasses.replace(build_services(installation.settings), verifier=installation.verifier)
    async with _served(services) as url, aiohttp.ClientSession() as client:
        people = await _founded(services)
        tokens = {slug: installation.token(person) for slug, person in people.items()}
        rate = TIMES * POINTS_PER_SECOND / await _points(client, url, tokens[LOUD])
        await _ask(client, url, tokens[CALM], CALM_RATE, 1)
        alone = await _ask(client, url, tokens[CALM], CALM_RATE, seconds)
        # The full bucket is gone before the clock starts.
        await _ask(client, url, tokens[LOUD], rate, BURST / POINTS_PER_SECOND / TIMES * 2)
        beside, loud = await asyncio.gather(
            _ask(client, url, tokens[CALM], CALM_RATE, seconds),
            _ask(client, url, tokens[LOUD], rate, seconds),
        )
    return alone, beside, loud


@asynccontextmanager
async def _served(services: Services) -> AsyncGenerator[str]:
    await services.open()
    await create_tables(services.sources.database)
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(create_app(services), log_config=None, access_log=False)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/graphql"
    finally:
        server.should_exit = True
        await serving
        await services.close()


async def _founded(services: Services) -> dict[str, Identity]:
    """Both tenants, each with twenty projects, and its administrator."""
    operator = Session(services, Identity("operator", Role.PLATFORM, None, 0))
    people: dict[str, Identity] = {}
    for slug in SLUGS:
        admin = {"adminEmail": f"ada@{slug}.example", "adminName": "Ada Berg"}
        made = await operator.mutate("onboardTenant", "adminSubject", slug=slug, name=slug.title(), **admin)
        people[slug] = Identity(made["adminSubject"], Role.ADMIN, slug, 0)
        session = Session(services, people[slug])
        for number in range(20):
            await session.mutate("createProject", "project { id }", name=f"Project {number}")
    limits = {"pointsPerSecond": POINTS_PER_SECOND, "burst": BURST}
    await operator.mutate("updatePlan", "plan { tier }", tier="FREE", **limits)
    await operator.mutate("changePlan", "tenant { slug }", slug=CALM, plan="ENTERPRISE")
    return people


async def _points(client: aiohttp.ClientSession, url: str, token: str) -> int:
    """What the query costs."""
    headers = {"authorization": f"Bearer {token}"}
    async with client.post(url, json={"query": QUERY}, headers=headers) as answer:
        points: int = (await answer.json())["extensions"]["cost"]["points"]
        return points


async def _ask(
    client: aiohttp.ClientSession, url: str, token: str, per_second: float, seconds: float
) -> Observed:
    """So many requests in each second, each begun at its time whether or not the ones before are answered."""
    headers = {"authorization": f"Bearer {token}", "accept": "application/graphql-response+json"}
    begun = time.perf_counter()

    async def one(number: int) -> tuple[int, float]:
        await asyncio.sleep(max(0, begun + number / per_second - time.perf_counter()))
        started = time.perf_counter()
        async with client.post(url, json={"query": QUERY}, headers=headers) as answer:
            await answer.read()
        return answer.status, time.perf_counter() - started

    answers = await asyncio.gather(*(one(number) for number in range(ceil(per_second * seconds))))
    return Observed(Counter(status for status, _ in answers), sorted(took for _, took in answers))
