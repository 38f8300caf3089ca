"""Operations that are executed, and those that are refused before."""

from tests.protocol.cases.shared import CREATE, PROJECTS, SIGNED_IN, VIEWER
from tests.protocol.frames import subscribe
from tests.protocol.row import Row, both, differs

TWO = "query A { viewer { id } } query B { viewer { id } }"
FAILED = "The reference hands a failure before execution on as a result; ours says that nothing was executed."
EXECUTING = [
    Row("a query", [SIGNED_IN, both(subscribe(VIEWER), answers=["next 1", "complete 1"])]),
    Row(
        "a mutation",
        [
            SIGNED_IN,
            both(subscribe(PROJECTS, id="witness")),
            both(subscribe(CREATE), answers=["next 1", "complete 1", "next witness"], any_order=True),
        ],
    ),
    Row(
        "one of two operations",
        [SIGNED_IN, both(subscribe(TWO, operationName="B"), answers=["next 1", "complete 1"])],
    ),
    Row(
        "several operations, none named",
        [SIGNED_IN, both(subscribe(TWO), answers=["error 1 OPERATION_RESOLUTION_FAILURE"])],
    ),
    Row(
        "operationName unknown",
        [
            SIGNED_IN,
            both(subscribe(TWO, operationName="C"), answers=["error 1 OPERATION_RESOLUTION_FAILURE"]),
        ],
    ),
    Row(
        "operationName empty",
        [
            SIGNED_IN,
            differs(
                subscribe(VIEWER, operationName=""),
                reference=["error 1"],
                ours=["next 1", "complete 1"],
            ),
        ],
        "As over HTTP: an empty name is none.",
    ),
    Row(
        "a syntax error",
        [
            SIGNED_IN,
            differs(subscribe("{ viewer"), reference=["close 4500"], ours=["error 1 GRAPHQL_PARSE_FAILED"]),
        ],
        "One operation's mistake is no reason to end the others.",
    ),
    Row(
        "a validation error",
        [SIGNED_IN, both(subscribe("{ nothing }"), answers=["error 1 GRAPHQL_VALIDATION_FAILED"])],
    ),
    Row(
        "a variable that is missing",
        [
            SIGNED_IN,
            differs(
                subscribe("query ($id: ID!) { node(id: $id) { id } }"),
                reference=["next 1 failed", "complete 1"],
                ours=["error 1 BAD_USER_INPUT"],
            ),
        ],
        FAILED,
    ),
    Row(
        "a variable of the wrong type",
        [
            SIGNED_IN,
            differs(
                subscribe(
                    "query ($first: Int) { users(first: $first) { __typename } }", variables={"first": "ten"}
                ),
                reference=["next 1 failed", "complete 1"],
                ours=["error 1 BAD_USER_INPUT"],
            ),
        ],
        FAILED,
    ),
    Row(
        "a resolver that fails",
        [
            SIGNED_IN,
            both(subscribe("{ changes { __typename } }"), answers=["next 1 failed FORBIDDEN", "complete 1"]),
        ],
    ),
    Row(
        "a subscription that is refused",
        [
            SIGNED_IN,
            differs(
                subscribe('subscription { commentChanged(taskId: "nowhere") { id } }'),
                reference=["next 1 failed", "complete 1"],
                ours=["error 1 NOT_FOUND"],
            ),
        ],
        FAILED,
    ),
    Row(
        "a subscription of two fields",
        [
            SIGNED_IN,
            both(
                subscribe("subscription { a: projectChanged { id } b: projectChanged { id } }"),
                answers=["error 1 GRAPHQL_VALIDATION_FAILED"],
            ),
        ],
    ),
    Row(
        "a subscription to nothing",
        [
            SIGNED_IN,
            both(subscribe("subscription { __typename }"), answers=["error 1 GRAPHQL_VALIDATION_FAILED"]),
        ],
    ),
    Row(
        "a subscription from a cursor that was made up",
        [
            SIGNED_IN,
            differs(
                subscribe('subscription { projectChanged(after: "x") { id } }'),
                reference=[],
                ours=["error 1 BAD_CURSOR"],
            ),
        ],
        "Where to resume from is a matter of the schema, which the reference knows nothing of.",
    ),
]
