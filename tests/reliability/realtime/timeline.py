"""Virtual time without a network: an event loop whose waits are jumps."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn, TypeVar

BEGINNING = datetime(2030, 1, 1, tzinfo=UTC)

T = TypeVar("T")


class DeadlockError(Exception):
    """Everybody waits, and no timer runs."""


class _Jumping(selectors.DefaultSelector):
    """Nothing ever arrives from outside, so that each wait ends at once with the clock moved on."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.now += timeout if timeout is not None else _deadlock()
        return []


class JumpingLoop(asyncio.SelectorEventLoop):
    """A loop that starts at 0 seconds; who goes on next is decided by the waits alone."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


def run(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """The result of `work` on a loop of its own."""
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(work())


def seconds() -> float:
    """Virtual seconds since the beginning."""
    return asyncio.get_running_loop().time()


def clock(skew: float = 0.0) -> Callable[[], datetime]:
    """Wall time on a machine whose clock goes `skew` seconds before the true one."""
    return lambda: BEGINNING + timedelta(seconds=seconds() + skew)


def _deadlock() -> NoReturn:
    raise DeadlockError
