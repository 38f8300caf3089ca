"""What stands for an event bus on one machine: a file that each event is a line of."""

import json
from collections.abc import Sequence
from pathlib import Path

from graphql_api.store.event_bus import SOURCE, BusEvent


class EventFile:
    """A bus that keeps everything, in the shape that EventBridge hands on."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def put(self, events: Sequence[BusEvent]) -> None:
        """Append them, each a line of JSON."""
        lines = [
            json.dumps(
                {
                    "source": SOURCE,
                    "detail-type": event.type,
                    "time": event.at.isoformat(),
                    "detail": event.detail,
                }
            )
            for event in events
        ]
        with self._path.open("a", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)

    async def close(self) -> None:
        return
