"""What the product logs, as CloudWatch would be told it."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from graphql_api.telemetry import JsonFormatter


@contextmanager
def log_lines(name: str = "graphql_api") -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """The lines so far, whenever it is called."""
    stream, product = io.StringIO(), logging.getLogger(name)
    handler, level = logging.StreamHandler(stream), product.level
    handler.setFormatter(JsonFormatter())
    product.addHandler(handler)
    product.setLevel(logging.INFO)
    try:
        yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    finally:
        product.removeHandler(handler)
        product.setLevel(level)


def metrics_of(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The lines with metrics. Each must be as CloudWatch's embedded metric format wants it: every dimension
    and every metric that it names is a member of the line, dimensions in text and metrics in numbers.
    """
    found = [line for line in lines if "_aws" in line]
    for line in found:
        for directive in line["_aws"]["CloudWatchMetrics"]:
            assert directive.keys() == {"Namespace", "Dimensions", "Metrics"}
            named = [name for dimensions in directive["Dimensions"] for name in dimensions]
            assert all(isinstance(line[name], str) and line[name] for name in named)
            assert all(isinstance(line[metric["Name"]], int | float) for metric in directive["Metrics"])
    return found
