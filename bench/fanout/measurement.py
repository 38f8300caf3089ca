"""The fan-out part of the benchmark, from an empty engine to its findings."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.fanout.latency import latencies
from bench.fanout.peer import Peer, PeerError
from bench.fanout.race import QUICK, THOROUGH, Effort, race
from bench.fanout.reading import Row
from bench.fanout.sink import Sink
from bench.fanout.system import System
from bench.installation import BenchInstallation
from graphql_api.handlers import loop
from graphql_api.local.dynamodb import EmbeddedDynamoDB

_THOROUGH, _QUICK = Effort(THOROUGH, rounds=15, seconds=5.0), Effort(QUICK, rounds=1, seconds=1.0)
CHANGES, QUICK_CHANGES = 100, 2


@dataclass(frozen=True, slots=True)
class Findings:
    """`latencies` in seconds, ascending; `without_peer` says why there are no figures of it."""

    rows: Sequence[Row]
    latencies: Sequence[float]
    without_peer: str | None


def measure(directory: Path, *, quick: bool) -> Findings:
    """Raises BenchError where something is not pushed as it should be."""
    with EmbeddedDynamoDB() as engine, Sink() as sink:
        installation = BenchInstallation(directory, engine.endpoint)
        with System(installation, sink.endpoint) as system:
            seconds = loop.run(latencies(system, QUICK_CHANGES if quick else CHANGES))
            with _peer(engine.endpoint, sink.endpoint) as (peer, missing):
                rows = race(system, peer, sink, _QUICK if quick else _THOROUGH)
    return Findings(rows, sorted(seconds), missing)


@contextmanager
def _peer(dynamodb: str, connections: str) -> Generator[tuple[Peer | None, str | None]]:
    """The peer, or why there is none."""
    try:
        peer = Peer(dynamodb, connections)
    except PeerError as missing:
        yield None, str(missing)
        return
    with peer:
        yield peer, None
