import json
import logging
import re
import shutil
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from anyio import sleep_forever
from graphql import build_schema, parse, print_ast, validate
from starlette.applications import Starlette
from starlette.types import Message

from graphql_api.local.graphiql import BUILD_HINT, EXAMPLE_QUERY, DemoTab, GraphiQLConfig, graphiql_routes

ROOT = Path(__file__).parents[2]
HOSTILE = "\"'><script>alert(1)</script>&"


class Answer:
    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status, self.headers, self.text = status, headers, body.decode()

    @property
    def policy(self) -> dict[str, str]:
        directives = self.headers["content-security-policy"].split("; ")
        return dict(directive.split(" ", 1) for directive in directives)


class Page(HTMLParser):
    """What a browser would make of the page: the configuration, and each script's source or content."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.config: dict[str, Any] = {}
        self.scripts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if config := given.get("data-config"):
            self.config = json.loads(config)
        if tag == "script" and "src" in given:
            self.scripts.append(str(given["src"]))

    def handle_data(self, data: str) -> None:
        if self.cdata_elem == "script":
            self.scripts.append(data)


async def get(config: GraphiQLConfig, path: str = "/", host: str = "localhost:8000") -> Answer:
    sent: list[Message] = []

    async def receive() -> Message:
        await sleep_forever()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", host.encode())],
        "server": ("127.0.0.1", 8000),
    }
    await Starlette(routes=graphiql_routes(config))(scope, receive, send)
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], headers, b"".join(part.get("body", b"") for part in sent[1:]))


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    (tmp_path / "assets").mkdir()
    shutil.copy(ROOT / "ide" / "index.html", tmp_path)
    for name in ("main-a1.js", "main-a1.css", "icons-a1.ttf"):
        (tmp_path / "assets" / name).write_text("content")
    return tmp_path


@pytest.fixture
def tabs() -> list[DemoTab]:
    serial = count()
    return [DemoTab(name, lambda name=name: f"{name}-token-{next(serial)}") for name in ("acme", "globex")]


@pytest.fixture
def built(bundle: Path, tabs: list[DemoTab]) -> GraphiQLConfig:
    return GraphiQLConfig(tabs=tabs, bundle=bundle)


@pytest.fixture
def unbuilt(tmp_path: Path, tabs: list[DemoTab]) -> GraphiQLConfig:
    return GraphiQLConfig(tabs=tabs, bundle=tmp_path / "absent", endpoint="/api", websocket="/socket")


async def test_the_page_carries_its_configuration_in_one_attribute(built: GraphiQLConfig) -> None:
    config = Page((await get(built)).text).config
    assert config["url"] == config["subscriptionUrl"] == "/graphql"
    assert [tab["name"] for tab in config["tabs"]] == ["acme", "globex"]
    assert config["tabs"][1]["query"] == EXAMPLE_QUERY % "globex"


async def test_every_page_brings_new_tokens(built: GraphiQLConfig) -> None:
    tokens = [tab["token"] for _ in range(2) for tab in Page((await get(built)).text).config["tabs"]]
    assert tokens == ["acme-token-0", "globex-token-1", "acme-token-2", "globex-token-3"]


async def test_nothing_in_the_configuration_can_leave_the_attribute(bundle: Path) -> None:
    tab = DemoTab("acme", lambda: HOSTILE, query=HOSTILE)
    page = Page((await get(GraphiQLConfig(tabs=[tab], bundle=bundle, endpoint=HOSTILE))).text)
    assert (page.config["url"], page.config["tabs"][0]["token"]) == (HOSTILE, HOSTILE)
    assert page.scripts == ["/src/main.jsx"]


async def test_the_policy_allows_nothing_but_this_origin(built: GraphiQLConfig) -> None:
    assert (await get(built)).policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "worker-src": "'self'",
        "style-src": "'self' 'unsafe-inline'",
        "font-src": "'self' data:",
        "img-src": "'self' data:",
        "connect-src": "'self' ws://localhost:8000 wss://localhost:8000",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }


@pytest.mark.parametrize("host", ["evil;script-src", "x,y", "*", "'unsafe-eval'"])
async def test_a_host_header_cannot_widen_the_policy(built: GraphiQLConfig, host: str) -> None:
    assert (await get(built, host=host)).policy["connect-src"] == "'self'"


async def test_the_page_with_tokens_is_never_stored_or_embedded(built: GraphiQLConfig) -> None:
    headers = (await get(built)).headers
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.parametrize(
    ("name", "media_type"),
    [("main-a1.js", "text/javascript"), ("main-a1.css", "text/css"), ("icons-a1.ttf", "font/ttf")],
)
async def test_assets_have_their_type_and_are_cached_for_good(
    built: GraphiQLConfig, name: str, media_type: str
) -> None:
    answer = await get(built, f"/ide/assets/{name}")
    assert (answer.status, answer.text) == (200, "content")
    assert answer.headers["content-type"] == media_type
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.policy == {"default-src": "'self'"}


@pytest.mark.parametrize("path", ["absent.js", "", "../index.html", "..%2findex.html"])
async def test_only_assets_are_served_and_a_missing_one_is_not_cached(
    built: GraphiQLConfig, path: str
) -> None:
    answer = await get(built, f"/ide/assets/{path}")
    assert answer.status == 404
    assert "cache-control" not in answer.headers


async def test_without_a_bundle_page_and_log_say_how_to_build_it(
    unbuilt: GraphiQLConfig, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        answer = await get(unbuilt)
    assert caplog.messages == [BUILD_HINT]
    assert f">{BUILD_HINT}</p>" in answer.text


async def test_without_a_bundle_strawberrys_page_gets_endpoint_query_and_headers(
    unbuilt: GraphiQLConfig,
) -> None:
    script = Page((await get(unbuilt)).text).scripts[-1]
    assert 'const fetchURL = new URL("/api", window.location.href).href;' in script
    assert 'httpUrlToWebSockeUrl(new URL("/socket", window.location.href).href)' in script
    assert f"parameters.q || {json.dumps(EXAMPLE_QUERY % 'acme')}" in script
    assert r'parameters.headers || "{\n  \"Authorization\": \"Bearer acme-token-0\"\n}"' in script


async def test_without_a_bundle_the_policy_admits_the_cdn_and_this_one_script(
    unbuilt: GraphiQLConfig,
) -> None:
    answer = await get(unbuilt)
    script = Page(answer.text).scripts[-1]
    digest = b64encode(sha256(script.encode()).digest()).decode()
    assert answer.policy["script-src"] == f"https://unpkg.com 'sha256-{digest}'"
    assert set(re.findall(r'(?:src|href)="(https://[^/"]+)', answer.text)) == {"https://unpkg.com"}


async def test_without_a_bundle_nothing_can_leave_the_script(tmp_path: Path) -> None:
    tab = DemoTab("acme", lambda: HOSTILE, query=HOSTILE)
    page = Page((await get(GraphiQLConfig(tabs=[tab], bundle=tmp_path / "absent"))).text)
    assert page.scripts[-1].rstrip().endswith("root.render(React.createElement(GraphiQLWithExplorer));")


def test_the_example_is_as_prettify_would_leave_it() -> None:
    lines = (EXAMPLE_QUERY % "acme").splitlines(keepends=True)
    printed = "".join(line for line in lines if not line.startswith("#"))
    assert print_ast(parse(printed)) == printed.rstrip()


def test_the_example_fits_the_schema() -> None:
    schema = build_schema((ROOT / "schema.graphql").read_text())
    assert validate(schema, parse(EXAMPLE_QUERY % "acme")) == []
