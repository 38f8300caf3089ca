import logging

import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route
from starlette.types import Message

from graphql_api.app import create_app
from graphql_api.settings import Profile
from graphql_api.telemetry import JsonFormatter
from tests.http import protocol
from tests.http.protocol import Services, post, send

HELLO = b'{"query": "{ hello }"}'
HEADERS = {"content-type": "application/json"}
ORIGIN = "https://app.example"


@pytest.mark.parametrize(
    "given", ["0123abcd", "a" * 64, "Client-Id_1.2", "1-67891233-abcdef012345678912345678"]
)
async def test_a_sane_request_id_is_kept(app: Starlette, services: Services, given: str):
    answer = await send(app, HELLO, headers={**HEADERS, "x-request-id": given})
    assert answer.headers["x-request-id"] == services.contexts[0].request_id == given


@pytest.mark.parametrize(
    "given", ["", "short", "a" * 65, "with space1", "line\nbreak1", "<script>1", "-leading1", "\xfc" * 9]
)
async def test_any_other_request_id_is_replaced(app: Starlette, services: Services, given: str):
    answer = await send(app, HELLO, headers={**HEADERS, "x-request-id": given})
    assert answer.headers["x-request-id"] == services.contexts[0].request_id != given
    assert len(answer.headers["x-request-id"]) == 32


async def test_two_request_ids_are_none(app: Starlette):
    headers = [*HEADERS.items(), ("x-request-id", "0123abcd"), ("x-request-id", "0123abce")]
    assert len((await send(app, HELLO, headers=headers)).headers["x-request-id"]) == 32


async def test_requests_get_ids_of_their_own(app: Starlette):
    ids = {(await send(app, HELLO, headers=HEADERS)).headers["x-request-id"] for _ in range(20)}
    assert len(ids) == 20


async def test_log_lines_name_request_tenant_and_operation(app: Starlette, caplog: pytest.LogCaptureFixture):
    lines: list[str] = []
    handler = logging.Handler()
    handler.setFormatter(JsonFormatter())
    handler.emit = lambda record: lines.append(handler.format(record))
    logger = logging.getLogger("graphql_api")
    logger.addHandler(handler)
    try:
        with caplog.at_level(logging.INFO):
            answer = await post(
                app, "query Mine($t: String!) { verbose(text: $t) }", {"t": "canary"}, token="good"
            )
            await post(app, "{ refused }", token="other")
    finally:
        logger.removeHandler(handler)
    first, second = lines
    for value in ('"acme"', '"Mine"', '"NOT_FOUND"', answer.headers["x-request-id"]):
        assert value in first
        assert value == '"NOT_FOUND"' or value not in second
    assert "canary" not in first
    assert "good" not in first


@pytest.mark.parametrize("path", ["/graphql", "/health", "/nowhere"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_every_answer_carries_the_security_headers(app: Starlette, path: str, method: str):
    answer = await send(app, method=method, path=path)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert answer.headers["strict-transport-security"]
    assert answer.headers["x-request-id"]


async def test_development_does_not_pin_browsers_to_https(development_app: Starlette):
    assert "strict-transport-security" not in (await send(development_app, HELLO)).headers


async def test_health_answers_without_a_token(app: Starlette):
    answer = await send(app, method="GET", path="/health")
    assert (answer.status, answer.json) == (200, {"status": "ok"})


@pytest.mark.parametrize("path", ["/nowhere", "/graphql/", "/", "/graphql/x", "//evil.example/graphql"])
async def test_an_unknown_path_is_a_typed_404(app: Starlette, path: str):
    answer = await send(app, HELLO, path=path, headers={**HEADERS, "host": "evil.example"})
    assert (answer.status, answer.codes) == (404, ["NOT_FOUND"])


async def test_a_wrong_method_elsewhere_is_a_typed_405(app: Starlette):
    answer = await send(app, path="/health")
    assert (answer.status, answer.codes, answer.headers["allow"]) == (
        405,
        ["METHOD_NOT_ALLOWED"],
        "GET, HEAD",
    )


def page(_: Request) -> PlainTextResponse:
    return PlainTextResponse("page", headers={"content-security-policy": "default-src 'self'"})


async def crash(_: Request) -> PlainTextResponse:
    raise KeyError(protocol.SECRET)


async def refuse(_: Request) -> PlainTextResponse:
    raise HTTPException(416, protocol.SECRET)


async def cut(_: Request) -> StreamingResponse:
    async def chunks():
        yield "begun"
        raise KeyError(protocol.SECRET)

    return StreamingResponse(chunks())


async def test_extra_routes_are_served_and_keep_their_own_policy():
    app = create_app(protocol.services(Profile.DEVELOPMENT), [Route("/", page)])
    answer = await send(app, method="GET", path="/")
    assert answer.body == b"page"
    assert answer.headers["content-security-policy"] == "default-src 'self'"


async def test_a_crashing_route_answers_a_masked_error():
    app = create_app(protocol.services(Profile.DEVELOPMENT), [Route("/crash", crash)])
    answer = await send(app, method="GET", path="/crash")
    assert (answer.status, answer.codes) == (500, ["INTERNAL_SERVER_ERROR"])
    assert protocol.SECRET.encode() not in answer.body


async def test_a_route_that_refuses_by_status_answers_a_typed_error():
    app = create_app(protocol.services(Profile.DEVELOPMENT), [Route("/refuse", refuse)])
    answer = await send(app, method="GET", path="/refuse")
    assert (answer.status, answer.codes) == (400, ["BAD_REQUEST"])
    assert protocol.SECRET.encode() not in answer.body


async def test_an_answer_that_has_begun_is_cut_off_rather_than_mended():
    app = create_app(protocol.services(Profile.DEVELOPMENT), [Route("/cut", cut)])
    with pytest.raises(KeyError):
        await send(app, method="GET", path="/cut")


@pytest.fixture
def shared_app() -> Starlette:
    return create_app(protocol.services(allowed_origins=(ORIGIN,)))


@pytest.mark.parametrize("token", [None, "bad", "broken"])
async def test_an_allowed_origin_may_read_answers_and_refusals(shared_app: Starlette, token: str | None):
    headers = {**HEADERS, "origin": ORIGIN, **({"authorization": f"Bearer {token}"} if token else {})}
    answer = await send(shared_app, HELLO, headers=headers)
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert "Origin" in answer.headers["vary"].split(", ")
    assert "X-Request-Id" in answer.headers["access-control-expose-headers"]
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "https://app.example.evil.example", ORIGIN.upper()]
)
async def test_another_origin_may_not(shared_app: Starlette, origin: str):
    answer = await send(shared_app, HELLO, headers={**HEADERS, "origin": origin})
    assert "access-control-allow-origin" not in answer.headers


async def preflight(app: Starlette, origin: str):
    headers = {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type, authorization, x-request-id",
    }
    return await send(app, method="OPTIONS", headers=headers)


async def test_a_preflight_is_answered_by_the_list(shared_app: Starlette, app: Starlette):
    allowed = await preflight(shared_app, ORIGIN)
    assert (allowed.status, allowed.headers["access-control-allow-origin"]) == (200, ORIGIN)
    refused = await preflight(shared_app, "https://evil.example")
    assert (refused.status, "access-control-allow-origin" in refused.headers) == (400, False)
    assert (await preflight(app, ORIGIN)).status == 400


async def test_a_server_that_starts_and_stops_opens_and_closes_the_services(
    app: Starlette, services: Services
):
    calls: list[tuple[str, int, int]] = []
    received = iter(["lifespan.startup", "lifespan.shutdown"])

    async def receive() -> Message:
        return {"type": next(received)}

    async def note(message: Message) -> None:
        calls.append((message["type"], services.calls["open"], services.calls["close"]))

    await app({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, note)
    assert calls == [("lifespan.startup.complete", 1, 0), ("lifespan.shutdown.complete", 1, 1)]
