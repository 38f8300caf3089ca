"""What the cases have in common."""

from tests.protocol.frames import init, message
from tests.protocol.row import Row, Step, both, differs

VIEWER = "{ viewer { id } }"
PROJECTS = "subscription { projectChanged { id sequence } }"
CREATE = 'mutation { createProject(input: {name: "By the way"}) { __typename } }'
NO_CODES = "API Gateway sends no close codes; a frame that no client can read ends it for good instead."
SIGNED_IN = both(init(), answers=["connection_ack"])
ALIVE = differs(message(type="ping"), reference=["pong"], ours=["pong with position"])
POSITION = "Ours also tells signed-in clients where the log stands."
STRICT = "Ours refuses it as any malformed message; what the reference takes, no client sends."


def closes(code: int, *frames: str | bytes, reference: tuple[str, ...] | None = None, **more: bool) -> Step:
    """What the reference closes with that code, and ours with what stands for it."""
    ours = [f"connection_error {code}", "close 1000"]
    return Step(frames, reference or [f"close {code}"], ours, **more)


def invalid(name: str, *frames: str | bytes) -> Row:
    return Row(name, [SIGNED_IN, closes(4400, *frames)], NO_CODES)


def strict(name: str, *frames: str, reference: tuple[str, ...]) -> Row:
    return Row(name, [SIGNED_IN, closes(4400, *frames, reference=reference)], STRICT)
