import json
from urllib.parse import urlencode

import pytest
from starlette.applications import Starlette

from tests.http.protocol import GRAPHQL, Services, post, send

JSON_HEADERS = {"content-type": "application/json"}
HELLO = b'{"query": "{ hello }"}'


@pytest.mark.parametrize(
    "body",
    [
        HELLO,
        b"\xef\xbb\xbf" + HELLO,
        b'{"query": "{ hello }", "variables": null, "operationName": null, "extensions": null}',
        b'{"query": "{ hello }", "operationName": "", "extensions": {"a": 1}, "unknown": 1}',
        '{"query": "{ hello } # \u00fc \U0001f600"}'.encode(),
    ],
)
async def test_a_good_body_is_executed(app: Starlette, body: bytes):
    answer = await send(app, body, headers=JSON_HEADERS)
    assert (answer.status, answer.json["data"]) == (200, {"hello": "world"})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"5",
        b"null",
        b'"{hello}"',
        b"[]",
        b"[" + HELLO + b"]",
        b"{}",
        b"{",
        b'{"query": null}',
        b'{"query": 1}',
        b'{"query": ["{hello}"]}',
        b'{"query": "{hello}", "operationName": 1}',
        b'{"query": "{hello}", "operationName": ["A"]}',
        b'{"query": "{hello}", "variables": "{}"}',
        b'{"query": "{hello}", "variables": []}',
        b'{"query": "{hello}", "extensions": 0}',
        b'{"query": "{hello}", "query": "{boom}"}',
        b'{"query": "{hello}", "variables": {"a": 1, "a": 2}}',
        b'{"query": "{hello}", "variables": {"a": NaN}}',
        b'{"query": "{hello}", "variables": {"a": 1e400}}',
        b'{"query": "{hello}", "variables": {"a": ' + b"1" * 5000 + b"}}",
        b'{"query": "{hello}", "variables": {"a": "\\ud800"}}',
        b'{"query": "{hello}", "variables": {"a": "\x00"}}',
        b'{"query": "\xff"}',
        HELLO.decode().encode("utf-16"),
        b'{"query": "{hello}", "variables": {"a": ' + b"[" * 5000 + b"]" * 5000 + b"}}",
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b'{"query": "{hello}", "variables": {"a": [' + b"[]," * 80_000 + b"[]]}}",
        b'{"query": "{hello}", "extensions": {"a": [' + b"{}," * 10_000 + b"{}]}}",
    ],
    ids=range(30),
)
@pytest.mark.parametrize("accept", [GRAPHQL, "application/json"])
async def test_a_bad_body_is_a_typed_400(app: Starlette, body: bytes, accept: str):
    answer = await send(app, body, headers={**JSON_HEADERS, "accept": accept})
    assert (answer.status, answer.codes) == (400, ["BAD_REQUEST"])
    assert answer.headers["content-type"] == f"{accept}; charset=utf-8"
    assert len(answer.body) < 400


async def test_text_full_of_brackets_is_taken(app: Starlette):
    text = "[x](y) {z} " * 3000
    assert (await post(app, "query($t: String) { echo(text: $t) }", {"t": text})).json["data"] == {
        "echo": text
    }


async def test_extensions_are_bounded_like_variables(app: Starlette):
    for extensions, limit in (
        ({"a": [0] * 5000}, "variableValues"),
        ({"a": [[[[[[[[[[[]]]]]]]]]]]}, "valueDepth"),
    ):
        answer = await post(app, "{ hello }", extensions=extensions)
        assert (answer.codes, answer.json["errors"][0]["extensions"]["limit"]) == (
            ["QUERY_TOO_COMPLEX"],
            limit,
        )


async def test_an_integer_beyond_64_bits_arrives_exactly(app: Starlette):
    number = 123456789012345678901234567890
    answer = await post(app, "query($id: ID) { id(id: $id) }", {"id": number})
    assert answer.json["data"] == {"id": str(number)}


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "APPLICATION/JSON",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
        "application/json ; charset = utf8",
        "application/json;",
    ],
)
async def test_json_in_utf8_is_taken(app: Starlette, content_type: str):
    assert (await send(app, HELLO, headers={"content-type": content_type})).status == 200


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "text/plain",
        "text/plain, application/json",
        "text/plain; application/json",
        "application/json, text/plain",
        "application/json-patch+json",
        "text/application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/graphql",
        "application/json; charset=utf-16",
        "application/json; charset=utf-8; x=y",
    ],
)
async def test_any_other_type_of_body_is_415_and_not_executed(
    app: Starlette, services: Services, content_type: str | None
):
    headers = {} if content_type is None else {"content-type": content_type}
    answer = await send(app, b'{"query": "mutation { bump }"}', headers=headers)
    assert (answer.status, answer.codes) == (415, ["UNSUPPORTED_MEDIA_TYPE"])
    assert services.calls["bump"] == 0


@pytest.mark.parametrize("announce", [True, False])
async def test_a_body_over_the_bound_is_413_before_it_is_read_whole(app: Starlette, announce: bool):
    chunks = [HELLO[:-1], *[b" " * 100_000] * 50, b"}"]
    headers = {**JSON_HEADERS, **({"content-length": str(sum(map(len, chunks)))} if announce else {})}
    answer = await send(app, chunks, headers=headers)
    assert (answer.status, answer.codes) == (413, ["PAYLOAD_TOO_LARGE"])
    assert answer.json["errors"][0]["extensions"]["limit"] == 256 * 1024


@pytest.mark.parametrize("announced", ["nonsense", "-1", "9" * 400, "\u00b2"])
async def test_a_senseless_content_length_is_not_believed(app: Starlette, announced: str):
    assert (await send(app, HELLO, headers={**JSON_HEADERS, "content-length": announced})).status == 200


async def test_a_body_in_pieces_is_put_together(app: Starlette):
    assert (await send(app, [HELLO[:5], b"", HELLO[5:]], headers=JSON_HEADERS)).status == 200


async def get(app: Starlette, **parameters: str):
    return await send(app, method="GET", query=urlencode(parameters).encode(), headers={"accept": GRAPHQL})


async def test_a_query_by_get_is_executed(app: Starlette):
    query = "query A($t: String) { echo(text: $t) } query B { hello }"
    answer = await get(
        app, query=query, operationName="A", variables=json.dumps({"t": "\u00fc"}), extensions="{}"
    )
    assert (answer.status, answer.json["data"]) == (200, {"echo": "\u00fc"})
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"variables": "{}"},
        {"query": "{hello}", "variables": "{"},
        {"query": "{hello}", "variables": "[]"},
        {"query": "{hello}", "variables": '{"a": NaN}'},
        {"query": "{hello}", "extensions": '"x"'},
    ],
)
async def test_a_bad_get_is_a_typed_400(app: Starlette, parameters: dict[str, str]):
    answer = await get(app, **parameters)
    assert (answer.status, answer.codes) == (400, ["BAD_REQUEST"])


async def test_a_repeated_url_parameter_is_refused(app: Starlette):
    answer = await send(app, method="GET", query=b"query=%7Bhello%7D&query=%7Bboom%7D")
    assert (answer.status, answer.codes) == (400, ["BAD_REQUEST"])


@pytest.mark.parametrize("query", [b"query=%ff%7Bhello", b"%", b"query=%7Bhello%7D&variables=%ff", b"&&=&"])
async def test_a_malformed_url_is_a_typed_error(app: Starlette, query: bytes):
    answer = await send(app, method="GET", query=query, headers={"accept": GRAPHQL})
    assert answer.status == 400
    assert answer.codes in (["BAD_REQUEST"], ["GRAPHQL_PARSE_FAILED"])


async def test_a_url_of_many_parameters_is_a_typed_400(app: Starlette):
    parameters = b"".join(b"&a%d=1" % n for n in range(5000))
    for query, status in ((b"query=%7Bhello%7D" + parameters, 400), (b"query=%7Bhello%7D&a=1&b=1", 200)):
        assert (await send(app, method="GET", query=query)).status == status


async def test_a_url_longer_than_any_request_is_413(app: Starlette):
    answer = await send(app, method="GET", query=b"query=%7Bhello%7D&variables=" + b"%20" * 30_000)
    assert (answer.status, answer.codes) == (413, ["PAYLOAD_TOO_LARGE"])
