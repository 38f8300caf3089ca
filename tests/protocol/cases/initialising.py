"""Coming in: `connection_init`, tokens, and operations that are too early."""

from tests.protocol.cases.shared import NO_CODES, PROJECTS, SIGNED_IN, VIEWER, closes
from tests.protocol.frames import BAD_TOKEN, EXPIRED_TOKEN, TOKEN, init, message, subscribe
from tests.protocol.row import PROTOCOL, Row, both, differs

INITIALISING = [
    Row("init without a payload", [both(init(None), answers=["connection_ack"])]),
    Row("init with null", [both(message(type="connection_init", payload=None), answers=["connection_ack"])]),
    Row("init with {}", [both(message(type="connection_init", payload={}), answers=["connection_ack"])]),
    Row(
        "init with more",
        [both(message(type="connection_init", payload={"x": [1]}), answers=["connection_ack"])],
    ),
    Row("init with an array", [closes(4400, message(type="connection_init", payload=[]))], NO_CODES),
    Row("init with a string", [closes(4400, message(type="connection_init", payload="Bearer x"))], NO_CODES),
    Row("init with a token", [SIGNED_IN]),
    Row("init twice", [SIGNED_IN, closes(4429, init())], NO_CODES),
    Row(
        "subscribe before init",
        [differs(subscribe(VIEWER), reference=["close 4401"], ours=["error 1 UNAUTHENTICATED"])],
        "`connection_init` may be on its way in another invocation: the operation waits a second.",
    ),
    Row(
        "subscribe behind init, not waiting for ack",
        [
            differs(
                init(),
                subscribe(VIEWER),
                reference=["close 4401"],
                ours=["connection_ack", "next 1", "complete 1"],
            )
        ],
        "Messages of one socket are handled side by side, so ours waits for the initialisation anyway.",
    ),
    Row(
        "a bad token",
        [
            differs(init(BAD_TOKEN), reference=["close 4403"], ours=["connection_ack"]),
            differs(subscribe(VIEWER), reference=[], ours=["error 1 UNAUTHENTICATED"]),
        ],
        "Without 4403 a close would be retried for ever; each operation is told instead.",
    ),
    Row(
        "an expired token",
        [
            differs(init(EXPIRED_TOKEN), reference=["close 4403"], ours=["connection_ack"]),
            differs(subscribe(PROJECTS), reference=[], ours=["error 1 UNAUTHENTICATED"]),
        ],
        "As with a bad token.",
    ),
    Row(
        "a token that is no string",
        [
            differs(
                message(type="connection_init", payload={"authorization": 5}),
                reference=["close 4403"],
                ours=["connection_ack"],
            ),
            differs(subscribe(VIEWER), reference=[], ours=["error 1 UNAUTHENTICATED"]),
        ],
        "As with a bad token.",
    ),
    Row(
        "no token",
        [
            both(init(None), answers=["connection_ack"]),
            both(subscribe("{ __typename }", id="a"), answers=["next a", "complete a"]),
            differs(subscribe(PROJECTS, id="b"), reference=[], ours=["error b UNAUTHENTICATED"]),
        ],
        "Who must sign in is each server's own affair; ours serves strangers what HTTP serves them.",
    ),
    Row(
        "a token as a sub-protocol",
        [
            both(init(None), answers=["connection_ack"]),
            both(subscribe(VIEWER), answers=["next 1", "complete 1"]),
        ],
        protocols=(PROTOCOL, f"bearer.{TOKEN}"),
    ),
]
