"""Every field works for both tenants and shows neither in the other; together they need every grant."""

from tests.isolation.party import PAIRS
from tests.isolation.stage import Stage
from tests.isolation.tour import tour


async def test_every_field_and_every_grant_is_used(engine_endpoint: str):
    stage = Stage(engine_endpoint, PAIRS[0], same_uids=False)
    try:
        await stage.open()
        assert await tour(stage) == set()
    finally:
        await stage.close()
    guard = stage.world.guard
    assert guard.calls
    assert not guard.refused
    assert guard.unused_grants == set()
