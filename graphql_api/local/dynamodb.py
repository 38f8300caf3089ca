"""A DynamoDB for one machine: the ministack emulator as a child process on a loopback port."""

import http.client
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Self

PROJECT = Path(__file__).resolve().parents[2]
DEFAULT_PYTHON = PROJECT / ".venv-ministack" / "bin" / "python"
PROCESS = Path(__file__).with_name("dynamodb_process.py")
LOOPBACK = "127.0.0.1"
STOP_SECONDS = 30.0  # the last snapshot of a large table takes a second or two
MAX_OUTPUT = 2_000  # characters of the child's output that an error repeats
# The child's whole environment: it sees no secret of ours, and never the developer's Docker.
ENVIRONMENT = {
    "SERVICES": "dynamodb,dynamodbstreams,sts",
    "LOG_LEVEL": "WARNING",
    "IOT_MTLS_ENABLED": "0",
    "SFTP_ENABLED": "0",
    "MINISTACK_WORKER_THREADS": "4",
    "BIND_HOST": LOOPBACK,
    "DOCKER_HOST": "unix:///nonexistent",
}


class EmbeddedDynamoDBError(Exception):
    """The embedded DynamoDB did not start, or did not end well; the message holds its last output."""


class EmbeddedDynamoDB:
    """DynamoDB, its streams and STS on `endpoint`, between `start` and `stop` or as a context manager.

    With a `state_dir` the tables survive: they are saved when the engine stops, also when this process
    is killed (the child notices and saves), and every two seconds meanwhile. Only killing the child
    itself, or the machine, loses what was written in the last seconds. Stream records and transaction
    tokens do not survive a restart. Without `state_dir` everything is in memory. `reset` starts afresh.
    """

    def __init__(
        self,
        state_dir: Path | None = None,
        *,
        reset: bool = False,
        python: Path = DEFAULT_PYTHON,
        start_seconds: float = 15.0,
    ) -> None:
        self._state_dir = state_dir
        self._reset = reset
        self._python = python
        self._start_seconds = start_seconds
        self._port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._output: IO[bytes] | None = None

    @property
    def endpoint(self) -> str:
        return f"http://{LOOPBACK}:{self._port}"

    @property
    def pid(self) -> int | None:
        """The child's process id while it should be running."""
        return self._process.pid if self._process else None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Returns once the engine answers, within a second; blocks, so not on a running event loop."""
        if not self._python.exists():
            raise EmbeddedDynamoDBError(f"{self._python} is missing; `make serve` and `make test` create it")
        # The child inherits a socket that already listens: no other program can take the port meanwhile.
        with socket.create_server((LOOPBACK, 0)) as listener:
            self._port = listener.getsockname()[1]
            self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed in _end()
            self._process = subprocess.Popen(
                self._command(listener.fileno()),
                stdin=subprocess.PIPE,  # the child stops when this closes, however we end
                stdout=self._output,
                stderr=subprocess.STDOUT,
                pass_fds=[listener.fileno()],
                env={**ENVIRONMENT, "GATEWAY_PORT": str(self._port)},
                start_new_session=True,  # a terminal's Ctrl-C is for us; the child is stopped in order
            )
        self._wait_until_healthy(self._process)

    def stop(self) -> None:
        """Save and end; an EmbeddedDynamoDBError if the engine had died meanwhile or could not save."""
        if self._process is None:
            return
        if self._process.stdin:
            self._process.stdin.close()
        try:
            code = self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise self._failure(f"did not end within {STOP_SECONDS:g} s") from None
        output = self._end()
        if code:
            raise EmbeddedDynamoDBError(f"The embedded DynamoDB ended with {code}. {output}")

    def _command(self, listener: int) -> list[str]:
        # -I: neither our directory nor PYTHONPATH may shadow what the child imports.
        command = [str(self._python), "-I", str(PROCESS), str(listener)]
        if self._state_dir:
            command += ["--state-dir", str(self._state_dir.resolve())]
        return [*command, "--reset"] if self._reset else command

    def _wait_until_healthy(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + self._start_seconds
        while not self._answers():
            if process.poll() is not None:
                raise self._failure("did not start")
            if time.monotonic() > deadline:
                raise self._failure(f"did not answer within {self._start_seconds:g} s")
            time.sleep(0.02)

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection(LOOPBACK, self._port, timeout=1.0)
        try:
            connection.request("GET", "/_ministack/health")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _failure(self, what: str) -> EmbeddedDynamoDBError:
        if self._process:
            self._process.kill()
        return EmbeddedDynamoDBError(f"The embedded DynamoDB {what}. {self._end()}")

    def _end(self) -> str:
        """Release everything of the child; answers the last of what it printed."""
        if self._process:
            with self._process:
                self._process = None
        if self._output is None:
            return ""
        with self._output as output:
            self._output = None
            output.seek(0)
            return output.read().decode(errors="replace").strip()[-MAX_OUTPUT:]
