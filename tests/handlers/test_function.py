"""A function's start: from its environment alone, refused without it, and the same after any restore."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
FUNCTIONS = ("http", "websocket", "stream", "sweep")
ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "AWS_LAMBDA_FUNCTION_NAME": "function",
    "TABLE_NAME": "data",
    "CONTROL_TABLE_NAME": "control",
    "JWT_ISSUER": "https://issuer.example",
    "JWT_AUDIENCE": "graphql",
    "JWKS_URL": "https://issuer.example/jwks.json",
    "CURSOR_SECRET_ARN": "arn:aws:secretsmanager:us-east-1:123456789012:secret:cursor",
    "TENANT_ROLE_ARN": "arn:aws:iam::123456789012:role/tenant",
    "PLATFORM_ROLE_ARN": "arn:aws:iam::123456789012:role/platform",
    "CONNECTIONS_ENDPOINT": "https://api.example/prod",
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
}
REQUIRED = (
    set(ENVIRONMENT)
    - {"PATH", "AWS_LAMBDA_FUNCTION_NAME", "CONNECTIONS_ENDPOINT"}
    - {
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
    }
)
pytestmark = pytest.mark.slow


def run(program: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("missing", sorted(REQUIRED))
def test_without_a_setting_the_function_ends_with_one_line_that_names_it(missing: str):
    environment = {name: value for name, value in ENVIRONMENT.items() if name != missing}
    ended = run("import graphql_api.handlers.http", environment)
    assert ended.returncode == 1
    (line,) = map(json.loads, ended.stderr.splitlines())
    assert (line["level"], line["message"]) == ("CRITICAL", "The function cannot start.")
    assert missing in line["reason"]


RESTORE = """
import gc, json, os, random, socket, sys, types
from importlib import import_module

opened = []
connect = socket.socket.connect
socket.socket.connect = lambda *given: opened.append(given[1]) or connect(*given)
hooks = []
runtime = types.ModuleType("snapshot_restore_py")
runtime.register_after_restore = hooks.append
sys.modules["snapshot_restore_py"] = runtime
handler = import_module("graphql_api.handlers.FUNCTION").handler
from graphql_api.store.uid import new_uid

services = handler._services
copies, state = [], random.getstate()
for _ in range(2):
    reading, writing = os.pipe()
    if os.fork() == 0:
        random.setstate(state)  # a fork reseeds by itself, a snapshot does not
        for hook in hooks:
            hook()
        told = [random.random(), new_uid(), services.sources.now().isoformat()]
        os.write(writing, json.dumps(told).encode())
        os._exit(0)
    os.wait()
    copies.append(json.loads(os.read(reading, 4096)))
print(json.dumps({
    "copies": copies,
    "connected": [repr(address) for address in opened],
    "open": services.sources.database.is_open,
    "secrets": len(services.sources.seals._secrets),
    "frozen": gc.get_freeze_count(),
}))
"""


@pytest.mark.parametrize("function", FUNCTIONS)
def test_two_copies_of_a_snapshot_share_nothing_unique_timed_or_secret(function: str):
    ended = run(RESTORE.replace("FUNCTION", function), ENVIRONMENT)
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    one, other = told["copies"]
    assert all(left != right for left, right in zip(one, other, strict=True))
    assert (told["connected"], told["open"], told["secrets"]) == ([], False, 0)
    assert told["frozen"] > 10_000


def test_without_the_hook_two_copies_would_draw_the_same_numbers():
    """The fault that the hook is against, so that the test above can fail."""
    ended = run(RESTORE.replace("FUNCTION", "http").replace("hook()\n", "pass\n"), ENVIRONMENT)
    one, other = json.loads(ended.stdout)["copies"]
    assert one[0] == other[0]
