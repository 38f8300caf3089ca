"""The DynamoDB engines the suite runs on: ministack by default, Dynoxide as a second opinion.

`TEST_ENGINE` chooses by name; `DYNAMODB_ENDPOINT` names a server that is already running and wins.
"""

import http.client
import os
import socket
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from graphql_api.local.dynamodb import EmbeddedDynamoDB

DYNOXIDE = Path(__file__).parent / "node/node_modules/@dynoxide/linux-x64/dynoxide"
# Where it exists, memory: a disk makes each of Dynoxide's writes several times slower.
SHARED_MEMORY = Path("/dev/shm")
START_SECONDS = 15.0


class EngineError(Exception):
    """The engine cannot be started; nothing that needs a database can run."""


@dataclass(frozen=True)
class Engine:
    name: str
    endpoint: str


def chosen_engine() -> str:
    """`ministack`, `dynoxide`, or `external` for the server of DYNAMODB_ENDPOINT."""
    return "external" if os.environ.get("DYNAMODB_ENDPOINT") else os.environ.get("TEST_ENGINE", "ministack")


@contextmanager
def start_engine(name: str | None = None) -> Iterator[Engine]:
    """The engine called `name`, or else the chosen one, empty and in memory, until the block ends."""
    name = name or chosen_engine()
    if name == "external":
        yield Engine(name, os.environ["DYNAMODB_ENDPOINT"])
    elif name == "ministack":
        with EmbeddedDynamoDB() as embedded:
            yield Engine(name, embedded.endpoint)
    elif name == "dynoxide":
        with _indexed_dynoxide() as endpoint:
            yield Engine(name, endpoint)
    else:
        raise EngineError(f"TEST_ENGINE is {name!r}; it may be ministack or dynoxide")


@contextmanager
def _indexed_dynoxide() -> Iterator[str]:
    memory = SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="dynoxide-", dir=memory) as directory:
        database = Path(directory) / "tables.db"
        with _dynoxide(database):
            pass  # the first start creates its schema
        _index_the_stream(database)
        with _dynoxide(database) as endpoint:
            yield endpoint


def _index_the_stream(database: Path) -> None:
    """Without this index each write reads every stream record there is (Dynoxide 1.2.1)."""
    latest = "SELECT MAX(CAST(sequence_number AS INTEGER)) FROM _stream_records WHERE table_name = ?"
    with closing(sqlite3.connect(database)) as connection:
        connection.execute(
            "CREATE INDEX stream_order ON _stream_records(table_name, CAST(sequence_number AS INTEGER))"
        )
        connection.commit()
        plan = connection.execute(f"EXPLAIN QUERY PLAN {latest}", ("t",)).fetchall()
    if not any("stream_order" in detail for *_, detail in plan):
        raise EngineError(f"Dynoxide's latest-record query does not use the added index: {plan}")


@contextmanager
def _dynoxide(database: Path) -> Iterator[str]:
    if not DYNOXIDE.exists():
        raise EngineError(f"{DYNOXIDE.name} is not installed: npm ci --prefix tests/node (Linux x64 only)")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [str(DYNOXIDE), "--host", "127.0.0.1", "--port", str(port), "--db-path", str(database)]
    with database.with_suffix(".log").open("a+") as log:
        # setpriv execs Dynoxide so that it ends with the suite, even with one that was killed.
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={},
        )
        try:
            if not _is_listening(process, port):
                log.seek(0)
                raise EngineError(f"Dynoxide did not start: {log.read()}")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(START_SECONDS)


def _is_listening(process: subprocess.Popen[bytes], port: int) -> bool:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=1)) as connection:
            try:
                connection.request("GET", "/")
                connection.getresponse()
            except OSError:
                time.sleep(0.02)
            else:
                return True
    return False
