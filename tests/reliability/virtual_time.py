"""An event loop whose waits take no time: once nothing is on its way, the clock jumps to the next timer."""

import asyncio
import selectors
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import NoReturn

import pytest

FOREVER = 24 * 3600.0  # virtual seconds; what waits so long waits for nothing
PATIENCE = 30.0  # real seconds after which the engine, or the test, is taken to hang


class DeadlockError(Exception):
    """Nothing is on its way, no timer runs, and somebody still waits."""


class _Selector(selectors.DefaultSelector):
    """Waits in real time until told when nothing is on its way; from then on time passes by jumps alone."""

    def __init__(self) -> None:
        super().__init__()
        self.now = time.monotonic()
        self.is_quiet: Callable[[], bool] | None = None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout <= 0:
            return super().select(0)
        if self.is_quiet is None:
            return self._wait(timeout)
        if not self.is_quiet():
            # An answer is on its way: time stands still until it is there.
            return super().select(PATIENCE) or _deadlock()
        arrived = super().select(0)
        if not arrived:
            self.now += timeout if timeout is not None and timeout < FOREVER else _deadlock()
        return arrived

    def _wait(self, timeout: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        started = time.monotonic()
        arrived = super().select(PATIENCE if timeout is None else timeout)
        self.now += time.monotonic() - started
        return arrived if arrived or timeout is not None else _deadlock()


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Runs in real time until `skip_time_while`; whoever drives it draws each run's clock from `time()`."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now

    def skip_time_while(self, is_quiet: Callable[[], bool] | None) -> None:
        """Let time pass only while `is_quiet` holds, and then at once; None makes it real again."""
        self._virtual.is_quiet = is_quiet


BACKEND = ("asyncio", {"loop_factory": VirtualTimeLoop})


@pytest.fixture
def virtual_deadlines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deadlines on the loop's clock."""
    clock = SimpleNamespace(monotonic=lambda: asyncio.get_running_loop().time())
    monkeypatch.setattr("graphql_api.deadline.time", clock)


def _deadlock() -> NoReturn:
    raise DeadlockError
