"""The server and the other commands as a developer runs them: child processes in a directory of their own."""

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Timer
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 60


def environment(directory: Path, **more: str) -> dict[str, str]:
    """A fresh machine's: no credentials, no region, nothing of the suite's own."""
    return {"PATH": os.environ["PATH"], "HOME": str(directory), "PYTHONPATH": str(ROOT), **more}


def run(directory: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """`python -m graphql_api` with these arguments, to its end."""
    return subprocess.run(
        [sys.executable, "-m", "graphql_api", *arguments],
        cwd=directory,
        env=environment(directory, **more),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


@dataclass
class Server:
    """A running server: what it has printed, and where it answers."""

    process: subprocess.Popen[str]
    log: Path
    banner: list[str] = field(default_factory=list[str])

    @property
    def origin(self) -> str:
        return self.after("GraphiQL").rstrip("/")

    @property
    def curl(self) -> str:
        return next(line.strip() for line in self.banner if line.strip().startswith("curl "))

    def after(self, word: str) -> str:
        """What stands behind the first word of a line."""
        return next(line.split()[1] for line in self.banner if line.split()[:1] == [word])

    @property
    def tokens(self) -> dict[str, str]:
        """Each token by the line above it."""
        pairs = zip(self.banner, self.banner[1:], strict=False)
        return {above.strip(): line.strip() for above, line in pairs if line.strip().startswith("eyJ")}

    def get(self, path: str) -> tuple[int, bytes]:
        return self.request("GET", path, None, {})

    def request(
        self, method: str, path: str, body: str | None, headers: Mapping[str, str]
    ) -> tuple[int, bytes]:
        address = urlsplit(self.origin).netloc
        with closing(http.client.HTTPConnection(address, timeout=PATIENCE_SECONDS)) as connection:
            connection.request(method, path, body, dict(headers))
            response = connection.getresponse()
            return response.status, response.read()

    def data(self, token: str | None, query: str, **variables: Any) -> Any:
        """The data of an operation that must not fail; without a token, of somebody whom nobody knows."""
        headers = {"content-type": "application/json"}
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        body = json.dumps({"query": query, "variables": variables})
        status, answer = self.request("POST", "/graphql", body, headers)
        payload = json.loads(answer)
        assert (status, payload.get("errors")) == (200, None)
        return payload["data"]

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Send the signal, wait for the end, and tell its exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_SECONDS)


@contextmanager
def serving(directory: Path, **more: str) -> Iterator[Server]:
    """`serve` on a free port, ready to answer; stopped at the end unless that has been done."""
    log = directory / "server.log"
    with (
        log.open("w") as errors,
        subprocess.Popen(
            [sys.executable, "-m", "graphql_api", "serve"],
            cwd=directory,
            env=environment(directory, **{"PORT": "0"} | more),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        server, watchdog = Server(process, log), Timer(PATIENCE_SECONDS, process.kill)
        watchdog.start()
        try:
            assert process.stdout is not None
            for line in process.stdout:
                server.banner.append(line.rstrip("\n"))
                if line.strip().startswith("curl "):
                    break
            else:
                raise AssertionError(f"The server did not start: {log.read_text()}")
            watchdog.cancel()
            yield server
        finally:
            watchdog.cancel()
            if process.poll() is None:
                server.stop()
