"""A Python client in a process of its own: what it is told goes to standard output, a line for each."""

import asyncio
import http.client
import json
import sys
from contextlib import closing
from itertools import count
from typing import Any
from urllib.parse import urlsplit

from gql.transport.exceptions import TransportProtocolError

from tests.clients.resume import follow


class Following:
    """A board that is read over HTTP and then followed."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = settings
        self._tokens = iter(settings["tokens"])
        self._token = ""
        self._versions: dict[str, int] = {}
        self._stored: str | None = settings.get("after")
        self._reads = count(1)

    async def token(self) -> str:
        self._token = next(self._tokens, self._token)
        return self._token

    async def read(self) -> str:
        tell({"read": next(self._reads)})
        tasks = await asyncio.to_thread(self._tasks)
        self._versions = {edge["node"]["id"]: edge["node"]["version"] for edge in tasks["edges"]}
        stored, self._stored = self._stored, None
        return stored or tasks["eventCursor"]

    async def run(self) -> None:
        settings = self._settings
        variables = {"project": settings["project"]}
        changes = follow(
            settings["ws"],
            settings["subscription"],
            variables,
            token=self.token,
            read=self.read,
            held=lambda entity_id: self._versions.get(entity_id, 0),
        )
        try:
            async for change in changes:
                tell({"stub" if change.get("truncated") else "change": change})
        except TransportProtocolError as error:
            tell({"problem": str(error)})

    def _tasks(self) -> dict[str, Any]:
        settings = self._settings
        body = json.dumps({"query": settings["list"], "variables": {"project": settings["project"]}})
        headers = {
            "content-type": "application/json",
            "authorization": f"Bearer {settings['tokens'][-1]}",
        }
        url = urlsplit(settings["http"])
        with closing(http.client.HTTPConnection(url.netloc)) as connection:
            connection.request("POST", url.path, body, headers)
            return json.load(connection.getresponse())["data"]["project"]["tasks"]


def tell(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    # A program of its own, which has no other event loop.
    asyncio.Runner().run(Following(json.loads(sys.argv[1])).run())
