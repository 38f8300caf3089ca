"""A newcomer's commands, run as they are typed."""

import json
import shlex
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.local.server import ROOT, Server, run, serving

pytestmark = pytest.mark.slow

VIEWER = "{ viewer { email role } tenant { slug } }"
CREATE = "mutation ($input: CreateProjectInput!) { createProject(input: $input) { __typename } }"
INVITE = (
    "mutation ($input: InviteUserInput!) { inviteUser(input: $input) { ... on InviteUserPayload { token } } }"
)
ACCEPT = "mutation ($input: AcceptInviteInput!) { acceptInvite(input: $input) { __typename } }"
ONBOARD = "mutation ($input: OnboardTenantInput!) { onboardTenant(input: $input) { __typename } }"
PROJECTS = "{ projects(first: 100) { edges { node { name } } } }"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("newcomer")


@pytest.fixture(scope="module")
def server(directory: Path) -> Iterator[Server]:
    with serving(directory) as running:
        yield running


def token(directory: Path, *arguments: str) -> str:
    """What `token` prints, which is a token and nothing else."""
    printed = run(directory, "token", *arguments)
    assert (printed.returncode, printed.stderr) == (0, "")
    (line,) = printed.stdout.splitlines()
    return line


def refusal(directory: Path, *arguments: str, **environment: str) -> str:
    """What a command that must fail tells on its one line."""
    ended = run(directory, *arguments, **environment)
    assert (ended.returncode, ended.stdout) == (1, "")
    (line,) = ended.stderr.splitlines()
    return line


def projects(server: Server, bearer: str) -> list[str]:
    return [edge["node"]["name"] for edge in server.data(bearer, PROJECTS)["projects"]["edges"]]


def test_the_printed_addresses_answer(server: Server) -> None:
    assert server.after("GraphQL") == f"{server.origin}/graphql"
    assert server.get(urlsplit(server.after("Health")).path) == (200, b'{"status":"ok"}')
    status, page = server.get("/")
    assert status == 200
    assert b"<html" in page.lower()
    assert json.loads(server.get("/.well-known/jwks.json")[1])["keys"][0]["alg"] == "ES256"


def test_each_printed_token_is_its_persons(server: Server) -> None:
    people = {tuple(line.split(" · ")): bearer for line, bearer in server.tokens.items() if "·" in line}
    assert len(people) == 8

    for (slug, role, email), bearer in people.items():
        assert server.data(bearer, VIEWER) == {
            "viewer": {"email": email, "role": role.upper()},
            "tenant": {"slug": slug},
        }


def test_the_printed_operators_token_sees_the_tenants(server: Server) -> None:
    operator = server.tokens["platform operator"]

    seen = server.data(operator, "{ tenants { edges { node { slug } } } }")
    assert [edge["node"]["slug"] for edge in seen["tenants"]["edges"]] == ["acme", "globex"]


def test_the_printed_request_is_answered_with_tasks(server: Server) -> None:
    command, silent, url, *options = shlex.split(server.curl)
    headers = dict(
        value.split(": ", 1)
        for option, value in zip(options[::2], options[1::2], strict=True)
        if option == "-H"
    )
    assert (command, silent, url) == ("curl", "-s", f"{server.origin}/graphql")

    status, body = server.request("POST", "/graphql", options[options.index("-d") + 1], headers)
    assert status == 200
    assert len(json.loads(body)["data"]["tasks"]["edges"]) == 3


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_printed_request_works_when_it_is_pasted(server: Server) -> None:
    pasted = subprocess.run(["sh", "-c", server.curl], capture_output=True, timeout=60, check=True)

    assert len(json.loads(pasted.stdout)["data"]["tasks"]["edges"]) == 3


def test_a_token_for_a_demo_role_needs_no_server(tmp_path: Path) -> None:
    assert token(tmp_path, "--tenant", "acme", "--role", "ADMIN").count(".") == 2


def test_a_token_is_for_a_demo_person_of_the_role(server: Server, directory: Path) -> None:
    for role, email in (("ADMIN", "grace@globex.example"), ("VIEWER", "elif@globex.example")):
        bearer = token(directory, "--tenant", "globex", "--role", role)
        assert server.data(bearer, VIEWER)["viewer"] == {"email": email, "role": role}


def test_a_token_without_a_role_is_an_administrators(server: Server, directory: Path) -> None:
    bearer = token(directory, "--tenant", "acme")

    assert server.data(bearer, VIEWER)["viewer"] == {"email": "ada@acme.example", "role": "ADMIN"}


def test_a_token_for_an_operator(server: Server, directory: Path) -> None:
    bearer = token(directory, "--role", "PLATFORM")

    assert server.data(bearer, "{ tenants { edges { node { status } } } }")["tenants"]["edges"]


def test_a_token_for_somebody_who_was_invited(server: Server, directory: Path) -> None:
    invitation = {"email": "zoe@acme.example", "name": "Zoe Okoye", "role": "MANAGER"}
    invited = server.data(token(directory, "--tenant", "acme"), INVITE, input=invitation)
    server.data(None, ACCEPT, input={"token": invited["inviteUser"]["token"]})

    zoe = token(directory, "--tenant", "acme", "--role", "MANAGER", "--user", "Zoe@Acme.example")
    assert server.data(zoe, VIEWER)["viewer"] == {"email": "zoe@acme.example", "role": "MANAGER"}


def test_a_token_for_the_administrator_of_a_new_tenant(server: Server, directory: Path) -> None:
    initech = {
        "slug": "initech",
        "name": "Initech",
        "adminEmail": "bill@initech.example",
        "adminName": "Bill",
    }
    server.data(token(directory, "--role", "PLATFORM"), ONBOARD, input=initech)

    bill = token(directory, "--tenant", "initech", "--user", "bill@initech.example")
    assert server.data(bill, VIEWER)["tenant"] == {"slug": "initech"}


def test_a_token_for_nobody_is_refused_in_one_line(server: Server, directory: Path) -> None:
    told = {
        (
            "--tenant",
            "acme",
            "--user",
            "nobody@acme.example",
        ): "Nobody in acme has the address nobody@acme.example.",
        ("--tenant", "nowhere", "--user", "a@b.example"): "Nobody in nowhere has the address a@b.example.",
        ("--tenant", "No#where", "--user", "a@b.example"): "There is no such tenant.",
        ("--tenant", "nowhere"): "nowhere is no demo tenant; name somebody with --user.",
        ("--tenant", "acme", "--user", "ada"): "'ada' is no e-mail address.",
        ("--role", "VIEWER"): "--tenant is needed for every role but PLATFORM.",
    }
    for arguments, line in told.items():
        assert refusal(directory, "token", *arguments) == line


def test_what_is_no_command_shows_how_to_use_it(tmp_path: Path) -> None:
    for arguments in ((), ("dance",), ("token", "--role", "KING")):
        ended = run(tmp_path, *arguments)
        assert ended.returncode == 2
        assert ended.stderr.startswith("usage: python -m graphql_api")


def test_the_printed_schema_is_the_committed_one(tmp_path: Path) -> None:
    printed = run(tmp_path, "schema")

    assert printed.stdout == (ROOT / "schema.graphql").read_text()
    assert list(tmp_path.iterdir()) == []


def test_a_port_that_is_taken_is_told_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert refusal(tmp_path, "serve", PORT=port).startswith(f"Port {port} cannot be used (")


@pytest.mark.parametrize("port", ["http", "65536", "٣"])
def test_what_is_no_port_is_told_in_one_line(tmp_path: Path, port: str) -> None:
    assert refusal(tmp_path, "serve", PORT=port) == f"PORT must be a number from 0 to 65535, not {port!r}."


def test_data_and_tokens_survive_a_restart_until_a_reset(tmp_path: Path) -> None:
    with serving(tmp_path) as first:
        ada = first.tokens["acme · admin · ada@acme.example"]
        first.data(ada, CREATE, input={"name": "Kept over night"})
        seeded = projects(first, ada)
    with serving(tmp_path, RESET="0") as second:
        assert projects(second, ada) == seeded
        assert "Kept over night" in seeded
    with serving(tmp_path, RESET="1") as third:
        assert projects(third, ada) == [name for name in seeded if name != "Kept over night"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_server_ends_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    with serving(tmp_path) as server:
        engine = json.loads((tmp_path / ".local/running.json").read_text())["dynamodb"]
        server.data(server.tokens["platform operator"], "{ __typename }")
        code = server.stop(number)

    assert code == 0
    assert "Traceback" not in server.log.read_text()
    assert all(json.loads(line)["level"] == "INFO" for line in server.log.read_text().splitlines())
    assert not (tmp_path / ".local/running.json").exists()
    address = urlsplit(engine)
    with socket.socket() as probe:
        assert probe.connect_ex((address.hostname, address.port)) != 0
