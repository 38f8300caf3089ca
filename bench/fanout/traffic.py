"""The DynamoDB calls of a client and their bytes, by its SDK's own events."""

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

_SENT, _ANSWERED = "before-send.dynamodb", "response-received.dynamodb"


class Traffic:
    """`calls` by operation; `bytes` of the bodies of requests and answers."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.bytes = 0

    def sent(self, request: Any, event_name: str, **_: Any) -> None:
        self.calls[event_name.rpartition(".")[2]] += 1
        self.bytes += len(request.body or b"")

    def answered(self, response_dict: Any, **_: Any) -> None:
        if response_dict is not None:
            self.bytes += len(response_dict["body"])


@contextmanager
def counted(client: Any) -> Generator[Traffic]:
    """What the client does in the block."""
    traffic, events = Traffic(), client.meta.events
    events.register(_SENT, traffic.sent)
    events.register(_ANSWERED, traffic.answered)
    try:
        yield traffic
    finally:
        events.unregister(_SENT, traffic.sent)
        events.unregister(_ANSWERED, traffic.answered)
