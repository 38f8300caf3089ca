import io
import json
import logging
from collections.abc import Iterator

import pytest

from graphql_api import telemetry
from graphql_api.telemetry import log_fields


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root, mangum = logging.getLogger(), logging.getLogger("mangum")
    handlers, level, mangum_level = root.handlers[:], root.level, mangum.level
    stream = io.StringIO()
    telemetry.configure(stream=stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    mangum.setLevel(mangum_level)


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_json_with_the_bound_and_the_given_fields(stream: io.StringIO):
    with log_fields(request_id="r1", tenant=None), log_fields(operation="Board"):
        logging.getLogger("x").info("hello %s", "you", extra={"codes": ["NOT_FOUND"]})
    logging.getLogger("x").info("later")
    first, second = lines(stream)
    assert first["message"] == "hello you"
    assert (first["level"], first["logger"]) == ("INFO", "x")
    assert (first["request_id"], first["operation"], first["codes"]) == ("r1", "Board", ["NOT_FOUND"])
    assert "tenant" not in first
    assert "request_id" not in second


def test_fields_end_with_their_block_whatever_happens(stream: io.StringIO):
    with pytest.raises(KeyError), log_fields(tenant="acme"):
        raise KeyError
    logging.getLogger("x").info("later")
    assert "tenant" not in lines(stream)[0]


@pytest.mark.parametrize(
    "injected",
    [
        'a\n{"level": "ERROR"}',
        "a\r\nb",
        "\x1b[31mred",
        "\u2028\u2029\x85",
        "\u202egnp.exe",
        '"}',
        "\ud800",
        "\x7f\x00",
    ],
)
def test_nothing_can_be_injected_into_the_log(stream: io.StringIO, injected: str):
    with log_fields(tenant=injected):
        logging.getLogger("x").info(injected, extra={"field": injected})
    raw = stream.getvalue()
    assert raw.isascii()
    assert raw[:-1].isprintable()
    [line] = lines(stream)
    assert line["message"] == line["tenant"] == line["field"] == injected


def test_an_exception_brings_the_end_of_its_traceback(stream: io.StringIO):
    error = ValueError("x" * 20_000 + "cause")
    logging.getLogger("x").error("failed", exc_info=error)
    traceback = str(lines(stream)[0]["traceback"])
    assert traceback.endswith("cause")
    assert len(traceback) == telemetry.MAX_TRACEBACK


def test_what_json_does_not_know_is_written_as_text(stream: io.StringIO):
    logging.getLogger("x").info("odd", extra={"odd": {1, 2}})
    assert lines(stream)[0]["odd"] == "{1, 2}"


def test_configuring_twice_writes_once(stream: io.StringIO):
    telemetry.configure(stream=stream)
    logging.getLogger("x").info("once")
    assert len(lines(stream)) == 1
