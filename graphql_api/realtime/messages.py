"""The frames of graphql-transport-ws, in and out.

Source: the protocol's document in the graphql-ws repository (PROTOCOL.md), whose names these are.
"""

import re
from dataclasses import dataclass
from typing import TypeAlias, cast

from graphql_api.errors import BadRequestError
from graphql_api.operations import OperationRequest
from graphql_api.operations.encoding import encode
from graphql_api.operations.report import ErrorEntry
from graphql_api.operations.wire import decode, operation_request

SUBPROTOCOL = "graphql-transport-ws"
# It becomes part of a sort key and of every frame.
_OPERATION_ID = re.compile(r"\A[^\x00-\x1f\x7f\ud800-\udfff]{1,128}\Z")

Payload: TypeAlias = dict[str, object]


class InvalidMessageError(Exception):
    """Not a message of the protocol: what the reference server closes 4400 for."""


@dataclass(frozen=True, slots=True)
class ConnectionInit:
    payload: Payload


@dataclass(frozen=True, slots=True)
class Ping:
    payload: Payload | None


@dataclass(frozen=True, slots=True)
class Pong:
    pass


@dataclass(frozen=True, slots=True)
class Subscribe:
    id: str
    request: OperationRequest


@dataclass(frozen=True, slots=True)
class Complete:
    id: str


ClientMessage: TypeAlias = ConnectionInit | Ping | Pong | Subscribe | Complete


def parse(text: str, max_bytes: int) -> ClientMessage:
    """The message that a client's frame is. Raises InvalidMessageError."""
    data = text.encode("utf-8", "surrogatepass")
    if len(data) > max_bytes:
        raise InvalidMessageError(f"The message is over {max_bytes} bytes.")
    try:
        message = decode(data)
    except BadRequestError as error:
        raise InvalidMessageError(error.message) from None
    if not isinstance(message, dict):
        raise InvalidMessageError("A message is a JSON object.")
    return _message(cast("Payload", message))


def _message(message: Payload) -> ClientMessage:
    payload = message.get("payload")
    if payload is not None and not isinstance(payload, dict):
        raise InvalidMessageError("A message's `payload` is an object.")
    given = cast("Payload | None", payload)
    match message.get("type"):
        case "connection_init":
            return ConnectionInit(given or {})
        case "ping":
            return Ping(given)
        case "pong":
            return Pong()
        case "subscribe":
            return Subscribe(_operation_id(message), _request(given))
        case "complete":
            return Complete(_operation_id(message))
        case _:
            raise InvalidMessageError("The message's `type` is none that a client sends.")


def _operation_id(message: Payload) -> str:
    given = message.get("id")
    if not isinstance(given, str) or not _OPERATION_ID.match(given):
        raise InvalidMessageError("A message's `id` is a string of 1 to 128 printable characters.")
    return given


def _request(payload: Payload | None) -> OperationRequest:
    try:
        return operation_request(payload or {})
    except BadRequestError as error:
        raise InvalidMessageError(error.message) from None


def connection_ack() -> bytes:
    return encode({"type": "connection_ack"})


def pong(payload: Payload | None) -> bytes:
    return encode({"type": "pong"} | ({} if payload is None else {"payload": payload}))


def next_frame(id: str, payload: bytes) -> bytes:
    """A result: its JSON is made once for all who are sent it, and only the id is each one's own."""
    return b'{"type":"next","id":%b,"payload":%b}' % (encode(id), payload)


def error_frame(id: str, errors: list[ErrorEntry]) -> bytes:
    return encode({"type": "error", "id": id, "payload": errors})


def complete_frame(id: str) -> bytes:
    return encode({"type": "complete", "id": id})


def connection_error(message: str, code: int) -> bytes:
    """No message of the protocol, and meant so: API Gateway sends no close codes, and a frame that a client
    cannot read is the only thing that ends it for good, as the code would (see docs/realtime.md).
    """
    return encode({"type": "connection_error", "payload": {"message": message, "code": code}})
