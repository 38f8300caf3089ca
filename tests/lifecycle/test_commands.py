"""export-tenant, erase-tenant and import-tenant as they are typed, beside a server that runs."""

import json
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest

from graphql_api.__main__ import main
from graphql_api.lifecycle import erasure
from graphql_api.metering.usage import FLUSH_SECONDS
from tests.local.server import PATIENCE_SECONDS, Server, run, serving

pytestmark = pytest.mark.slow

ADA = "acme · admin · ada@acme.example"
GRACE = "globex · admin · grace@globex.example"
READ = """{ tenant { name } users { edges { node { id email role } } }
    projects { edges { node { id name version
        tasks(first: 5) { edges { node { id title version } } } } } } }"""
EXPORT = "mutation { exportTenant(input: {}) { ... on ExportTenantPayload { job { id } } } }"
JOB = "query ($id: ID!) { job(id: $id) { state items file { url sha256 } } }"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("operator")


@pytest.fixture(scope="module")
def server(directory: Path) -> Iterator[Server]:
    with serving(directory) as running:
        yield running


def refusal(directory: Path, *arguments: str) -> str:
    ended = run(directory, *arguments)
    assert ended.returncode == 1
    return ended.stderr.strip()


def awaited(server: Server, id: str) -> dict[str, Any]:
    until = time.monotonic() + PATIENCE_SECONDS
    while (job := server.data(server.tokens[ADA], JOB, id=id)["job"])["state"] == "RUNNING":
        assert time.monotonic() < until, "the job is not over"
        time.sleep(0.2)
    return job


def await_status(server: Server, status: int) -> None:
    """Until globex's administrator is let in, or no more: a membership is remembered for half a minute."""
    headers = {"content-type": "application/json", "authorization": f"Bearer {server.tokens[GRACE]}"}
    until = time.monotonic() + PATIENCE_SECONDS
    while server.request("POST", "/graphql", json.dumps({"query": READ}), headers)[0] != status:
        assert time.monotonic() < until, f"globex never gets {status}"
        time.sleep(0.5)


def test_a_running_server_exports_what_its_administrator_asks_for(server: Server) -> None:
    begun = server.data(server.tokens[ADA], EXPORT)["exportTenant"]["job"]
    job = awaited(server, begun["id"])

    manifest = json.loads(Path(url2pathname(urlsplit(job["file"]["url"]).path)).read_text())
    assert job["state"] == "DONE"
    assert sum(manifest["items"].values()) == job["items"] > 100


def test_a_tenant_goes_and_comes_back(
    server: Server, directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(directory)
    before = server.data(server.tokens[GRACE], READ)
    whose = ("--tenant", "globex")
    written = run(directory, "export-tenant", *whose, "--output", "out")
    assert (written.returncode, written.stderr) == (0, "")
    assert refusal(directory, "export-tenant", *whose, "--output", "out") == (
        "There is an export in out already."
    )
    assert refusal(directory, "import-tenant", *whose, "--input", "out") == (
        "The tenant has data; only one that has none can be imported."
    )
    assert "the slug once more" in refusal(directory, "erase-tenant", *whose, "--confirm", "acme")

    suspension = 'mutation { suspendTenant(input: {slug: "globex"}) { __typename } }'
    server.data(server.tokens["platform operator"], suspension)
    await_status(server, 403)
    time.sleep(FLUSH_SECONDS + 1)  # for what the server has counted of its usage
    # Nobody writes meanwhile.
    monkeypatch.setattr(erasure, "SHUT_OUT", timedelta(0))
    monkeypatch.setattr(erasure, "APART", timedelta(seconds=1))
    main(["erase-tenant", *whose, "--confirm", "globex"])
    assert capsys.readouterr().out.endswith("erased; nothing is left of it but its slug.\n")

    assert run(directory, "import-tenant", *whose, "--input", "out").stdout.endswith(
        "are back; it is open.\n"
    )
    assert refusal(directory, "erase-tenant", "--tenant", "nobody", "--confirm", "nobody") == (
        "Tenant not found."
    )
    await_status(server, 200)
    assert server.data(server.tokens[GRACE], READ) == before
    verified = run(directory, "verify-log", *whose)
    assert verified.stdout.startswith("The log of globex holds together from 1 to ")
