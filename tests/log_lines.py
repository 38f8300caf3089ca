"""What the product logs, as CloudWatch would be told it."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from graphql_api.telemetry import JsonFormatter


@contextmanager
def log_lines() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """The lines so far, whenever it is called."""
    stream, product = io.StringIO(), logging.getLogger("graphql_api")
    handler, level = logging.StreamHandler(stream), product.level
    handler.setFormatter(JsonFormatter())
    product.addHandler(handler)
    product.setLevel(logging.INFO)
    try:
        yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    finally:
        product.removeHandler(handler)
        product.setLevel(level)
