"""Waiting a moment before what another writer was faster at is tried again."""

import asyncio
import random

_BASE, _LONGEST = 0.01, 0.5  # seconds; full jitter between 0 and the doubled base


async def pause(attempt: int) -> None:
    """Wait, the longer the more often it was tried, so that writers of one item come one after another."""
    longest = min(_LONGEST, _BASE * 2**attempt)
    await asyncio.sleep(random.uniform(0, longest))  # noqa: S311 - jitter, not a secret
