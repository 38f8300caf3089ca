"""What API Gateway answers by itself, and the handshake."""

from tests.protocol.cases.shared import SIGNED_IN, VIEWER
from tests.protocol.frames import OWN_ORIGIN, subscribe
from tests.protocol.row import PROTOCOL, Row, both, differs

BY_GATEWAY = [
    Row(
        "a binary frame",
        [SIGNED_IN, both(subscribe(VIEWER).encode(), answers=["next 1", "complete 1"])],
        at_handler=False,
    ),
    Row(
        "bytes that are no UTF-8",
        [SIGNED_IN, both(b'{"type": "\xff"}', answers=["close 1007"], is_text=True)],
        at_handler=False,
    ),
    Row(
        "a message of 200 KB",
        [
            SIGNED_IN,
            differs(
                subscribe(VIEWER, extensions={"padding": "x" * 200 * 1024}),
                reference=["next 1", "complete 1"],
                ours=["close 1009"],
            ),
        ],
        "API Gateway takes no message over 128 KB.",
        at_handler=False,
    ),
    Row(
        "another sub-protocol",
        [],
        "What `$connect` refuses is told by the status of the handshake.",
        protocols=("soap",),
        handshake=differs(reference=["close 4406"], ours=["http 400"]),
    ),
    Row(
        "the legacy sub-protocol",
        [],
        "As any other sub-protocol.",
        protocols=("graphql-ws",),
        handshake=differs(reference=["close 4406"], ours=["http 400"]),
    ),
    Row(
        "no sub-protocol",
        [],
        "As any other sub-protocol.",
        protocols=(),
        handshake=differs(reference=["close 4406"], ours=["http 400"]),
    ),
    Row("one sub-protocol of several", [SIGNED_IN], protocols=("graphql-ws", PROTOCOL)),
    Row(
        "a bad token as a sub-protocol",
        [],
        "As with a sub-protocol that is not understood.",
        protocols=(PROTOCOL, "bearer.x"),
        handshake=differs(reference=[], ours=["http 401"]),
    ),
    Row(
        "a foreign Origin",
        [],
        "The reference leaves the check to who runs it.",
        origin="https://elsewhere.example",
        handshake=differs(reference=[], ours=["http 403"]),
    ),
    Row("our own Origin", [SIGNED_IN], origin=OWN_ORIGIN, at_handler=False),
    Row("no Origin", [SIGNED_IN]),
]
