"""An HTTP request in, the GraphQL request it carries out; what is ambiguous is refused."""

from typing import cast

from starlette.requests import Request

from graphql_api.app.http_error import UnsupportedMediaTypeError
from graphql_api.errors import BadRequestError, PayloadTooLargeError
from graphql_api.operations import OperationRequest
from graphql_api.operations.wire import decode, operation_request

MAX_URL_BYTES = 64 * 1024  # The longest document in percent encoding; gateways pass 8 to 16 KB.
MAX_PARAMETERS = 16


def from_query_string(request: Request) -> OperationRequest:
    """GET: `variables` and `extensions` are JSON in the URL."""
    query_string: bytes = request.scope["query_string"]
    if len(query_string) > MAX_URL_BYTES:
        raise PayloadTooLargeError(f"The URL is over {MAX_URL_BYTES} bytes.", limit=MAX_URL_BYTES)
    if query_string.count(b"&") >= MAX_PARAMETERS:
        raise BadRequestError(f"The URL has more than {MAX_PARAMETERS} parameters.")
    pairs = request.query_params.multi_items()
    parameters: dict[str, object] = dict(pairs)
    if len(parameters) < len(pairs):
        raise BadRequestError("Each URL parameter may be given once.")
    for name in ("variables", "extensions"):
        if text := parameters.get(name):
            parameters[name] = decode(cast("str", text).encode("utf-8", "surrogatepass"))
        else:
            parameters.pop(name, None)
    return operation_request(parameters)


async def from_body(request: Request, max_bytes: int) -> OperationRequest:
    """POST: one JSON object; batches are not served."""
    _require_json(request.headers.get("content-type", ""))
    parameters = decode(await _read(request, max_bytes))
    if not isinstance(parameters, dict):
        raise BadRequestError("The request body must be a JSON object.")
    return operation_request(cast("dict[str, object]", parameters))


def _require_json(content_type: str) -> None:
    # The exact essence: browsers send `text/plain, application/json` across origins without asking first.
    essence, _, parameters = content_type.partition(";")
    charset = parameters.strip().lower().replace('"', "").replace(" ", "")
    if essence.strip().lower() != "application/json" or charset not in ("", "charset=utf-8", "charset=utf8"):
        raise UnsupportedMediaTypeError("Send the request as application/json in UTF-8.")


async def _read(request: Request, max_bytes: int) -> bytes:
    too_large = PayloadTooLargeError(f"The request body is over {max_bytes} bytes.", limit=max_bytes)
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and len(announced) < 20 and int(announced) > max_bytes:
        raise too_large
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_bytes:
            raise too_large
    return bytes(body)
