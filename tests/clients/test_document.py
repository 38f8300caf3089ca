import json
import re
from pathlib import Path

import pytest
from graphql import build_schema, parse, validate

from graphql_api.local.gateway import Limits
from graphql_api.operations.wire import MAX_CONTAINERS
from graphql_api.realtime import messages as frames
from graphql_api.realtime.census import MAX_SOCKETS_OF_TENANT, MAX_SOCKETS_OF_USER
from graphql_api.realtime.due import SIGN_IN
from graphql_api.realtime.gateway import MAX_FRAME_BYTES
from graphql_api.realtime.protocol import MAX_MESSAGE_BYTES
from graphql_api.realtime.replay import WINDOW
from graphql_api.realtime.sockets import COMPLETED_FOR, MAX_SUBSCRIPTIONS

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs/realtime.md").read_text()
RECIPES = [
    ("tests/clients/node/connect.mjs", "js"),
    ("tests/clients/node/resume.mjs", "js"),
    ("tests/clients/node/apollo.mjs", "js"),
    ("tests/clients/node/urql.mjs", "js"),
    ("tests/clients/resume.py", "python"),
]

OF_THE_SERVER = {"connection_ack", "pong", "next", "error", "connection_error"}
PROTOCOL = {"ConnectionInit", "ConnectionAck", "Ping", "Pong", "Subscribe", "Next", "Error", "Complete"}


def limit(name: str) -> str:
    """What the table of limits says."""
    found = re.search(rf"^\| {re.escape(name)} \| (.+) \|$", DOCUMENT, re.MULTILINE)
    assert found, name
    return found[1]


@pytest.mark.parametrize(("path", "language"), RECIPES)
def test_a_recipe_is_quoted_as_it_is_run(path: str, language: str):
    recipe = (ROOT / path).read_text()
    assert f"`{path}`" in DOCUMENT
    assert f"```{language}\n{recipe}```\n" in DOCUMENT


@pytest.mark.parametrize(("path", "language"), RECIPES)
def test_a_recipe_is_short_enough_to_be_read(path: str, language: str):
    assert len((ROOT / path).read_text().splitlines()) <= 40


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("subscriptions of a socket", str(MAX_SUBSCRIPTIONS)),
        ("sockets of a person", str(MAX_SOCKETS_OF_USER)),
        ("sockets of a tenant", f"{MAX_SOCKETS_OF_TENANT:,}"),
        ("message, either way", f"{MAX_MESSAGE_BYTES // 1024} KB"),
        ("message, either way", f"{MAX_FRAME_BYTES // 1024} KB"),
        ("brackets and braces in a message", f"{MAX_CONTAINERS:,}"),
        ("time for `connection_init`", f"{SIGN_IN.seconds} s"),
        ("time without a frame", f"{Limits().idle_seconds / 60:.0f} min"),
        ("age of a socket", f"{Limits().lifetime_seconds / 3600:.0f} h"),
        ("replay", f"{WINDOW.days} days"),
    ],
)
def test_a_limit_is_told_as_it_is_held(name: str, said: str):
    assert limit(name) == said


def test_the_time_of_an_unknown_complete_is_told_as_it_is_held():
    assert COMPLETED_FOR == 10
    assert "remembered for ten seconds" in DOCUMENT


def quoted(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)


def test_the_operation_is_one_of_our_schema():
    schema = build_schema((ROOT / "schema.graphql").read_text())
    [operation] = quoted("graphql")
    assert validate(schema, parse(operation)) == []


def test_a_client_s_message_is_one_that_we_understand():
    messages = [json.loads(text) for text in quoted("json")]
    assert {message["type"] for message in messages} >= {"next", "error", "connection_error"}
    said = [message for message in messages if message["type"] not in OF_THE_SERVER]
    assert [type(frames.parse(json.dumps(message), MAX_MESSAGE_BYTES)) for message in said] == [
        frames.ConnectionInit,
        frames.Ping,
        frames.Subscribe,
        frames.Complete,
        frames.Ping,
    ]


def test_every_link_inside_leads_somewhere():
    headings = re.findall(r"^#+ (.+)$", DOCUMENT, re.MULTILINE)
    places = {anchor(heading) for heading in headings}
    links = set(re.findall(r"\]\(#([^)]+)\)", DOCUMENT))
    assert links
    assert links <= places


def anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_every_message_of_the_protocol_has_its_heading():
    assert set(re.findall(r"^### (\w+)$", DOCUMENT, re.MULTILINE)) >= PROTOCOL
