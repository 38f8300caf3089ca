"""Ping and pong."""

from tests.protocol.cases.shared import ALIVE, NO_CODES, POSITION, SIGNED_IN, closes
from tests.protocol.frames import message
from tests.protocol.row import Row, both, differs

BEATING = [
    Row("ping before init", [both(message(type="ping"), answers=["pong"])]),
    Row(
        "ping with a payload before init",
        [both(message(type="ping", payload={"n": 1}), answers=['pong {"n": 1}'])],
    ),
    Row("ping with null", [both(message(type="ping", payload=None), answers=["pong"])]),
    Row("ping", [SIGNED_IN, ALIVE], POSITION),
    Row(
        "ping with a payload",
        [
            SIGNED_IN,
            differs(
                message(type="ping", payload={"n": 1}),
                reference=['pong {"n": 1}'],
                ours=['pong {"n": 1} with position'],
            ),
        ],
        POSITION,
    ),
    Row(
        "ping with a newer token",
        [
            SIGNED_IN,
            differs(
                message(type="ping", payload={"authorization": "Bearer x"}),
                reference=['pong {"authorization": "Bearer x"}'],
                ours=["pong refusing UNAUTHENTICATED with position"],
            ),
        ],
        "A ping can renew the token of ours, which is never sent back.",
    ),
    Row("ping with an array", [closes(4400, message(type="ping", payload=[1]))], NO_CODES),
    Row("pong that nobody asked for", [SIGNED_IN, both(message(type="pong")), ALIVE], POSITION),
    Row("pong with a payload", [SIGNED_IN, both(message(type="pong", payload={"n": 1})), ALIVE], POSITION),
]
