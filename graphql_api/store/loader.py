"""One DataLoader for the whole table: whatever a level of the query needs is one BatchGetItem."""

import asyncio
from collections.abc import Iterable
from functools import partial

from graphql_api.store.codec import Item
from graphql_api.store.keys import Key
from graphql_api.store.table import MAX_BATCH_KEYS, Table


class ItemLoader:
    """Collects the keys asked for until no more arrive, then reads them 100 to a call; one per request.

    Strawberry's DataLoader closes its batch after one tick of the loop, so resolvers that stand a few
    awaits apart make several calls. This one waits for a tick in which no new key came.
    One that `feeds` another reads consistently, as writes must, and shares what it read.
    """

    def __init__(self, table: Table, *, feeds: "ItemLoader | None" = None, consistent: bool = False) -> None:
        self._table = table
        self._consistent = consistent or feeds is not None
        self._feeds = feeds
        self._items: dict[Key, asyncio.Future[Item | None]] = {}
        self._queue: list[Key] = []
        # A loader's reads are also those of the loaders that feed it: closing it ends them all.
        self._reads: set[asyncio.Task[None]] = feeds._reads if feeds else set()

    def load(self, key: Key) -> asyncio.Future[Item | None]:
        """The item under `key`, None if there is none; raises what the read of its batch raised."""
        future = self._items.get(key)
        if future is None:
            loop = asyncio.get_running_loop()
            future = self._items[key] = loop.create_future()
            if not self._queue:
                read = loop.create_task(self._read_queue(self._queue))
                self._reads.add(read)
                read.add_done_callback(partial(self._ended, self._queue))
            self._queue.append(key)
        # A field that fails has its siblings cancelled (graphql-core); others still wait for the same item.
        return asyncio.shield(future)

    def prime(self, items: Iterable[tuple[Key, Item | None]], *, replace: bool = False) -> None:
        """Remember items that another call brought; `replace` overrules what was known or is being read."""
        for key, item in items:
            future = self._items.get(key)
            if future is None or (replace and future.done()):
                future = self._items[key] = asyncio.get_running_loop().create_future()
            elif not replace:
                continue
            future.set_result(item)

    async def _read_queue(self, keys: list[Key]) -> None:
        seen = 0
        while len(keys) > seen:
            seen = len(keys)
            await asyncio.sleep(0)
        self._queue = []
        batches = (keys[start : start + MAX_BATCH_KEYS] for start in range(0, seen, MAX_BATCH_KEYS))
        await asyncio.gather(*map(self._read, batches))

    def _ended(self, keys: list[Key], read: asyncio.Task[None]) -> None:
        self._reads.discard(read)
        # Cut short, it leaves nobody waiting for what no longer comes.
        for key in keys:
            self._items[key].cancel()

    async def _read(self, keys: list[Key]) -> None:
        waiting = [(key, self._items[key]) for key in keys]
        try:
            found = await self._table.batch_get(keys, consistent=self._consistent)
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
        for read in self._reads:
            read.cancel()
        await asyncio.gather(*self._reads, return_exceptions=True)
