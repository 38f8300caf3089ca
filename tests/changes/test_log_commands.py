"""verify-log, reconcile and begin-epoch as they are typed, beside a server whose engine was restarted."""

import asyncio
import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosedOK
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from graphql_api.__main__ import main
from graphql_api.deadline import Deadline
from graphql_api.features.tasks.task import Task
from graphql_api.local.dynamodb import EmbeddedDynamoDB
from graphql_api.local.installation import CONTROL_TABLE_NAME, TABLE_NAME, Installation
from graphql_api.local.serve import SWEEP_SECONDS
from graphql_api.relay import parse_global_id
from graphql_api.store.client import Database
from graphql_api.store.codec import Item
from graphql_api.store.entity import key_of
from graphql_api.store.table import Table
from graphql_api.store.writes import PRESENT, Update
from tests.changes.records import ACME
from tests.local.server import PATIENCE_SECONDS, Server, run, serving

pytestmark = pytest.mark.slow

ADA = "acme · admin · ada@acme.example"
PROJECTS = "{ projects(first: 1) { edges { node { id } } } }"
CREATE = """mutation ($input: CreateTaskInput!) { createTask(input: $input) {
    ... on CreateTaskPayload { task { id } } } }"""
LATEST = "{ changes(first: 1) { edges { node { sequence entityId version } } } }"
QUICKLY = ("--patience", "1")


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("auditor")


@pytest.fixture(scope="module")
def server(directory: Path) -> Iterator[Server]:
    """A server whose stream has been read to its end, after a night in which one task changed unseen."""
    with serving(directory) as first:
        project = first.data(first.tokens[ADA], PROJECTS)["projects"]["edges"][0]["node"]["id"]
        created = first.data(first.tokens[ADA], CREATE, input={"projectId": project, "title": "Weld"})
        task = created["createTask"]["task"]["id"]
        await_logged(first, task)
    with EmbeddedDynamoDB(directory / ".local/dynamodb") as engine:
        asyncio.run(write(directory, engine.endpoint, task))
    with serving(directory) as second:
        yield second


def await_logged(server: Server, id: str) -> None:
    """Until this is the latest change."""
    until = time.monotonic() + PATIENCE_SECONDS
    while [edge["node"]["entityId"] for edge in latest(server)] != [id]:
        assert time.monotonic() < until, "the change is not logged"
        time.sleep(0.1)


def latest(server: Server) -> list[dict[str, Any]]:
    return server.data(server.tokens[ADA], LATEST)["changes"]["edges"]


async def write(directory: Path, endpoint: str, id: str) -> None:
    """A new version of the task, as the API leaves one."""
    parsed = parse_global_id(id)
    assert parsed is not None
    settings = Installation.at(directory / ".local").settings(port=0, dynamodb_endpoint=endpoint)
    database = await Database(settings).open()
    key = key_of(ACME, Task, parsed[1])
    changes: Item = {"title": {"S": "Weld it"}, "version": {"N": "2"}}
    table = Table(database, ACME, Deadline.after(10))
    await table.commit([Update(key, changes, frozenset(), PRESENT, lambda _: AssertionError())])
    await database.close()


def anchor_in(printed: CompletedProcess[str]) -> str:
    assert (printed.returncode, printed.stderr) == (0, "")
    found = re.fullmatch(
        r"The log of acme holds together from 1 to (\d+)\.\nAnchor: (\1:[0-9a-f]{64})\n", printed.stdout
    )
    assert found, printed.stdout
    return found[2]


def test_a_night_that_the_stream_forgot_is_found_and_logged(server: Server, directory: Path) -> None:
    before = anchor_in(run(directory, "verify-log", "--tenant", "acme"))
    looked = run(directory, "reconcile", "--tenant", "acme", *QUICKLY)
    repaired = run(directory, "reconcile", "--tenant", "acme", "--repair", *QUICKLY)
    again = run(directory, "reconcile", "--tenant", "acme", "--repair", *QUICKLY)

    assert looked.returncode == 1
    (line,) = looked.stdout.splitlines()
    assert re.fullmatch(r"Task [0-9a-v]{26} is at version 2; the log has version 1\.", line)
    assert looked.stderr == "1 missing in the log; --repair logs what can be read.\n"
    assert (repaired.returncode, repaired.stderr) == (0, "")
    assert repaired.stdout.splitlines() == [line, "1 missing in the log, and logged now."]
    assert (again.returncode, again.stdout) == (0, "Nothing is missing in the log.\n")
    after = anchor_in(run(directory, "verify-log", "--tenant", "acme", "--anchor", before))
    assert int(after.partition(":")[0]) == int(before.partition(":")[0]) + 1
    (edge,) = latest(server)
    assert edge["node"]["version"] == 2


def test_an_anchor_that_does_not_hold_is_told_in_one_line(server: Server, directory: Path) -> None:
    for anchor, told in (
        ("5:" + "0" * 64, "Change 5: not what it was when the anchor was taken."),
        ("1000000:" + "0" * 64, "missing; the anchor was taken at 1000000."),
    ):
        ended = run(directory, "verify-log", "--tenant", "acme", "--anchor", anchor)
        assert (ended.returncode, ended.stdout) == (1, "")
        (line,) = ended.stderr.splitlines()
        assert line.startswith("The log of acme is broken. Change ")
        assert line.endswith(told)


@contextmanager
def listening(server: Server, after: str | None) -> Iterator[ClientConnection]:
    """A client's socket that has subscribed to tasks; what it is sent then is for the test to read."""
    url, protocol = server.origin.replace("http", "ws") + "/graphql", Subprotocol("graphql-transport-ws")
    with connect(url, subprotocols=[protocol], open_timeout=PATIENCE_SECONDS) as socket:
        payload = {"authorization": f"Bearer {server.tokens[ADA]}"}
        socket.send(json.dumps({"type": "connection_init", "payload": payload}))
        assert json.loads(socket.recv(PATIENCE_SECONDS)) == {"type": "connection_ack"}
        query = "subscription ($after: String) { taskChanged(after: $after) { id } }"
        asked = {"query": query, "variables": {"after": after}}
        socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": asked}))
        yield socket


def pong(socket: ClientConnection) -> dict[str, Any]:
    """The answer to a ping; what was still to be told comes before it."""
    socket.send(json.dumps({"type": "ping"}))
    while (frame := json.loads(socket.recv(PATIENCE_SECONDS)))["type"] != "pong":
        assert frame["type"] == "next"
    return frame["payload"]


def test_a_new_epoch_makes_subscribers_come_back_and_read_anew(server: Server, directory: Path) -> None:
    with listening(server, None) as listener, listening(server, None) as idle:
        old = pong(listener)
        begun = run(directory, "begin-epoch", "--tenant", "acme")
        assert (begun.returncode, begun.stderr) == (0, "")
        told = f"A new epoch of acme begins behind change {old['sequence']}; 2 sockets forgotten.\n"
        assert begun.stdout == told
        for socket in (listener, idle):
            with pytest.raises(ConnectionClosedOK):
                pong(socket)
    with listening(server, old["eventCursor"]) as late:
        refused = json.loads(late.recv(PATIENCE_SECONDS))
        assert (refused["type"], refused["payload"][0]["extensions"]["code"]) == ("error", "CURSOR_EXPIRED")
        new = pong(late)
    assert new["sequence"] == old["sequence"]
    with listening(server, new["eventCursor"]) as again:
        assert pong(again) == new
    anchor_in(run(directory, "verify-log", "--tenant", "acme"))


def test_all_tenants_begin_an_epoch_and_may_begin_another(server: Server, directory: Path) -> None:
    for _ in range(2):
        begun = run(directory, "begin-epoch", "--all-tenants")
        assert (begun.returncode, begun.stderr) == (0, "")
        acme, globex = begun.stdout.splitlines()
        for line, slug in ((acme, "acme"), (globex, "globex")):
            assert re.fullmatch(
                rf"A new epoch of {slug} begins behind change \d+; 0 sockets forgotten\.", line
            )
        anchor_in(run(directory, "verify-log", "--tenant", "acme"))


def test_the_tables_of_the_environment_come_first(server: Server, directory: Path, tmp_path: Path) -> None:
    announced = json.loads((directory / ".local/running.json").read_text())["dynamodb"]
    named = {
        "PROFILE": "development",
        "TABLE_NAME": TABLE_NAME,
        "CONTROL_TABLE_NAME": CONTROL_TABLE_NAME,
        "JWT_ISSUER": "https://issuer.example",
        "JWT_AUDIENCE": "graphql-api",
        "JWKS_URL": "https://issuer.example/jwks.json",
        "CURSOR_SECRETS": "x" * 32,
        "DYNAMODB_ENDPOINT": announced,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
    }
    here = run(directory, "verify-log", "--tenant", "globex")
    there = run(tmp_path, "verify-log", "--tenant", "globex", **named)

    assert here.stdout == there.stdout != ""
    assert list(tmp_path.iterdir()) == []
    incomplete = run(tmp_path, "verify-log", "--tenant", "globex", **named | {"JWT_ISSUER": ""})
    assert (incomplete.returncode, incomplete.stderr) == (1, "JWT_ISSUER is not set\n")


def test_what_cannot_be_done_is_told_in_one_line(server: Server, directory: Path, tmp_path: Path) -> None:
    for command, told in (
        (("verify-log", "--tenant", "nowhere"), "Nothing is logged for nowhere."),
        (("reconcile", "--tenant", "nowhere"), "There is no such tenant."),
        (("verify-log", "--tenant", "No#where"), "There is no such tenant."),
        (("begin-epoch", "--tenant", "nowhere"), "There is no such tenant."),
    ):
        ended = run(directory, *command)
        assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", told + "\n")

    nobody = run(tmp_path, "verify-log", "--tenant", "acme")
    assert nobody.returncode == 1
    assert nobody.stderr == "No server runs here and TABLE_NAME is not set; start one with `make serve`.\n"
    Installation.at(tmp_path / ".local").announce("http://127.0.0.1:9")
    dead = run(tmp_path, "reconcile", "--tenant", "acme")
    assert (dead.returncode, dead.stderr) == (
        1,
        "The tables do not answer; is the server, or the way to AWS, up?\n",
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("verify-log",),
        ("begin-epoch",),
        ("begin-epoch", "--tenant", "acme", "--all-tenants"),
        ("verify-log", "--tenant", "acme", "--anchor", "yesterday"),
        ("reconcile", "--tenant", "acme", "--patience", "-1"),
        ("reconcile", "--tenant", "acme", "--patience", "nan"),
        ("reconcile", "--tenant", "acme", "--patience", "long"),
    ],
)
def test_a_command_that_is_not_understood_shows_how_to_use_it(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith(f"usage: python -m graphql_api {arguments[0]}")


def test_the_head_that_was_signed_today_is_an_anchor_and_a_forged_one_is_none(
    server: Server, directory: Path
) -> None:
    signed = signed_head(directory)
    keys = directory / "keys.json"
    keys.write_text(run(directory, "head-keys").stdout)
    verify = ("verify-log", "--tenant", "acme", "--anchor")

    trusted = run(directory, *verify, signed, "--keys", str(keys))
    by_the_key_itself = run(directory, *verify, signed)
    forged = run(directory, *verify, f"{signed[:-6]}AAAAAA", "--keys", str(keys))

    assert (trusted.returncode, trusted.stderr) == (0, "")
    assert trusted.stdout.splitlines()[0].endswith("is signed by a key that is trusted.")
    assert "holds together" in trusted.stdout
    assert by_the_key_itself.stdout == trusted.stdout
    assert forged.returncode == 1
    assert forged.stderr.startswith("The anchor cannot be trusted:")


def signed_head(directory: Path) -> str:
    """That of acme, once the sweep has come by."""
    until = time.monotonic() + SWEEP_SECONDS + PATIENCE_SECONDS
    while time.monotonic() < until:
        lines = [json.loads(line) for line in (directory / ".local/audit.jsonl").read_text().splitlines()]
        if heads := [line["head"] for line in lines if "head" in line and line["tenant"] == "acme"]:
            return heads[0]
        time.sleep(0.5)
    raise AssertionError("no head was signed")
