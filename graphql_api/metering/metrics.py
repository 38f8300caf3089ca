"""A line of metrics for each operation: CloudWatch's embedded metric format, in the log that is there anyway.

Every metric of every tenant is billed by CloudWatch, so there are few of them, by tenant alone; what else is
known of an operation stands in the same line, for whoever searches the log. No argument is among it.
"""

import logging
from typing import Any

from graphql_api.metering.figures import Figures

_METRICS = (
    {"Name": "Operations", "Unit": "Count"},
    {"Name": "Errors", "Unit": "Count"},
    {"Name": "Points", "Unit": "Count"},
    {"Name": "Duration", "Unit": "Milliseconds"},
)

_log = logging.getLogger(__name__)


class Metrics:
    """`namespace` is CloudWatch's; without one nothing is written."""

    def __init__(self, namespace: str | None) -> None:
        self._namespace = namespace

    def operation(self, tenant: str, operation: str, kind: str, at: float, figures: Figures) -> None:
        """Tell of one operation of a tenant that ended at that Unix time; `kind` is query or mutation."""
        if self._namespace is None:
            return
        metrics = {"Namespace": self._namespace, "Dimensions": [["tenant"]], "Metrics": list(_METRICS)}
        line: dict[str, Any] = {
            "_aws": {"Timestamp": int(at * 1000), "CloudWatchMetrics": [metrics]},
            "tenant": tenant,
            "operation": operation,
            "kind": kind,
            "Operations": 1,
            "Errors": figures["errors"],
            "Points": figures["points"],
            "Duration": figures["microseconds"] / 1000,
            "bytes": figures["bytes"],
            "read_units": figures["read_halves"] / 2,
            "write_units": figures["write_halves"] / 2,
        }
        _log.info("Operation answered.", extra=line)
