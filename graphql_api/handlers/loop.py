"""The one event loop of the process, shared by its handlers; no work outlives an invocation on it."""

import asyncio
import atexit
import logging
from collections.abc import Callable, Coroutine
from typing import TypeVar

T = TypeVar("T")

SETTLE_SECONDS = 0.5

# asyncio.run() would close its loop with each invocation, and with it every connection the AWS client keeps.
_loop = asyncio.new_event_loop()
atexit.register(_loop.close)

_log = logging.getLogger(__name__)


def run(coroutine: Coroutine[object, object, T]) -> T:
    """Run it on the shared loop, and settle what it leaves behind."""
    return invoke(lambda: _loop.run_until_complete(coroutine))


def invoke(adapter: Callable[[], T]) -> T:
    """Call what finds the current event loop by itself, as Mangum does, and settle what it leaves behind."""
    # Each time: whoever used asyncio.run() meanwhile has unset it.
    asyncio.set_event_loop(_loop)
    try:
        return adapter()
    finally:
        _settle()


def _settle() -> None:
    """Lambda freezes the process after the answer; a task left would wake inside another tenant's request."""
    leftover = asyncio.all_tasks(_loop)
    if not leftover:
        return
    for task in leftover:
        task.cancel()
    _, stubborn = _loop.run_until_complete(asyncio.wait(leftover, timeout=SETTLE_SECONDS))
    _log.warning(
        "Work was left after the response.", extra={"tasks": len(leftover), "stubborn": len(stubborn)}
    )
