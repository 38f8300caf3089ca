"""Which status and type each outcome travels under."""

from urllib.parse import urlencode

import pytest
from starlette.applications import Starlette

from tests.http.protocol import GRAPHQL, Services, post, send

JSON = "application/json"
REQUEST_ERRORS = {
    "{ hello": "GRAPHQL_PARSE_FAILED",
    "": "GRAPHQL_PARSE_FAILED",
    "{}": "GRAPHQL_PARSE_FAILED",
    "{ nothing }": "GRAPHQL_VALIDATION_FAILED",
    "type Query { a: Int }": "GRAPHQL_VALIDATION_FAILED",
    "{ __schema { types { name } } }": "INTROSPECTION_DISABLED",
    "query($id: Int!) { echo(count: $id) }": "BAD_USER_INPUT",
    "query A { hello } query B { hello }": "OPERATION_RESOLUTION_FAILURE",
    "fragment F on Query { hello }": "GRAPHQL_VALIDATION_FAILED",
    "subscription { ticks }": "BAD_REQUEST",
    "{ things(first: 100) { things { things { things { number } } } } }": "QUERY_TOO_COMPLEX",
}


@pytest.mark.parametrize(("query", "code"), REQUEST_ERRORS.items())
async def test_what_is_not_executed_is_400_in_the_modern_type_and_has_no_data(
    app: Starlette, query: str, code: str
):
    answer = await post(app, query)
    assert (answer.status, set(answer.codes)) == (400, {code})
    assert answer.headers["content-type"] == f"{GRAPHQL}; charset=utf-8"
    assert "data" not in answer.json


@pytest.mark.parametrize(("query", "code"), REQUEST_ERRORS.items())
async def test_what_is_not_executed_is_200_in_the_legacy_type(app: Starlette, query: str, code: str):
    answer = await post(app, query, accept=JSON)
    assert (answer.status, set(answer.codes)) == (200, {code})
    assert answer.headers["content-type"] == f"{JSON}; charset=utf-8"
    assert "data" not in answer.json


@pytest.mark.parametrize("accept", [GRAPHQL, JSON])
@pytest.mark.parametrize("query", ["{ refused }", "{ boom }", "{ strictBoom }", "{ hello boom }"])
async def test_what_is_executed_is_200_even_if_it_comes_to_nothing(app: Starlette, query: str, accept: str):
    answer = await post(app, query, accept=accept)
    assert answer.status == 200
    assert "data" in answer.json


@pytest.mark.parametrize(
    "query", ["{ hello }", "{ boom }", "{ things { number } }", "mutation { bump }", "{ strictBoom }"]
)
async def test_every_executed_operation_reports_its_cost(app: Starlette, query: str):
    cost = (await post(app, query)).json["extensions"]["cost"]
    assert cost.keys() == {"points", "nodes", "queries", "depth"}


async def test_the_cost_counts_with_the_variables(app: Starlette):
    query = "query($n: Int) { things(first: $n) { number } }"
    costs = [(await post(app, query, {"n": n})).json["extensions"]["cost"]["nodes"] for n in (1, 5, 100)]
    assert costs == [1, 5, 100]


@pytest.mark.parametrize("accept", [GRAPHQL, JSON])
async def test_a_mutation_by_get_is_405_and_does_not_happen(app: Starlette, services: Services, accept: str):
    query = urlencode({"query": "mutation { bump }"}).encode()
    answer = await send(app, method="GET", query=query, headers={"accept": accept})
    assert (answer.status, answer.codes, answer.headers["allow"]) == (405, ["METHOD_NOT_ALLOWED"], "POST")
    assert services.calls["bump"] == 0


async def test_the_chosen_operation_decides_whether_get_is_allowed(app: Starlette):
    document = "query A { hello } mutation B { bump }"
    for name, status in (("A", 200), ("B", 405)):
        query = urlencode({"query": document, "operationName": name}).encode()
        assert (await send(app, method="GET", query=query)).status == status


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "QUERY"])
async def test_other_methods_are_405(app: Starlette, method: str):
    answer = await send(app, b'{"query": "{ hello }"}', method=method)
    assert (answer.status, answer.headers["allow"]) == (405, "GET, POST")


async def test_a_client_that_accepts_neither_type_is_406_and_nothing_happens(
    app: Starlette, services: Services
):
    answer = await post(app, "mutation { bump }", accept="text/html")
    assert (answer.status, answer.codes) == (406, ["NOT_ACCEPTABLE"])
    assert services.calls["bump"] == 0


async def test_several_accept_headers_count_as_one(app: Starlette):
    headers = [("accept", "text/html"), ("accept", GRAPHQL), ("content-type", JSON)]
    answer = await send(app, b'{"query": "{ hello }"}', headers=headers)
    assert answer.headers["content-type"].startswith(GRAPHQL)


@pytest.mark.parametrize("query", ["{ hello }", "{ nothing }", "{"])
async def test_answers_vary_by_accept_and_are_never_stored(app: Starlette, query: str):
    answer = await post(app, query)
    assert "Accept" in answer.headers["vary"].split(", ")
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("accept", [GRAPHQL, JSON])
@pytest.mark.parametrize(
    ("token", "status", "code"),
    [
        ("bad", 401, "UNAUTHENTICATED"),
        ("suspended", 403, "FORBIDDEN"),
        ("limited", 429, "RATE_LIMITED"),
        ("broken", 500, "INTERNAL_SERVER_ERROR"),
        ("unreachable", 500, "INTERNAL_SERVER_ERROR"),
    ],
)
async def test_a_refused_caller_never_reaches_execution(
    app: Starlette, services: Services, token: str, status: int, code: str, accept: str
):
    answer = await post(app, "mutation { bump }", token=token, accept=accept)
    assert (answer.status, answer.codes) == (status, [code])
    assert answer.headers["content-type"] == f"{accept}; charset=utf-8"
    assert services.contexts == []
    assert services.calls["bump"] == 0


async def test_a_bad_token_is_told_how_to_authenticate(app: Starlette):
    assert (await post(app, "{ hello }", token="bad")).headers["www-authenticate"] == "Bearer"


async def test_a_rate_limit_says_when_to_come_back(app: Starlette):
    answer = await post(app, "{ hello }", token="limited")
    assert answer.headers["retry-after"] == "7"
    assert answer.json["errors"][0]["extensions"]["retryAfter"] == 7


async def test_a_malformed_authorization_header_is_401(app: Starlette):
    headers = {"content-type": JSON, "authorization": "Basic YTpi"}
    answer = await send(app, b'{"query": "{ hello }"}', headers=headers)
    assert (answer.status, answer.codes) == (401, ["UNAUTHENTICATED"])


async def test_a_request_without_a_token_is_executed_and_protected_fields_say_so(app: Starlette):
    answer = await post(app, "{ hello tenant }")
    assert answer.status == 200
    assert answer.json["data"] == {"hello": "world", "tenant": None}
    assert answer.codes == ["UNAUTHENTICATED"]


async def test_the_identity_of_the_token_is_the_one_that_asks(app: Starlette):
    for token, tenant in (("good", "acme"), ("other", "globex")):
        assert (await post(app, "{ tenant }", token=token)).json["data"] == {"tenant": tenant}
    assert (await post(app, "{ tenant }")).json["data"] == {"tenant": None}


@pytest.mark.parametrize(
    ("name", "data"),
    [("A", {"hello": "world"}), ("B", {"echo": None}), ("C", None), ("", None), (None, None)],
)
async def test_a_document_of_several_operations_needs_a_known_name(
    app: Starlette, name: str | None, data: object
):
    answer = await post(app, "query A { hello } query B { echo }", operationName=name)
    assert answer.json.get("data") == data
    assert (data is None) == (answer.status == 400)


async def test_an_unknown_name_is_refused_for_a_single_operation_too(app: Starlette):
    answer = await post(app, "{ hello }", operationName="A")
    assert answer.codes == ["OPERATION_RESOLUTION_FAILURE"]


async def test_an_answer_too_large_for_lambda_is_refused(app: Starlette):
    answer = await post(app, "{ big(size: 5000000) }")
    assert (answer.status, answer.codes, answer.json["data"]) == (200, ["PAYLOAD_TOO_LARGE"], None)
    assert answer.json["errors"][0]["extensions"]["limit"] == 4_500_000
    assert len((await post(app, "{ big(size: 4000000) }")).json["data"]["big"]) == 4_000_000


async def test_a_mutation_whose_answer_is_too_large_says_that_it_happened(app: Starlette, services: Services):
    answer = await post(app, "mutation { fill(size: 5000000) }")
    assert (answer.status, answer.codes, services.calls["fill"]) == (200, ["PAYLOAD_TOO_LARGE"], 1)
    assert answer.json["errors"][0]["message"].startswith("The mutation took effect, but")


async def test_fields_that_failed_are_told_beside_an_answer_too_large(app: Starlette):
    answer = await post(app, "{ big(size: 5000000) refused }")
    assert answer.codes == ["PAYLOAD_TOO_LARGE", "NOT_FOUND"]


async def test_a_lone_surrogate_in_the_data_is_escaped(app: Starlette):
    answer = await post(app, "{ surrogate }")
    assert (answer.status, answer.json["data"]) == (200, {"surrogate": "\ud800"})
    assert rb"\ud800" in answer.body


async def test_errors_come_first(app: Starlette):
    assert list((await post(app, "{ boom }")).json) == ["errors", "data", "extensions"]
    assert list((await post(app, "{ hello }")).json) == ["data", "extensions"]
