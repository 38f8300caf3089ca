"""What a client may learn from an error, and what only the log does."""

import json
import logging
from typing import Any

import pytest
from starlette.applications import Starlette

from graphql_api.errors import ErrorCode
from tests.http.protocol import SECRET, post

INTROSPECTION = [
    "{ __schema { types { name } } }",
    '{ __type(name: "Query") { name } }',
    "{ hidden: __schema { queryType { name } } }",
    "{ ...F } fragment F on Query { __schema { types { name } } }",
    "{ ... on Query { ... { __schema { types { name } } } } }",
    "{ hello } fragment Unused on Query { __schema { types { name } } }",
    "mutation { bump } query Other { __schema { types { name } } }",
    "{ __schema @skip(if: true) { types { name } } }",
    "{ __schema }",
    "{ nothing __type }",
]
SUGGESTED = {
    "field": "{ helo }",
    "argument": '{ echo(tex: "a") }',
    "type": "{ ... on Quer { hello } }",
    "enum": "{ color(color: REDD) }",
    "enum as string": '{ color(color: "RED") }',
    "input field": "{ point(point: { acros: 1 }) }",
    "oneOf field": '{ select(by: { nam: "a" }) }',
    "directive argument": "{ hello @skip(i: true) }",
    "directive": "{ hello @skipp(if: true) }",
    "subfield": "{ thing }",
    "variable type": "query($p: Poin) { point(point: $p) }",
    "fragment": "{ ...F } fragment F on Quer { hello }",
}
SUGGESTED_VARIABLES: dict[str, tuple[str, dict[str, Any]]] = {
    "enum": ("query($c: Color!) { color(color: $c) }", {"c": "REDD"}),
    "input field": ("query($p: Point!) { point(point: $p) }", {"p": {"across": 1, "dow": 2}}),
}


def messages(answer: Any) -> str:
    return " ".join(error["message"] for error in answer.json["errors"])


@pytest.mark.parametrize("query", INTROSPECTION)
async def test_production_refuses_introspection_wherever_it_stands(app: Starlette, query: str):
    for operation_name in (None, "Other"):
        answer = await post(app, query, operationName=operation_name)
        assert answer.codes == ["INTROSPECTION_DISABLED"]
        assert "data" not in answer.json


@pytest.mark.parametrize("query", INTROSPECTION[:6])
async def test_development_answers_introspection(development_app: Starlette, query: str):
    codes = [
        error["extensions"]["code"] for error in (await post(development_app, query)).json.get("errors", [])
    ]
    assert "INTROSPECTION_DISABLED" not in codes


async def test_words_that_look_like_introspection_are_no_introspection(app: Starlette):
    query = '# __schema\n{ __typename echo(text: "__schema { __type }") }'
    answer = await post(app, query)
    assert answer.json["data"] == {"__typename": "Query", "echo": "__schema { __type }"}


@pytest.mark.parametrize("query", SUGGESTED.values(), ids=SUGGESTED)
async def test_production_suggests_nothing_for_a_document(app: Starlette, query: str):
    assert "Did you mean" not in messages(await post(app, query))


@pytest.mark.parametrize(("query", "variables"), SUGGESTED_VARIABLES.values(), ids=SUGGESTED_VARIABLES)
async def test_production_suggests_nothing_for_variables(app: Starlette, query: str, variables: Any):
    answer = await post(app, query, variables)
    assert answer.codes == ["BAD_USER_INPUT"]
    assert "Did you mean" not in messages(answer)


@pytest.mark.parametrize("query", list(SUGGESTED.values())[:6])
async def test_development_does_suggest(development_app: Starlette, query: str):
    assert "Did you mean" in messages(await post(development_app, query))


@pytest.mark.parametrize("query", ["{ boom }", "{ strictBoom }", "{ internal }", "{ overflow }"])
async def test_an_unexpected_failure_is_masked_and_logged_once_with_its_traceback(
    app: Starlette, caplog: pytest.LogCaptureFixture, query: str
):
    with caplog.at_level(logging.INFO, "graphql_api"):
        answer = await post(app, query)
    assert answer.codes == ["INTERNAL_SERVER_ERROR"]
    assert SECRET.encode() not in answer.body
    assert b"123456789012" not in answer.body
    [record] = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.exc_info
    assert "123456789012" in caplog.text


async def test_a_crash_outside_execution_is_masked_and_logged(
    app: Starlette, caplog: pytest.LogCaptureFixture
):
    answer = await post(app, "{ hello }", token="broken")
    assert SECRET.encode() not in answer.body
    [record] = caplog.records
    assert record.exc_info
    assert SECRET in caplog.text


@pytest.mark.parametrize(
    "query", ["{ refused }", "{ nothing }", "{", "{ tenant }", "query($i: Int!) { echo(count: $i) }"]
)
async def test_an_expected_failure_is_one_info_line_without_traceback(
    app: Starlette, caplog: pytest.LogCaptureFixture, query: str
):
    with caplog.at_level(logging.INFO):
        await post(app, query)
    [record] = caplog.records
    assert (record.levelno, record.exc_info) == (logging.INFO, None)


@pytest.mark.parametrize(
    "query", ["{ refused }", "{ boom }", "{ nothing }", "{", "{ __schema }", "query A{hello} query B{hello}"]
)
async def test_every_error_carries_a_known_code_and_the_id_of_its_request(app: Starlette, query: str):
    answer = await post(app, query)
    for error in answer.json["errors"]:
        assert error["extensions"]["code"] in set(ErrorCode)
        assert error["extensions"]["requestId"] == answer.headers["x-request-id"]


async def test_a_resolvers_own_error_keeps_its_words_and_place(app: Starlette):
    [error] = (await post(app, "{ thing { a: refused } }")).json["errors"]
    assert error["message"] == "Thing not found."
    assert error["path"] == ["thing", "a"]
    assert error["locations"] == [{"line": 1, "column": 11}]
    assert error["extensions"]["code"] == "NOT_FOUND"


async def test_an_exception_handler_turns_an_error_into_data(app: Starlette):
    answer = await post(app, "mutation { claim { ... on Taken { message } } }")
    assert answer.json["data"] == {"claim": {"message": "Taken already."}}


@pytest.mark.parametrize(
    ("query", "variables", "code"),
    [
        ("query($s: Selector!) { select(by: $s) }", {"s": {"name": "a", "number": 1}}, "BAD_USER_INPUT"),
        ("query($s: Selector!) { select(by: $s) }", {"s": {}}, "BAD_USER_INPUT"),
        ('{ select(by: { name: "a", number: 1 }) }', {}, "GRAPHQL_VALIDATION_FAILED"),
        ("mutation { patch(patch: { title: null }) }", {}, "GRAPHQL_VALIDATION_FAILED"),
        ("mutation($p: Patch!) { patch(patch: $p) }", {"p": {"title": None}}, "BAD_USER_INPUT"),
        ("query($n: Int) { echo(count: $n) }", {"n": 2**31}, "BAD_USER_INPUT"),
        ("query($n: Int = 1) { echo(count: $n) }", {"n": None}, "BAD_USER_INPUT"),
    ],
)
async def test_refused_input_is_told_as_such(app: Starlette, query: str, variables: Any, code: str):
    answer = await post(app, query, variables)
    assert set(answer.codes) == {code}


@pytest.mark.parametrize(
    ("query", "variables", "named"),
    [
        ("mutation { patch(patch: { title: null }) }", {}, "title must not be null"),
        ("mutation($p: Patch!) { patch(patch: $p) }", {"p": {"title": None}}, "A field of the input is null"),
        ("mutation($t: String) { patch(patch: { title: $t }) }", {"t": None}, "A field of the input is null"),
        ('{ select(by: { name: "a", number: 1 }) }', {}, "Exactly one member"),
    ],
)
async def test_refused_input_shows_no_python(app: Starlette, query: str, variables: Any, named: str):
    answer = await post(app, query, variables)
    assert named in messages(answer)
    assert not any(word in messages(answer) for word in ("Maybe", "'str'", "Strawberry", "None", "OneOf"))


@pytest.mark.parametrize(
    ("patch", "seen"), [({}, "False False"), ({"note": None}, "False True"), ({"title": "a"}, "True False")]
)
async def test_absent_and_null_are_told_apart(app: Starlette, patch: Any, seen: str):
    answer = await post(app, "mutation($p: Patch!) { patch(patch: $p) }", {"p": patch})
    assert answer.json["data"] == {"patch": seen}


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        ("{ " + " ".join(f"unknown{n}" for n in range(200)) + " }", {}),
        ("query($p: [Point!]!) { point(point: $p) }", {}),
        ("query($p: Point!) { point(point: $p) }", {"p": {f"unknown{n}": 1 for n in range(200)}}),
        ("{ things(first: 100) { refused } }", {}),
        ("{ boom } " * 40, {}),
    ],
)
async def test_at_most_nine_errors_are_returned_in_a_small_answer(app: Starlette, query: str, variables: Any):
    answer = await post(app, query, variables)
    assert len(answer.json["errors"]) <= 9
    assert len(json.dumps(answer.json["errors"])) < 4096


LONG = "x" * 5000


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        (f"{{ {LONG} }}", {}),
        (f"{{ hello({LONG}: 1) }}", {}),
        (f'{{ color(color: "{LONG}") }}', {}),
        (f"{{ color(color: {LONG}) }}", {}),
        (f"{{ ...{LONG} }}", {}),
        (f"{{ hello @{LONG} }}", {}),
        (f"query(${LONG}: Int!) {{ echo(count: ${LONG}) }}", {}),
        (f"query($x: {LONG}) {{ echo(count: $x) }}", {}),
        (f"{{ echo(count: {'9' * 5000}) }}", {}),
        ("query($c: Color!) { color(color: $c) }", {"c": LONG}),
        ("query($n: Int!) { echo(count: $n) }", {"n": LONG}),
        ("query($n: Int!) { echo(count: $n) }", {"n": 10**4000}),
        ("query($p: Point!) { point(point: $p) }", {"p": {LONG: 1}}),
        (f"{{ {LONG}: refused }} x", {}),
        (f'{{ hello "{LONG}" }}', {}),
        ("query($t: String!) { verbose(text: $t) }", {"t": LONG}),
    ],
)
async def test_an_error_never_echoes_its_request(app: Starlette, query: str, variables: Any):
    answer = await post(app, query, variables)
    assert answer.json["errors"]
    assert b"x" * 257 not in answer.body
    assert b"9" * 257 not in answer.body
    assert b"0" * 257 not in answer.body


async def test_a_long_alias_is_left_out_of_the_path(app: Starlette):
    [error] = (await post(app, f"{{ {LONG}: refused }}")).json["errors"]
    assert "path" not in error
    assert error["locations"]


async def test_fields_in_conflict_do_not_list_every_place(app: Starlette):
    query = "{ " + " ".join(f'a: echo(text: "{n}")' for n in range(12)) + " }"
    answer = await post(app, query)
    assert max(len(error.get("locations", [])) for error in answer.json["errors"]) <= 4
    assert len(answer.body) < 4096


async def test_a_tenth_failure_is_still_logged(app: Starlette, caplog: pytest.LogCaptureFixture):
    fields = " ".join(f"a{n}: refused" for n in range(9))
    with caplog.at_level(logging.ERROR):
        answer = await post(app, f"{{ {fields} boom }}")
    assert set(answer.codes) == {"NOT_FOUND"}
    assert SECRET in caplog.text
