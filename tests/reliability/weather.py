"""What the network and DynamoDB do to a good call now and then, by name; each passes."""

from tests.reliability.network import (
    Accident,
    bad_gateway,
    lost_answer,
    no_answer,
    no_connection,
    refused,
    reset,
    unreachable,
)

SDK_ATTEMPTS = 3
UNREAD: dict[str, Accident] = {
    "throttled": refused("ThrottlingException"),
    "over throughput": refused("ProvisionedThroughputExceededException"),
    "over account limit": refused("RequestLimitExceeded"),
    "internal error": refused("InternalServerError", 500),
    "unavailable": refused("ServiceUnavailable", 503),
    "bad gateway": bad_gateway,
    "reset": reset,
    "unreachable": unreachable,
    "no connection": no_connection,
    "no answer": no_answer,
}
WEATHER: dict[str, Accident] = {**UNREAD, "lost answer": lost_answer}
# Wrong calls: repeating them changes nothing.
OUR_FAULT = [
    "ValidationException",
    "AccessDeniedException",
    "ResourceNotFoundException",
    "SerializationException",
]
