"""The peer: the npm library graphql-lambda-subscriptions in a process of its own."""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bench.fanout.questions import Payload
from bench.fanout.reading import Observed

LIBRARY = "graphql-lambda-subscriptions"
FOLDER = Path(__file__).parents[1] / "node"
JOINS = 100  # at once: a line for the child stays short


class PeerError(Exception):
    """The peer cannot be run, or did not do what it was told; the message says why."""


class Peer:
    """The library's server, on the same engine and the same sink; a context manager.

    Raises PeerError where node or the library is not installed, and where an order fails.
    """

    def __init__(self, dynamodb: str, connections: str) -> None:
        node = shutil.which("node")
        if node is None:
            raise PeerError("node is not installed")
        if not (FOLDER / "node_modules" / LIBRARY).is_dir():
            raise PeerError("its packages are not installed: npm ci --prefix bench/node")
        self._command = [node, str(FOLDER / "peer.mjs")]
        self._environment = {
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_REGION": "us-east-1",
            "AWS_SDK_JS_SUPPRESS_MAINTENANCE_MODE_MESSAGE": "1",
            "NODE_ENV": "production",
            "PATH": os.environ["PATH"],
            "DYNAMODB_ENDPOINT": dynamodb,
            "CONNECTIONS_ENDPOINT": connections,
        }

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=self._environment,
            text=True,
        )
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.communicate()

    def open(self, prefix: str) -> None:
        """Begin anew, with empty tables of that name."""
        self._order("open", prefix=prefix)

    def join(self, first: int, payloads: Sequence[Payload]) -> None:
        """A connection and its subscription for each payload, through the library's own handlers."""
        for start in range(0, len(payloads), JOINS):
            self._order("join", **{"from": first + start}, payloads=payloads[start : start + JOINS])

    def publish(self, payload: Payload) -> float:
        """The CPU seconds of one event."""
        return self._order("publish", payload=payload)["seconds"]

    def observe(self, payload: Payload) -> Observed:
        """What one event makes it do."""
        answer = self._order("observe", payload=payload)
        return Observed(answer["executions"], answer["calls"], answer["bytes"])

    def _order(self, what: str, **details: Any) -> dict[str, Any]:
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({"do": what, **details}) + "\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        if not answer:
            raise PeerError(f"{LIBRARY} failed in {what!r}")
        return json.loads(answer)
