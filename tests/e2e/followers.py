"""Clients in processes of their own that follow a project: the recipes of docs/realtime.md."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.e2e.emulator import PROJECT
from tests.e2e.system import CHANGES, Member, System

PATIENCE_SECONDS = 30
LIST = """query ($project: ID!) { project(id: $project) {
  id tasks(first: 100) { eventCursor edges { node { id title version } } } } }"""
COMMANDS = {
    "graphql-ws": ["node", str(PROJECT / "tests/clients/node/following.mjs"), "graphql-ws"],
    "gql": [sys.executable, "-m", "tests.clients.following"],
}


class Follower:
    """By the lines that it prints; `changes` is what it was told so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.changes: list[dict[str, Any]] = []

    @property
    def titles(self) -> list[str]:
        return [change["task"]["title"] for change in self.changes]

    async def told(self, title: str) -> dict[str, Any]:
        """Waits for the change of the task with that title."""
        while title not in self.titles:
            line = await self._line()
            assert line.keys() & {"read", "change"}, line
            if "change" in line:
                self.changes.append(line["change"])
        return self.changes[self.titles.index(title)]

    async def has_read(self) -> None:
        """Waits until it is about to read the list; it then follows from there, and misses nothing."""
        assert "read" in await self._line()

    async def _line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE_SECONDS):
            line = await self._process.stdout.readline()
        assert line, "the client has ended"
        return json.loads(line)


@asynccontextmanager
async def following(
    client: str, system: System, member: Member, after: str | None = None
) -> AsyncIterator[Follower]:
    """A client that follows the member's project, from `after` on or from the present."""
    settings = {
        "http": system.http,
        "ws": system.ws,
        "list": LIST,
        "subscription": CHANGES,
        "tokens": [member.token],
        "project": member.project,
        **({"after": after} if after else {}),
    }
    process = await asyncio.create_subprocess_exec(
        *COMMANDS[client], json.dumps(settings), cwd=PROJECT, stdout=asyncio.subprocess.PIPE
    )
    try:
        follower = Follower(process)
        await follower.has_read()
        yield follower
    finally:
        process.kill()
        await process.communicate()
