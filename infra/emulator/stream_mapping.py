"""What an event source mapping does when a batch of a DynamoDB stream fails."""

# pyright: basic, reportMissingImports=false

import time
from collections import deque
from contextvars import ContextVar
from typing import Any, NamedTuple

from ministack.services import lambda_svc

LONGEST_WAIT = 1.0  # seconds; the wait after a failure doubles from a twentieth of it

_POLLING: ContextVar[bool] = ContextVar("polling", default=False)


class _Batch(NamedTuple):
    records: list[dict[str, Any]]
    retries: int = 0


def patch() -> None:
    """Lambda retries from the reported record, bisects, sets aside; the emulator loses or blocks."""
    poll, execute = lambda_svc._poll_dynamodb_streams, lambda_svc._execute_function

    def polled() -> bool:
        token = _POLLING.set(True)
        try:
            return poll()
        finally:
            _POLLING.reset(token)

    def executed(function: dict[str, Any], event: Any) -> dict[str, Any]:
        if not _POLLING.get():
            return execute(function, event)
        token = _POLLING.set(False)
        try:
            _deliver(execute, function, event["Records"])
        finally:
            _POLLING.reset(token)
        return {"body": None}  # every record is handled or set aside: the shard goes on

    lambda_svc._poll_dynamodb_streams, lambda_svc._execute_function = polled, executed


def _deliver(execute: Any, function: dict[str, Any], records: list[dict[str, Any]]) -> None:
    mapping = _mapping(function, records)
    pending, failures = deque([_Batch(records)]), 0
    while pending:
        batch = pending.popleft()
        result = execute(function, {"Records": batch.records})
        handled = _handled(mapping, result, batch.records)
        failures = 0 if handled else failures + 1
        rest = batch.records[handled:]
        if rest and mapping.get("BisectBatchOnFunctionError") and len(batch.records) > 1:
            # At the record that was reported; in the middle if that was the first, or none.
            middle = 0 if handled else len(rest) // 2
            again = [_Batch(rest[:middle], batch.retries), _Batch(rest[middle:], batch.retries)]
            pending.extendleft(each for each in reversed(again) if each.records)
        elif rest and batch.retries == int(mapping.get("MaximumRetryAttempts", -1)):
            _set_aside(mapping, function, rest, result)
        elif rest:
            pending.appendleft(_Batch(rest, batch.retries + 1))
        if failures:
            time.sleep(min(LONGEST_WAIT / 20 * 2 ** (failures - 1), LONGEST_WAIT))


def _mapping(function: dict[str, Any], records: list[dict[str, Any]]) -> dict[str, Any]:
    name, stream = function["config"]["FunctionName"], records[0]["eventSourceARN"]
    mappings = lambda_svc._esms.values()
    return next(each for each in mappings if (each["EventSourceArn"], each["FunctionName"]) == (stream, name))


def _handled(mapping: dict[str, Any], result: dict[str, Any], records: list[dict[str, Any]]) -> int:
    """How many of the first records are done with."""
    if result.get("error"):
        return 0
    if "ReportBatchItemFailures" not in mapping.get("FunctionResponseTypes", ()):
        return len(records)
    positions = {record["dynamodb"]["SequenceNumber"]: place for place, record in enumerate(records)}
    failed = (result.get("body") or {}).get("batchItemFailures") or ()
    return min((positions.get(each.get("itemIdentifier"), 0) for each in failed), default=len(records))


def _set_aside(mapping: Any, function: Any, records: list[dict[str, Any]], result: dict[str, Any]) -> None:
    stream = mapping["EventSourceArn"]
    lambda_svc._send_ddb_stream_failure_record(
        mapping, function, records, stream, result, "RetryAttemptsExhausted"
    )
