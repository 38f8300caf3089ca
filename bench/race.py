"""The timed part: every contender, workload and door, over a database that costs nothing."""

from collections.abc import Mapping
from functools import partial

from bench.contenders import Contender, LambdaContext, ask, contenders, http_event
from bench.database import CannedDatabase
from bench.installation import BenchInstallation
from bench.observation import Observation, data_of
from bench.operations import Operation, workloads
from bench.tenant import BenchError
from bench.timing import Case, Pace, measure
from graphql_api.auth.identity import Identity
from graphql_api.handlers import loop

VIEW, LAMBDA = "View: request body to response body", "Lambda: event to response, token verified"


def race(installation: BenchInstallation, observation: Observation, pace: Pace) -> Mapping[str, list[Case]]:
    """The cases by door. Raises BenchError if a contender answers other than it did on the engine."""
    services = installation.services(CannedDatabase(installation.settings, observation.exchanges))
    rivals = contenders(services)
    caller = observation.sample.admin
    token = installation.token(caller)
    timed = workloads(observation.sample)
    courses = [
        (workload, [partial(_through_view, rival, caller, workload) for rival in rivals])
        for workload in timed
    ] + [
        (workload, [partial(_through_lambda, rival, token, workload) for rival in rivals])
        for workload in timed
    ]
    for workload, repeats in courses:
        for rival, repeat in zip(rivals, repeats, strict=True):
            if data_of(repeat(1)) != observation.data[workload.title]:
                raise BenchError(f"{rival.name} answers {workload.title} differently without the engine")
    cases = measure([(workload.title, repeats) for workload, repeats in courses], pace)
    return {VIEW: cases[: len(timed)], LAMBDA: cases[len(timed) :]}


def _through_view(rival: Contender, caller: Identity, workload: Operation, requests: int) -> bytes:
    body = workload.body

    async def repeat() -> bytes:
        for _ in range(requests - 1):
            await ask(rival.view, caller, body)
        return await ask(rival.view, caller, body)

    return loop.run(repeat())


def _through_lambda(rival: Contender, token: str, workload: Operation, requests: int) -> str:
    event, context = http_event(token, workload.body.decode()), LambdaContext()
    for _ in range(requests - 1):
        rival.handler(event, context)
    return rival.handler(event, context)["body"]
