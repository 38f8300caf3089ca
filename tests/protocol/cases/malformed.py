"""Frames that are no message of the protocol."""

from tests.protocol.cases.shared import SIGNED_IN, VIEWER, closes, invalid, strict
from tests.protocol.frames import message, subscribe
from tests.protocol.row import Row

MALFORMED = [
    invalid("unknown type", message(type="start", id="1", payload={"query": VIEWER})),
    invalid("type missing", message(id="1")),
    invalid("type a number", message(type=1)),
    Row(
        "a server's message",
        [
            SIGNED_IN,
            closes(4400, message(type="next", id="1", payload={"data": None}), reference=("close 4500",)),
        ],
        "A client's mistake is no failure of the server.",
    ),
    invalid("subscribe without a payload", message(type="subscribe", id="1")),
    invalid("subscribe with null", message(type="subscribe", id="1", payload=None)),
    invalid("query missing", message(type="subscribe", id="1", payload={})),
    invalid("query a number", subscribe(1)),
    invalid("variables a string", subscribe(VIEWER, variables="{}")),
    invalid("variables an array", subscribe(VIEWER, variables=[])),
    invalid("extensions a string", subscribe(VIEWER, extensions="x")),
    invalid("operationName a number", subscribe(VIEWER, operationName=7)),
    invalid("not JSON", "{"),
    invalid("an empty frame", ""),
    invalid("[]", "[]"),
    invalid('""', '""'),
    invalid("null", "null"),
    invalid("a number", "4400"),
    strict("a key twice", '{"type": "ping", "type": "ping"}', reference=("pong",)),
    invalid("JSON 5 000 deep", "[" * 5_000 + "]" * 5_000),
    strict(
        "extensions 1 100 deep",
        subscribe(VIEWER, extensions={"a": "deep"}).replace('"deep"', "[" * 1_100 + "]" * 1_100),
        reference=("next 1", "complete 1"),
    ),
]
