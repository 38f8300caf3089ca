"""What the network and DynamoDB do to a good call now and then, by name; each passes."""

from dataclasses import dataclass
from random import Random

from tests.reliability.network import (
    Accident,
    Attempt,
    bad_gateway,
    cancelled,
    hangs,
    lost_answer,
    no_answer,
    no_connection,
    refused,
    reset,
    slow,
    unprocessed,
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


@dataclass(frozen=True, slots=True)
class Weather:
    """How often a request meets with an accident, and which."""

    dice: Random
    harshness: float

    def __call__(self, attempt: Attempt) -> Accident | None:
        dice = self.dice
        if dice.random() >= self.harshness:
            return slow(dice.uniform(0, 0.02), dice.uniform(0, 0.02)) if dice.random() < 0.5 else None
        # An effect that nobody hears of is the hardest to get right.
        common = [*WEATHER.values(), *[lost_answer] * 4, *([hangs] if dice.random() < 0.05 else [])]
        conflict = ("TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded", "None")
        members = len(attempt.body.get("TransactItems", [])) or 1
        special: dict[str, list[Accident]] = {
            "BatchGetItem": [unprocessed(lambda _: dice.random() < 0.5)],
            "TransactWriteItems": [
                cancelled(dice.choice(conflict[:3]), *dice.choices(conflict, k=members - 1)),
                refused("TransactionInProgressException"),
            ],
            "UpdateItem": [refused("TransactionConflictException")],
        }
        if dice.random() < 0.5 and attempt.operation in special:
            return dice.choice(special[attempt.operation])
        return dice.choice(common)
