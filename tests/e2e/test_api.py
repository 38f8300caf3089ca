import json

import pytest

from tests.e2e.system import ORIGIN, Member, System

VIEWER = "{ viewer { email role } }"
TASKS = """query ($project: ID!) { project(id: $project) {
  name tasks(first: 10) { edges { node { id title version } } } } }"""


def test_a_stranger_is_told_to_sign_in(system: System):
    answer = system.call(VIEWER)
    assert (answer.status, answer.codes) == (200, ["UNAUTHENTICATED"])


def test_a_token_with_a_broken_signature_is_refused(system: System, acme: Member):
    head, _, signature = acme.token.rpartition(".")
    answer = system.call(VIEWER, f"{head}.{signature[::-1]}")
    assert (answer.status, answer.codes) == (401, ["UNAUTHENTICATED"])


def test_an_administrator_signs_in_with_a_token(system: System, acme: Member):
    assert system.data(VIEWER, acme.token) == {"email": "ada@acme.example", "role": "ADMIN"}


def test_what_a_mutation_wrote_is_read_by_a_query(system: System, acme: Member):
    task = system.create_task(acme)
    project = system.data(TASKS, acme.token, project=acme.project)
    assert task in [edge["node"] for edge in project["tasks"]["edges"]]


@pytest.mark.parametrize(("origin", "allowed"), [(ORIGIN, ORIGIN), ("https://other.example", None)])
def test_browsers_of_the_allowed_origins_may_read_the_answer(
    origin: str, allowed: str | None, system: System
):
    # A preflight the emulator answers by itself; API Gateway hands it on.
    sent = {"content-type": "application/json", "origin": origin}
    answer = system.request("POST", sent, json.dumps({"query": "{ __typename }"}))
    assert answer.headers.get("access-control-allow-origin") == allowed
