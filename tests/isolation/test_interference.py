"""Nothing a neighbour does changes a byte of what a tenant is answered.

ISOLATION_TRACES: how many traces, 30 by default, each of 14 requests sent twice. A trace follows from its
number alone.
"""

import asyncio
import os

import pytest

from tests.isolation.interference import compare

TRACES = int(os.environ.get("ISOLATION_TRACES", "30"))


@pytest.mark.parametrize("number", range(TRACES))
def test_a_neighbour_changes_no_answer(number: int, engine_endpoint: str):
    with asyncio.Runner() as runner:
        runner.run(compare(engine_endpoint, number))
