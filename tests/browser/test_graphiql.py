"""A newcomer's first minute: the served page, in a real browser, against the real server."""

import json
from typing import Any

import pytest

from tests.browser.walk import walk
from tests.local.server import Server

pytestmark = [pytest.mark.node, pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def seen(server: Server, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return walk("graphiql.mjs", server, tmp_path_factory.mktemp("browser"))


def data(run: dict[str, Any]) -> dict[str, Any]:
    assert "errors" not in run["body"]
    return run["body"]["data"]


def test_each_demo_tenant_has_a_tab_with_its_own_token(seen: dict[str, Any]) -> None:
    assert seen["titles"] == ["acme", "globex"]
    assert f'"Authorization": "Bearer {seen["tokens"][0][:20]}' in seen["headers"]
    assert [seen[run]["authorization"] for run in ("first", "second")] == [
        f"Bearer {token}" for token in seen["tokens"]
    ]


def test_the_prefilled_query_shows_tasks_with_project_assignee_and_comments(seen: dict[str, Any]) -> None:
    answer = data(seen["first"])
    tasks = [edge["node"] for edge in answer["tasks"]["edges"]]
    assert answer["tenant"]["name"] == "Acme Robotics"
    assert len(tasks) == 5
    assert all(task["project"]["name"] for task in tasks)
    assert any(task["assignee"] for task in tasks)
    assert any(task["comments"]["edges"] for task in tasks)
    pane = "".join(seen["first"]["pane"].split())  # the editor wraps long lines
    assert json.dumps(tasks[0]["title"], ensure_ascii=False).replace(" ", "") in pane


def test_the_other_tab_shows_another_tenant_and_none_of_the_first_ones_tasks(seen: dict[str, Any]) -> None:
    tenants = [data(seen[run])["tenant"]["name"] for run in ("first", "second")]
    first, second = (
        {edge["node"]["id"] for edge in data(seen[run])["tasks"]["edges"]} for run in ("first", "second")
    )
    assert tenants == ["Acme Robotics", "Globex Logistics"]
    assert len(first) == len(second) == 5
    assert not first & second


def test_a_reload_keeps_the_tab_and_renews_its_token(seen: dict[str, Any]) -> None:
    assert seen["renewedTokens"][1] != seen["tokens"][1]
    assert seen["reloaded"]["authorization"] == f"Bearer {seen['renewedTokens'][1]}"
    assert data(seen["reloaded"]) == data(seen["second"])


def test_the_page_is_quiet_obeys_its_policy_and_stays_on_its_origin(seen: dict[str, Any]) -> None:
    assert seen["problems"] == []
