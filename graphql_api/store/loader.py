"""One DataLoader for the whole table: whatever a level of the query needs is one BatchGetItem."""

import asyncio
from collections.abc import Iterable

from graphql_api.store.codec import Item
from graphql_api.store.keys import Key
from graphql_api.store.table import MAX_BATCH_KEYS, Table


class ItemLoader:
    """Collects the keys asked for until no more arrive, then reads them 100 to a call; one per request.

    Strawberry's DataLoader closes its batch after one tick of the loop, so resolvers that stand a few
    awaits apart make several calls. This one waits for a tick in which no new key came.
    One that `feeds` another reads consistently, as writes must, and shares what it read.
    """

    def __init__(self, table: Table, *, feeds: "ItemLoader | None" = None) -> None:
        self._table = table
        self._feeds = feeds
        self._items: dict[Key, asyncio.Future[Item | None]] = {}
        self._queue: list[Key] = []
        self._reads: set[asyncio.Task[None]] = set()

    def load(self, key: Key) -> asyncio.Future[Item | None]:
        """The item under `key`, None if there is none; raises what the read of its batch raised."""
        future = self._items.get(key)
        if future is None:
            loop = asyncio.get_running_loop()
            future = self._items[key] = loop.create_future()
            if not self._queue:
                loop.call_soon(self._dispatch_when_quiet, loop, 1)
            self._queue.append(key)
        return future

    def prime(self, items: Iterable[tuple[Key, Item | None]], *, replace: bool = False) -> None:
        """Remember items that another call brought; `replace` drops what was known before."""
        for key, item in items:
            if replace or key not in self._items:
                future: asyncio.Future[Item | None] = asyncio.get_running_loop().create_future()
                future.set_result(item)
                self._items[key] = future

    def _dispatch_when_quiet(self, loop: asyncio.AbstractEventLoop, seen: int) -> None:
        if len(self._queue) > seen:
            loop.call_soon(self._dispatch_when_quiet, loop, len(self._queue))
            return
        keys, self._queue = self._queue, []
        for start in range(0, len(keys), MAX_BATCH_KEYS):
            read = loop.create_task(self._read(keys[start : start + MAX_BATCH_KEYS]))
            self._reads.add(read)
            read.add_done_callback(self._reads.discard)

    async def _read(self, keys: list[Key]) -> None:
        waiting = [(key, self._items[key]) for key in keys]
        try:
            found = await self._table.batch_get(keys, consistent=self._feeds is not None)
        except Exception as error:  # noqa: BLE001 - handed on to everyone who waits for this batch
            for _, future in waiting:
                if not future.done():
                    future.set_exception(error)
                    future.exception()  # a sibling's failure may leave nobody waiting: that is no leak
            return
        if self._feeds is not None:
            self._feeds.prime(((key, found.get(key)) for key in keys), replace=True)
        for key, future in waiting:
            if not future.done():
                future.set_result(found.get(key))

    async def close(self) -> None:
        """End the reads nobody waits for any more; no work outlives a response."""
        # A read that is asked for but not begun would begin in somebody else's request.
        self._queue.clear()
        for read in self._reads:
            read.cancel()
        await asyncio.gather(*self._reads, return_exceptions=True)
