"""A Lambda function's life: started from its environment, perhaps restored from a snapshot, invoked often."""

import gc
import importlib
import logging
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol, TypeVar

from graphql_api import bootstrap, telemetry
from graphql_api.handlers import loop
from graphql_api.settings import Settings, SettingsError

H = TypeVar("H")

_log = logging.getLogger(__name__)


class Services(Protocol):
    """What an invocation waits for."""

    @property
    def are_open(self) -> bool: ...
    async def open(self) -> None: ...


def start(door: Callable[[bootstrap.Services], H]) -> H:
    """The handler that `door` makes of the system the environment describes.

    It connects to nothing and holds no secret, so that a snapshot of it may be restored any number of times.
    Without valid settings the process ends, with one line in the log.
    """
    telemetry.configure()
    try:
        services = bootstrap.build_services(Settings.from_env())
    except SettingsError as error:
        _log.critical("The function cannot start.", extra={"reason": str(error)})
        raise SystemExit(1) from None
    _after_restore(random.seed)
    handler = door(services)
    # What is built here stays: a full collection would walk it, for 50 ms in somebody's request.
    gc.freeze()
    return handler


def make_ready(services: Services) -> None:
    """Before an invocation: the clients and secrets that it needs are there, and recent."""
    if not services.are_open:
        loop.run(services.open())


def _after_restore(hook: Callable[[], None]) -> None:
    """SnapStart gives every copy of a snapshot the same random state. Its module exists on Lambda alone."""
    with suppress(ModuleNotFoundError):
        importlib.import_module("snapshot_restore_py").register_after_restore(hook)
