"""The child process of the embedded DynamoDB: it runs in ministack's own venv, never in ours."""

# ministack's pins clash with ours, so nothing of it is installed where pyright looks.
# pyright: basic, reportMissingImports=false

import argparse
import asyncio
import fcntl
import json
import os
import signal
import sys
import tempfile
import warnings
from collections.abc import Awaitable, Callable, MutableMapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

from hypercorn.asyncio import serve
from hypercorn.config import Config
from ministack.app import app as ministack
from ministack.core import persistence
from ministack.services import dynamodb

MINISTACK = "1.5.33"  # the snapshot reaches into private parts of exactly this version
SAVE_SECONDS = 2.0
LOCK = dynamodb._lock
READS = ("Get", "BatchGet", "TransactGet", "Query", "Scan", "Describe", "List")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class Snapshot:
    """Every table as one JSON file, in ministack's own state format.

    While the engine serves, a forked copy of the process writes it: requests wait for the fork
    (milliseconds), not for the copying and encoding of a large table (seconds).
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / "dynamodb.json"
        self._stale = False
        self._writer = 0

    def load(self) -> None:
        """Bring the tables back; a file that cannot be read ends the process before it is overwritten."""
        if not self._path.exists():
            return
        persistence.PERSIST_STATE, persistence.STATE_DIR = True, str(self._path.parent)
        state = persistence.load_state("dynamodb")
        persistence.PERSIST_STATE = False
        if state is None:
            sys.exit(f"{self._path} cannot be read; move it away, or start afresh")
        dynamodb.load_persisted_state(state)

    def forget(self) -> None:
        self._path.unlink(missing_ok=True)

    def note(self, operation: str) -> None:
        """Called after the operation has had its effect."""
        self._stale = self._stale or not operation.startswith(READS)

    def refresh(self) -> None:
        """Start writing what has changed, unless the last writer is still at it."""
        if self._writer:
            pid, status = os.waitpid(self._writer, os.WNOHANG)
            if not pid:
                return
            self._writer = 0
            self._stale = self._stale or status != 0
        if self._stale:
            self._stale = False
            with LOCK:  # no thread is in the middle of a change when the copy is made
                self._writer = os.fork()
            if not self._writer:
                self._write_and_exit()

    def finish(self) -> bool:
        """Write what has changed and wait for it; False, and a line on stderr, if it could not be written."""
        if self._writer:
            os.kill(self._writer, signal.SIGKILL)  # what it writes is older than what is written now
            os.waitpid(self._writer, 0)
            self._stale = True
        return not self._stale or self._write()

    def _write_and_exit(self) -> NoReturn:
        code = 1
        try:
            code = 0 if self._write() else 1
        finally:
            os._exit(code)  # the copy runs nothing else of the process it was forked from

    def _write(self) -> bool:
        new = self._path.with_suffix(".new")
        try:
            with LOCK, new.open("w", encoding="ascii") as file:
                file.write(_encoded_tables())
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._path)
        except (OSError, TypeError, ValueError) as error:
            print(f"{self._path} could not be saved: {error}", file=sys.stderr, flush=True)
            return False
        return True


def _encoded_tables() -> str:
    document = {"__ministack_format__": persistence.STATE_FORMAT_VERSION, "payload": dynamodb.get_state()}
    return json.dumps(document, default=persistence._json_default)


def _for_programs(application: Application) -> Application:
    """The application without what a web page could send it: the emulator asks nobody for credentials, and
    one plain request to its own controls would erase everything.
    """

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not _is_from_a_program(scope):
            await send({"type": "http.response.start", "status": 403, "headers": []})
            await send({"type": "http.response.body", "body": b"not for web pages"})
        else:
            await application(scope, receive, send)

    return guarded


def _is_from_a_program(scope: Scope) -> bool:
    headers = dict(scope["headers"])
    host = headers.get(b"host", b"").rpartition(b":")[0]
    is_control = scope["path"].startswith("/_") and scope["path"] != "/_ministack/health"
    return b"origin" not in headers and host in (b"127.0.0.1", b"localhost") and not is_control


def _with_notes(snapshot: Snapshot) -> Application:
    """The emulator, telling the snapshot of each DynamoDB operation once it has had its effect."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await ministack(scope, receive, send)
        finally:
            for name, value in scope.get("headers", ()):
                if name == b"x-amz-target":
                    snapshot.note(value.decode("latin-1").rpartition(".")[2])

    return application


async def _serve(listener: int, snapshot: Snapshot | None) -> None:
    """Serve until the parent is gone or says stop; closing its end of our stdin means both."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin.fileno(), stop.set)
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    config = Config()
    config.bind = [f"fd://{listener}"]
    config.loglevel = "WARNING"
    config.keep_alive_timeout = 75.0
    application = _for_programs(_with_notes(snapshot) if snapshot else ministack)
    server = asyncio.create_task(serve(application, config, shutdown_trigger=asyncio.Event().wait))
    stopped = asyncio.create_task(stop.wait())
    while True:
        await asyncio.wait({server, stopped}, timeout=SAVE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if stopped.done():
            return
        if server.done():
            server.result()  # raises what ended it
            sys.exit("the server ended by itself")
        if snapshot:
            snapshot.refresh()


def _claim(directory: Path) -> None:
    """Waits until no other process uses the directory, a writer forked by one that has ended included."""
    directory.mkdir(parents=True, exist_ok=True)
    lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o644)  # held until the process has ended
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(f"waiting for another process that uses {directory}", file=sys.stderr, flush=True)
        fcntl.flock(lock, fcntl.LOCK_EX)


def _open(directory: Path, *, reset: bool) -> Snapshot:
    _claim(directory)
    snapshot = Snapshot(directory)
    if reset:
        snapshot.forget()
    snapshot.load()
    return snapshot


def main() -> None:
    """Serve on an inherited listening socket; see `EmbeddedDynamoDB`, which starts this."""
    parser = argparse.ArgumentParser()
    parser.add_argument("listener", type=int)
    parser.add_argument("--state-dir", type=Path)
    parser.add_argument("--reset", action="store_true")
    arguments = parser.parse_args()
    if version("ministack") != MINISTACK:
        sys.exit(f"ministack {MINISTACK} is needed, {version('ministack')} is installed")
    snapshot = _open(arguments.state_dir, reset=arguments.reset) if arguments.state_dir else None
    # Python 3.12 warns of a fork beside threads; ours only writes, and no thread holds the lock it takes.
    warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
    loop = asyncio.new_event_loop()
    saved = True
    try:
        with tempfile.TemporaryDirectory(prefix="dynamodb-") as scratch:
            tempfile.tempdir = os.environ["TMPDIR"] = scratch
            loop.run_until_complete(_serve(arguments.listener, snapshot))
    finally:
        if snapshot:
            saved = snapshot.finish()
    # Since Python 3.12 the server would wait for its idle keep-alive connections, 75 s each.
    os._exit(0 if saved else 1)


main()
