import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from graphql_api.local.dynamodb import EmbeddedDynamoDB, EmbeddedDynamoDBError

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")

TABLE = "notes"
PATIENCE_SECONDS = 10
PARENT = """
import sys, time
from pathlib import Path
from graphql_api.local.dynamodb import EmbeddedDynamoDB

with EmbeddedDynamoDB(Path(sys.argv[1])) as engine:
    print(engine.endpoint, flush=True)
    time.sleep(600)
"""


def call(endpoint: str, operation: str, **arguments: Any) -> dict[str, Any]:
    """One DynamoDB operation without a signature: the engine takes any caller for the same account."""
    headers = {"x-amz-target": f"DynamoDB_20120810.{operation}", "content-type": "application/x-amz-json-1.0"}
    address = urlsplit(endpoint).netloc
    with closing(http.client.HTTPConnection(address, timeout=PATIENCE_SECONDS)) as connection:
        connection.request("POST", "/", json.dumps(arguments), headers)
        response = connection.getresponse()
        assert response.status == http.HTTPStatus.OK, response.read()
        return json.load(response)


def write_note(endpoint: str, text: str) -> None:
    if TABLE not in call(endpoint, "ListTables")["TableNames"]:
        call(
            endpoint,
            "CreateTable",
            TableName=TABLE,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        )
    call(endpoint, "PutItem", TableName=TABLE, Item={"pk": {"S": text}})


def read_note(endpoint: str, text: str) -> str | None:
    item = call(endpoint, "GetItem", TableName=TABLE, Key={"pk": {"S": text}}).get("Item")
    return item["pk"]["S"] if item else None


def has_ended(endpoint: str) -> bool:
    """Nobody holds the port any more. The process id would not do: an orphan may stay a zombie for long."""
    address = urlsplit(endpoint)
    with socket.socket() as probe:
        return probe.connect_ex((address.hostname, address.port)) != 0


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@pytest.fixture
def parent(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", PARENT, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def test_an_engine_in_memory_serves_and_leaves_no_process_behind():
    with EmbeddedDynamoDB() as engine:
        write_note(engine.endpoint, "here")
        assert read_note(engine.endpoint, "here") == "here"
    assert has_ended(engine.endpoint)
    assert engine.pid is None


@linux
def test_the_engine_listens_on_the_loopback_address_alone():
    with EmbeddedDynamoDB() as engine:
        port = f":{urlsplit(engine.endpoint).port:04X}"
        sockets = [Path("/proc/net", table).read_text() for table in ("tcp", "tcp6")]
    rows = [line.split() for table in sockets for line in table.splitlines()]
    listening = [local for _, local, _, state, *_ in rows if state == "0A" and local.endswith(port)]
    assert listening == [f"0100007F{port}"]


@linux
def test_the_child_is_given_nothing_of_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-of-the-environment")
    with EmbeddedDynamoDB() as engine:
        assert b"canary" not in Path(f"/proc/{engine.pid}/environ").read_bytes()


def test_data_survives_a_restart(tmp_path: Path):
    for text in ("first", "second", "third"):
        with EmbeddedDynamoDB(tmp_path) as engine:
            write_note(engine.endpoint, text)
    with EmbeddedDynamoDB(tmp_path) as engine:
        assert [read_note(engine.endpoint, text) for text in ("first", "third")] == ["first", "third"]


def test_a_restart_without_a_write_does_not_rewrite_the_state(tmp_path: Path):
    with EmbeddedDynamoDB(tmp_path) as engine:
        write_note(engine.endpoint, "kept")
    before = (tmp_path / "dynamodb.json").stat()
    with EmbeddedDynamoDB(tmp_path) as engine:
        assert read_note(engine.endpoint, "kept") == "kept"
    after = (tmp_path / "dynamodb.json").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_reset_forgets_and_what_comes_after_it_is_kept(tmp_path: Path):
    with EmbeddedDynamoDB(tmp_path) as engine:
        write_note(engine.endpoint, "old")
    with EmbeddedDynamoDB(tmp_path, reset=True) as engine:
        assert call(engine.endpoint, "ListTables") == {"TableNames": []}
        write_note(engine.endpoint, "new")
    with EmbeddedDynamoDB(tmp_path) as engine:
        assert read_note(engine.endpoint, "old") is None
        assert read_note(engine.endpoint, "new") == "new"


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda s: s.name)
def test_the_engine_ends_with_its_parent_and_loses_nothing(
    ending: signal.Signals, tmp_path: Path, parent: subprocess.Popen[str]
):
    assert parent.stdout is not None
    endpoint = parent.stdout.readline().strip()
    write_note(endpoint, "last words")
    parent.send_signal(ending)
    parent.wait()
    assert eventually(lambda: has_ended(endpoint))
    with EmbeddedDynamoDB(tmp_path) as engine:
        assert read_note(engine.endpoint, "last words") == "last words"


@pytest.mark.slow
def test_a_killed_engine_loses_at_most_the_last_seconds_and_says_that_it_died(tmp_path: Path):
    engine = EmbeddedDynamoDB(tmp_path)
    engine.start()
    assert engine.pid is not None
    write_note(engine.endpoint, "saved meanwhile")
    assert eventually((tmp_path / "dynamodb.json").exists)
    os.kill(engine.pid, signal.SIGKILL)
    with pytest.raises(EmbeddedDynamoDBError, match="ended with -9"):
        engine.stop()
    with EmbeddedDynamoDB(tmp_path) as engine:
        assert read_note(engine.endpoint, "saved meanwhile") == "saved meanwhile"


def test_a_state_that_cannot_be_read_is_refused_and_left_alone(tmp_path: Path):
    (tmp_path / "dynamodb.json").write_text("{torn")
    with pytest.raises(EmbeddedDynamoDBError, match="cannot be read"):
        EmbeddedDynamoDB(tmp_path).start()
    assert (tmp_path / "dynamodb.json").read_text() == "{torn"


def test_a_state_that_cannot_be_written_is_an_error_at_the_end(tmp_path: Path):
    engine = EmbeddedDynamoDB(tmp_path)
    engine.start()
    write_note(engine.endpoint, "homeless")
    (tmp_path / "dynamodb.json").unlink(missing_ok=True)
    (tmp_path / "dynamodb.json").mkdir()
    with pytest.raises(EmbeddedDynamoDBError, match="could not be saved"):
        engine.stop()


def test_two_engines_never_share_a_state_directory(tmp_path: Path):
    with EmbeddedDynamoDB(tmp_path), pytest.raises(EmbeddedDynamoDBError, match="another process"):
        EmbeddedDynamoDB(tmp_path, start_seconds=1).start()


def test_a_missing_environment_is_named(tmp_path: Path):
    with pytest.raises(EmbeddedDynamoDBError, match="no-python is missing"):
        EmbeddedDynamoDB(python=tmp_path / "no-python").start()


def test_a_child_that_dies_at_once_is_quoted(tmp_path: Path):
    engine = EmbeddedDynamoDB(python=Path(sys.executable))
    with pytest.raises(EmbeddedDynamoDBError, match="No module named 'hypercorn'"):
        engine.start()
    engine.stop()
