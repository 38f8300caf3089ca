"""A row of the protocol's table: what a client does, and what two servers answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Frame = str | bytes
PROTOCOL = "graphql-transport-ws"


@dataclass(frozen=True)
class Step:
    """Frames sent one behind the other, and the answers that each server gives; then it is silent.

    `is_text`: bytes go out as a text frame. `any_order`: the answers belong to several operations.
    """

    frames: Sequence[Frame]
    reference: Sequence[str]
    ours: Sequence[str]
    is_text: bool = False
    any_order: bool = False


@dataclass(frozen=True)
class Row:
    """`why` tells the reason where the servers differ, and is empty where they do not.

    `protocols` and `origin` are the handshake's; `at_handler` is False where API Gateway itself answers.
    """

    name: str
    steps: Sequence[Step]
    why: str = ""
    protocols: Sequence[str] = (PROTOCOL,)
    origin: str | None = None
    handshake: Step | None = None
    at_handler: bool = True


def both(*frames: Frame, answers: Sequence[str] = (), **more: Any) -> Step:
    """A step that both answer alike; the codes in our errors apart."""
    return Step(frames, answers, answers, **more)


def differs(*frames: Frame, reference: Sequence[str], ours: Sequence[str], **more: Any) -> Step:
    return Step(frames, reference, ours, **more)
