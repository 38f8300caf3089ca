"""Each of two tenants does all that the schema allows and much that it does not; neither shows in the other.

ISOLATION_EXAMPLES: how many searches, 8 by default; each is a fresh installation and up to 30 steps. A
search follows from its number alone; what it finds is shrunk and printed as the steps that lead there.
"""

import asyncio
import os

import pytest
from hypothesis import seed

from tests.isolation.machine import TwoTenants, run_two_tenants

EXAMPLES = int(os.environ.get("ISOLATION_EXAMPLES", "8"))


@pytest.mark.parametrize("number", range(EXAMPLES))
def test_nothing_of_one_tenant_shows_in_the_other(number: int, engine_endpoint: str):
    with asyncio.Runner() as runner:
        run_two_tenants(seed(number)(lambda: TwoTenants(runner, engine_endpoint)))
