"""Walks of a real browser: a script of this directory against a running server."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from graphql_api.local.graphiql import BUNDLE
from tests.local.server import ROOT, Server

WALK_SECONDS = 240
PACKAGES = ("tests/node/node_modules/playwright-core", "tests/clients/node/node_modules/graphql-ws")


def missing() -> Iterator[str]:
    """What this machine lacks, and how to get it."""
    if shutil.which("node") is None:
        yield "node"
    for package in PACKAGES:
        if not (ROOT / package).is_dir():
            yield f"`npm ci` in {package.partition('/node_modules')[0]}"
    if shutil.which(os.environ.get("CHROMIUM", "/usr/bin/chromium")) is None:
        yield "Chromium (its path in CHROMIUM, or /usr/bin/chromium)"
    if not (BUNDLE / "index.html").is_file():
        yield "the built page (`make ide`)"


def walk(script: str, server: Server, directory: Path, **settings: object) -> Any:
    """What the script saw; a picture of its page stays behind in the directory."""
    screenshot = directory / f"{script}.png"
    members = {tenant: member_token(server, tenant) for tenant in ("acme", "globex")}
    given = {"origin": server.origin, "screenshot": str(screenshot), "tokens": members} | settings
    ended = subprocess.run(
        ["node", str(Path(__file__).with_name(script)), json.dumps(given)],
        capture_output=True,
        text=True,
        timeout=WALK_SECONDS,
        check=False,
    )
    assert ended.returncode == 0, f"{ended.stdout}\n{ended.stderr}\nscreenshot: {screenshot}"
    return json.loads(ended.stdout)


def member_token(server: Server, tenant: str) -> str:
    """Of somebody else than the one whose token GraphiQL is served with."""
    return next(token for line, token in server.tokens.items() if line.startswith(f"{tenant} · member"))
