"""What the emulator gets wrong and our stack needs; each patch says what AWS does instead."""

# pyright: basic, reportMissingImports=false

import hashlib
import sys
import tempfile
import threading
import zipfile
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ministack.core import iam_evaluator, lambda_runtime
from ministack.services import apigateway, lambda_svc
from ministack.services.cloudformation import changesets, engine, handlers
from samtranslator.translator import transform as sam

from infra.emulator import leading_keys, policy_variables, stream_mapping


def echo_subprotocol() -> None:
    """The handshake carries the sub-protocol of `$connect`'s response; without it no client stays."""
    chosen: ContextVar[str | None] = ContextVar("chosen", default=None)
    invoke, handle = apigateway._invoke_ws_lambda, apigateway.handle_websocket

    async def invoked(*arguments: Any, **named: Any) -> Any:
        response = await invoke(*arguments, **named)
        if arguments[6] == "CONNECT":
            headers = (response or {}).get("headers") or {}
            found = [value for name, value in headers.items() if name.lower() == "sec-websocket-protocol"]
            chosen.set(found[0] if found else None)
        return response

    async def handled(scope: Any, receive: Any, send: Any, *arguments: Any, **named: Any) -> None:
        async def sent(message: dict[str, Any]) -> None:
            if message["type"] == "websocket.accept" and chosen.get():
                message = {**message, "subprotocol": chosen.get()}
            await send(message)

        await handle(scope, receive, sent, *arguments, **named)

    apigateway._invoke_ws_lambda, apigateway.handle_websocket = invoked, handled


def pass_parameters_to_sam() -> None:
    """A parameter's value decides, not its default: what an alias publishes would be other code."""
    given: ContextVar[dict[str, str] | None] = ContextVar("given", default=None)
    apply, transform = engine._apply_transforms, sam.transform

    def applied(template: Any, provided_params: Any = None, previous_params: Any = None) -> Any:
        given.set(engine._transform_parameters(template, provided_params, previous_params))
        return apply(template, provided_params, previous_params)

    def transformed(template: Any, _parameters: Any, loader: Any) -> Any:
        return transform(template, given.get() or {}, loader)

    sam.transform = transformed
    engine._apply_transforms = changesets._apply_transforms = handlers._apply_transforms = applied


def require_code() -> None:
    """A missing object ends the deployment; the emulator's function answers 200 to everything."""
    fetch = lambda_svc._fetch_code_from_s3

    def fetched(bucket: str, key: str, version_id: str | None = None) -> bytes:
        code = fetch(bucket, key, version_id)
        if code is None:
            raise ValueError(f"s3://{bucket}/{key}: the specified key does not exist.")
        return code

    lambda_svc._fetch_code_from_s3 = fetched


def hide_own_packages() -> None:
    """A function finds what its zip holds; the emulator's own packages would stand in for what it lacks."""
    detect = lambda_runtime._detect_runtime_binary

    def detected(runtime: str) -> tuple[str, str]:
        binary, script = detect(runtime)
        # The target of a virtual environment's link is an interpreter without its packages.
        return str(Path(binary).resolve()) if binary == sys.executable else binary, script

    lambda_runtime._detect_runtime_binary = detected


def unpack_once() -> None:
    """Environments of a function have one read-only copy of its code; the emulator unpacks one for each."""
    unpacked: dict[str, str] = {}
    unpacking = threading.Lock()

    class SharedZip(zipfile.ZipFile):
        def extractall(self, path: Any = None, members: Any = None, pwd: Any = None) -> None:
            with unpacking:
                digest = hashlib.sha256(Path(str(self.filename)).read_bytes()).hexdigest()
                if digest not in unpacked:
                    unpacked[digest] = tempfile.mkdtemp(prefix="code-")
                    super().extractall(unpacked[digest], members, pwd)
            Path(path).rmdir()
            Path(path).symlink_to(unpacked[digest])

    errors = {"BadZipFile": zipfile.BadZipFile, "LargeZipFile": zipfile.LargeZipFile}
    lambda_runtime.zipfile = SimpleNamespace(ZipFile=SharedZip, **errors)


def grant_batches_of_messages() -> None:
    """SQS knows no permission of its own for a batch: whoever may send a message may send ten."""
    enforce = iam_evaluator.enforce

    def enforced(key: str, action: str, *arguments: Any, **named: Any) -> Any:
        single = action.removesuffix("Batch") if action.startswith("sqs:") else action
        return enforce(key, single, *arguments, **named)

    iam_evaluator.enforce = enforced


PATCHES: dict[str, Callable[[], None]] = {
    "echo-subprotocol": echo_subprotocol,
    "pass-parameters-to-sam": pass_parameters_to_sam,
    "require-code": require_code,
    "hide-own-packages": hide_own_packages,
    "unpack-once": unpack_once,
    "leading-keys": leading_keys.patch,
    "policy-variables": policy_variables.patch,
    "grant-batches-of-messages": grant_batches_of_messages,
    "stream-mapping": stream_mapping.patch,
}
