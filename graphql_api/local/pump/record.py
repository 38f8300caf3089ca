"""A stream record as the SDK reads it in, as Lambda delivers it out."""

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

Record = dict[str, Any]


def lambda_record(record: Mapping[str, Any], stream_arn: str) -> Record:
    """JSON only: binary values in base64, the time in seconds; with the stream it comes from."""
    converted = cast("Record", _plain(record)) | {"eventSourceARN": stream_arn}
    if identity := record.get("userIdentity"):
        # The two interfaces differ in case; TTL's deletions are told by it.
        converted["userIdentity"] = {"type": identity["Type"], "principalId": identity["PrincipalId"]}
    return converted


def sequence_number(record: Record) -> str:
    return record["dynamodb"]["SequenceNumber"]


def created_at(record: Record) -> float:
    """Seconds since the epoch, rounded down by some engines."""
    return record["dynamodb"]["ApproximateCreationDateTime"]


def _plain(value: Any) -> Any:
    match value:
        case Mapping():
            return {name: _plain(inner) for name, inner in cast("Mapping[str, Any]", value).items()}
        case list():
            return [_plain(inner) for inner in cast("list[Any]", value)]
        case bytes():
            return base64.b64encode(value).decode()
        case datetime():
            seconds = value.timestamp()
            return int(seconds) if seconds.is_integer() else seconds
        case _:
            return value
