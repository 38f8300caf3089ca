"""The log as lines: what happened to what and by whom, with its hash, and no value. The template streams them
to S3; sequence numbers without a gap and the chain of hashes show whether one is missing.
"""

import logging
from collections.abc import Sequence

from graphql_api.changes.log import LogEntry
from graphql_api.store.entity import entity_class
from graphql_api.store.keys import Family, tenant_of

_lines = logging.getLogger("audit")


class ChangeLines:
    """A sink that takes everything."""

    name = "LINES"

    async def take(self, family: Family, entries: Sequence[LogEntry]) -> None:
        """A line of the log for each."""
        for entry in entries:
            change = entry.change
            told = {
                "tenant": tenant_of(family),
                "sequence": entry.sequence,
                "id": change.id,
                "type": entity_class(change.kind).__name__,
                "uid": change.uid,
                "action": change.action,
                "version": change.version,
                "at": change.at,
                "actor": change.actor_uid,
                "request": change.request_id,
                "epoch": entry.epoch,
                "hash": entry.hash,
            }
            _lines.info("Change.", extra={"change": told})

    async def close(self) -> None:
        return
