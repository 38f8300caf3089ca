"""Everything executed once on an engine: which calls it makes, and what it is answered."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from bench.contenders import Contender, ask, contenders
from bench.database import Exchange, ObservedDatabase
from bench.installation import BenchInstallation
from bench.operations import Operation, representative, workloads
from bench.tenant import SLUG, BenchError, Sample, Session, found
from graphql_api.deadline import Deadline
from graphql_api.handlers import loop
from graphql_api.store.keys import tenant_family
from graphql_api.store.provision import create_tables

Calls = Counter[str]


@dataclass(frozen=True, slots=True)
class Observation:
    """`workloads`: by title, each contender's calls; `operations`: by title, this API's; `data`: by title,
    what all contenders answered to a workload; `exchanges`: every read that the timed part will repeat.
    """

    sample: Sample
    workloads: dict[str, dict[str, Calls]] = field(default_factory=dict[str, dict[str, Calls]])
    operations: dict[str, Calls] = field(default_factory=dict[str, Calls])
    data: dict[str, Any] = field(default_factory=dict[str, Any])
    exchanges: list[Exchange] = field(default_factory=list[Exchange])


def observe(installation: BenchInstallation) -> Observation:
    """Found the tenant and execute everything. Raises BenchError where contenders answer differently."""
    database = ObservedDatabase(installation.settings)
    services = installation.services(database)
    rivals = contenders(services)
    loop.run(services.open())
    try:
        loop.run(create_tables(database))
        observation = Observation(loop.run(found(services)))
        sample = observation.sample
        database.take()
        for workload in workloads(sample):
            loop.run(_note_workload(observation, database, rivals, workload))
        loop.run(services.authenticate(installation.token(sample.admin)))
        loop.run(services.budgets.require_month(tenant_family(SLUG), 1, Deadline.after(10)))
        observation.exchanges.extend(database.take())
        for operation in representative(sample):
            loop.run(Session(services, sample.admin).data(operation.query, operation.variables))
            observation.operations[operation.title] = _calls(database.take())
    finally:
        loop.run(services.close())
    return observation


async def _note_workload(
    observation: Observation, database: ObservedDatabase, rivals: Sequence[Contender], workload: Operation
) -> None:
    calls = observation.workloads[workload.title] = {}
    for rival in rivals:
        data = data_of(await ask(rival.view, observation.sample.admin, workload.body))
        if data != observation.data.setdefault(workload.title, data):
            raise BenchError(f"{rival.name} answers {workload.title} differently")
        exchanges = database.take()
        calls[rival.name] = _calls(exchanges)
        observation.exchanges.extend(exchanges)


def data_of(body: bytes | str) -> Any:
    """The data of a response without errors. Raises BenchError for any other."""
    payload = orjson.loads(body)
    if payload.get("errors") or not payload.get("data"):
        raise BenchError(payload)
    return payload["data"]


def _calls(exchanges: Sequence[Exchange]) -> Calls:
    return Counter(exchange.operation.title().replace("_", "") for exchange in exchanges)
