"""One JSON object per log line, stamped with the request it belongs to."""

import json
import logging
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TextIO

MAX_TRACEBACK = 8_000
_NOT_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_NO_FIELDS: Mapping[str, str] = MappingProxyType({})
_bound: ContextVar[Mapping[str, str]] = ContextVar("log_fields", default=_NO_FIELDS)


@contextmanager
def log_fields(**fields: str | None) -> Generator[None]:
    """Stamp every line logged inside with `fields`; None leaves a field out.

    Bind what says whose request it is, such as its id and tenant; never a token, an argument or a variable.
    """
    named = {name: value for name, value in fields.items() if value is not None}
    token = _bound.set({**_bound.get(), **named})
    try:
        yield
    finally:
        _bound.reset(token)


class JsonFormatter(logging.Formatter):
    """ASCII-only JSON: no line break, control or direction mark of an input reaches the log as itself."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **_bound.get(),
            **{name: value for name, value in vars(record).items() if name not in _NOT_FIELDS},
        }
        if record.exc_info:
            # The end of a traceback names the cause.
            line["traceback"] = self.formatException(record.exc_info)[-MAX_TRACEBACK:]
        return json.dumps(line, default=str).replace("\x7f", "\\u007f")


def configure(level: int = logging.INFO, stream: TextIO | None = None) -> None:
    """Make the root logger write JSON lines; replaces the handler that the Lambda runtime installs."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # Mangum writes a line per request without its id, and the SDK where it found its credentials.
    for library in ("aiobotocore", "botocore", "mangum"):
        logging.getLogger(library).setLevel(logging.WARNING)
