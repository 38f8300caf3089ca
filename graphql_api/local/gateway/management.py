"""The management API: what our functions may do to a connection over HTTP, `@connections` on AWS."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from graphql_api.local.gateway.connection import NORMAL, Connection, Limits
from graphql_api.local.gateway.event import identity

SIGNED = "AWS4-HMAC-SHA256 "
ERRORS: dict[int, tuple[str, str]] = {
    HTTPStatus.FORBIDDEN: ("ForbiddenException", "Forbidden"),
    HTTPStatus.GONE: ("GoneException", "Gone"),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ("PayloadTooLargeException", "Message too long"),
    HTTPStatus.TOO_MANY_REQUESTS: ("LimitExceededException", "Rate exceeded"),
}
UNEXPECTED = ("InternalServerErrorException", "Internal server error")


class Faults:
    """What can go wrong on AWS, for tests to override; as it stands, nothing does."""

    async def post(self, connection_id: str, frame: str, deliver: Callable[[], int]) -> int:
        """The status of a post. `deliver` queues the frame and tells the status that earned: call it late,
        out of order, twice or never; answer another status, or hang until the caller gives up.
        """
        return deliver()

    def loses_disconnect(self, connection_id: str) -> bool:
        """Whether `$disconnect` is never invoked; AWS promises best effort."""
        return False


class ManagementApi:
    """POST: 200, 410, 413, 429. GET: 200, 410. DELETE: 204, 410. Without a signature: 403.

    Signatures are not verified. A web page can neither send that header to another origin without asking
    nor leave out its own, which is refused as well.
    """

    def __init__(self, connections: dict[str, Connection], limits: Limits, faults: Faults) -> None:
        self._connections = connections
        self._limits = limits
        self._faults = faults

    async def handle(self, request: Request) -> Response:
        if not request.headers.get("authorization", "").startswith(SIGNED) or "origin" in request.headers:
            return _refusal(HTTPStatus.FORBIDDEN)
        connection_id: str = request.path_params["connection_id"]
        if request.method == "POST":
            status = await self._post(connection_id, await request.body())
            return Response() if status == HTTPStatus.OK else _refusal(status)
        connection = self._connections.get(connection_id)
        if connection is None:
            return _refusal(HTTPStatus.GONE)
        if request.method == "DELETE":
            del self._connections[connection_id]
            connection.end(NORMAL)
            return Response(status_code=HTTPStatus.NO_CONTENT)
        return JSONResponse(_described(connection))

    async def _post(self, connection_id: str, data: bytes) -> int:
        if len(data) > self._limits.message_bytes:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        frame = data.decode(errors="replace")
        return await self._faults.post(connection_id, frame, partial(self._deliver, connection_id, frame))

    def _deliver(self, connection_id: str, frame: str) -> int:
        connection = self._connections.get(connection_id)
        if connection is None:
            return HTTPStatus.GONE
        return HTTPStatus.OK if connection.post(frame) else HTTPStatus.TOO_MANY_REQUESTS


def _refusal(status: int) -> Response:
    error_type, message = ERRORS.get(status, UNEXPECTED)
    return JSONResponse({"message": message}, status, headers={"x-amzn-ErrorType": error_type})


def _described(connection: Connection) -> dict[str, Any]:
    return {
        "connectedAt": _iso(connection.connected_at),
        "lastActiveAt": _iso(connection.last_active_at),
        "identity": identity(connection.socket),
    }


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
