"""The AWS emulator as a child process on a loopback port, and what of its needs is missing."""

import http.client
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import IO, Self

PROJECT = Path(__file__).resolve().parents[2]
PYTHON = PROJECT / ".venv-emulator" / "bin" / "python"
NODE_PACKAGES = PROJECT / "tests" / "clients" / "node" / "node_modules"
LOOPBACK = "127.0.0.1"
START_SECONDS, STOP_SECONDS = 30.0, 10.0
# All that the child is given: what it has, its functions have. PATH is for `node` in none of them.
ENVIRONMENT = {
    "AUTH": "true",
    "BIND_HOST": LOOPBACK,
    "DOCKER_HOST": "unix:///nonexistent",
    "IOT_MTLS_ENABLED": "0",
    "LAMBDA_EXECUTOR": "local",
    "LOG_LEVEL": "WARNING",
    "SFTP_ENABLED": "0",
}


def missing() -> str | None:
    """What has to be there before anything can be deployed, None if all is."""
    if not PYTHON.exists():
        return "python3.13, the interpreter of the Lambda runtime, or its environment .venv-emulator"
    if shutil.which("node") is None or not NODE_PACKAGES.exists():
        return "node, or the packages of tests/clients/node"
    return None


def patches() -> set[str]:
    """The names of all patches, as the launcher lists them to who names another."""
    command = [str(PYTHON), "-m", "infra.emulator", "0", "--without=?"]
    refusal = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False).stderr
    return set(re.findall(r"[a-z]+(?:-[a-z]+)+", refusal.rpartition("choose from")[2]))


class EmulatorError(Exception):
    """The emulator did not start; the message holds its last output."""


class Emulator:
    """Every AWS service on `endpoint`, as a context manager; its files, and its functions', end with it.

    `without` names patches that are left out.
    """

    def __init__(self, *without: str) -> None:
        self._without = without
        self._directory = tempfile.TemporaryDirectory(prefix="emulator-", ignore_cleanup_errors=True)
        self._log: IO[str] = (Path(self._directory.name) / "emulator.log").open("w+")
        self._port = 0

    @property
    def endpoint(self) -> str:
        return f"http://{LOOPBACK}:{self._port}"

    def log(self) -> str:
        """What the emulator has printed so far."""
        return Path(self._log.name).read_text(errors="replace")

    def __enter__(self) -> Self:
        # The child inherits a socket that already listens: no other program can take the port meanwhile.
        with socket.create_server((LOOPBACK, 0)) as listener:
            self._port = listener.getsockname()[1]
            left_out = [f"--without={name}" for name in self._without]
            self._process = subprocess.Popen(
                [str(PYTHON), "-m", "infra.emulator", str(listener.fileno()), *left_out],
                cwd=PROJECT,
                stdin=subprocess.PIPE,  # the child stops when this closes, however we end
                stdout=self._log,
                stderr=subprocess.STDOUT,
                pass_fds=[listener.fileno()],
                env={**ENVIRONMENT, "GATEWAY_PORT": str(self._port), "TMPDIR": self._directory.name},
                start_new_session=True,
            )
        try:
            self._wait_until_healthy()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._process:
            assert self._process.stdin is not None
            self._process.stdin.close()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._log.close()
        self._directory.cleanup()

    def _wait_until_healthy(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise EmulatorError(f"The emulator did not start. {self.log()}")
            time.sleep(0.05)

    def _answers(self) -> bool:
        with closing(http.client.HTTPConnection(LOOPBACK, self._port, timeout=1.0)) as connection:
            try:
                connection.request("GET", "/_ministack/health")
                return connection.getresponse().status == http.HTTPStatus.OK
            except (OSError, http.client.HTTPException):
                return False
