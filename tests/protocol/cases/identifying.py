"""Operations by their ids: several at once, ended, repeated, too many."""

from tests.protocol.cases.shared import (
    ALIVE,
    CREATE,
    NO_CODES,
    POSITION,
    PROJECTS,
    SIGNED_IN,
    VIEWER,
    closes,
    invalid,
    strict,
)
from tests.protocol.frames import complete, message, subscribe
from tests.protocol.row import Row, both, differs

IDENTIFYING = [
    Row(
        "duplicate id",
        [
            SIGNED_IN,
            both(subscribe(PROJECTS)),
            closes(4409, subscribe(PROJECTS)),
        ],
        NO_CODES,
    ),
    Row(
        "id reused after complete",
        [
            SIGNED_IN,
            both(subscribe(PROJECTS)),
            both(complete()),
            both(subscribe(PROJECTS)),
            both(subscribe(CREATE, id="m"), answers=["next 1", "next m", "complete m"], any_order=True),
        ],
    ),
    Row(
        "id reused after an answer",
        [
            SIGNED_IN,
            both(subscribe(VIEWER), answers=["next 1", "complete 1"]),
            both(subscribe(VIEWER), answers=["next 1", "complete 1"]),
        ],
    ),
    Row("complete for an unknown id", [SIGNED_IN, both(complete("never seen")), ALIVE], POSITION),
    Row("complete before init", [both(complete("never seen")), both(message(type="ping"), answers=["pong"])]),
    Row(
        "subscribe after its complete",
        [
            SIGNED_IN,
            both(complete()),
            both(subscribe(PROJECTS)),
            both(subscribe(PROJECTS, id="witness")),
            differs(
                subscribe(CREATE, id="m"),
                reference=["next 1", "next witness", "next m", "complete m"],
                ours=["next witness", "next m", "complete m"],
                any_order=True,
            ),
        ],
        "API Gateway may hand `complete` over first: an id completed unknown is dead for ten seconds.",
    ),
    Row(
        "complete racing subscribe",
        [
            SIGNED_IN,
            both(subscribe(PROJECTS), complete()),
            both(subscribe(PROJECTS, id="witness")),
            both(subscribe(CREATE, id="m"), answers=["next witness", "next m", "complete m"], any_order=True),
        ],
    ),
    Row(
        "two subscriptions interleaved",
        [
            SIGNED_IN,
            both(subscribe(PROJECTS, id="a"), subscribe("subscription { projectChanged { id } }", id="b")),
            both(
                subscribe(CREATE, id="m"),
                answers=["next a", "next b", "next m", "complete m"],
                any_order=True,
            ),
            both(complete("a")),
            both(subscribe(CREATE, id="m"), answers=["next b", "next m", "complete m"], any_order=True),
        ],
    ),
    invalid("missing id", message(type="subscribe", payload={"query": VIEWER})),
    invalid("empty id", subscribe(VIEWER, id="")),
    invalid("numeric id", subscribe(VIEWER, id=1)),
    invalid("complete without an id", message(type="complete")),
    strict(
        "id of 10 000 characters",
        subscribe(VIEWER, id="x" * 10_000),
        reference=(f"next {'x' * 10_000}", f"complete {'x' * 10_000}"),
    ),
    Row(
        "id of 128 characters",
        [
            SIGNED_IN,
            both(subscribe(VIEWER, id="é" * 128), answers=[f"next {'é' * 128}", f"complete {'é' * 128}"]),
        ],
    ),
    Row(
        "more than 20 subscriptions",
        [
            SIGNED_IN,
            both(*(subscribe(PROJECTS, id=str(number)) for number in range(20))),
            differs(subscribe(PROJECTS, id="21st"), reference=[], ours=["error 21st RATE_LIMITED"]),
        ],
        "Every bound is explicit; the other twenty go on.",
    ),
]
