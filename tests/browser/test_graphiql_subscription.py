"""GraphiQL listens: two tenants' pages, and members who work on tasks meanwhile."""

from typing import Any

import pytest

from tests.browser.walk import member_token, walk
from tests.local.server import Server

SECONDS = 2

pytestmark = [pytest.mark.node, pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def seen(server: Server, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return walk("subscribing.mjs", server, tmp_path_factory.mktemp("browser"))


def titles(page: dict[str, Any]) -> list[str]:
    frames = [frame for socket in page["sockets"] for frame in socket["received"] if frame["type"] == "next"]
    assert all("errors" not in frame["payload"] for frame in frames)
    return [frame["payload"]["data"]["taskChanged"]["task"]["title"] for frame in frames]


def test_a_change_of_another_member_shows_within_two_seconds(seen: dict[str, Any]) -> None:
    assert '"taskChanged": { "action": "UPDATED", "task": { "title": "acme again" } }' in seen["pane"]
    assert seen["seconds"] < SECONDS


def test_no_change_of_another_tenant_reaches_the_page(seen: dict[str, Any]) -> None:
    assert [title for title in titles(seen["globex"]) if title in {"globex alone", "globex again"}] == [
        "globex alone",
        "globex again",
    ]
    assert {"acme alone", "acme again"} <= set(titles(seen["acme"]))
    assert not set(titles(seen["acme"])) & set(titles(seen["globex"]))


def test_the_socket_signs_in_with_the_token_of_the_headers_pane(seen: dict[str, Any], server: Server) -> None:
    first, changed = (socket["sent"][0] for socket in seen["acme"]["sockets"])
    [other] = (socket["sent"][0] for socket in seen["globex"]["sockets"])
    tokens = [seen["acme"]["token"], member_token(server, "acme"), seen["globex"]["token"]]
    assert [frame["type"] for frame in (first, changed, other)] == ["connection_init"] * 3
    assert [frame["payload"] for frame in (first, changed, other)] == [
        {"Authorization": f"Bearer {token}"} for token in tokens
    ]
    assert len(set(tokens)) == 3


def test_stopping_ends_the_subscription_and_its_socket(seen: dict[str, Any]) -> None:
    stopped = seen["acme"]["sockets"][0]
    assert [frame["type"] for frame in stopped["sent"]] == ["connection_init", "subscribe", "complete"]
    assert stopped["isClosed"]


def test_the_pages_are_quiet_and_stay_on_their_origin(seen: dict[str, Any]) -> None:
    assert seen["acme"]["problems"] == seen["globex"]["problems"] == []
