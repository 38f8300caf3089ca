"""What the answers of DynamoDB say of consumed capacity, and the engine's own answers."""

from typing import Any

import pytest

from graphql_api.auth.identity import Identity, Role
from graphql_api.context import RequestContext
from graphql_api.deadline import Deadline
from graphql_api.features.projects import PROJECTS, Project
from graphql_api.store.capacity import Consumed, measure
from tests.world import World


@pytest.mark.parametrize(
    ("answer", "read", "write"),
    [
        ({"Items": [], "ConsumedCapacity": {"CapacityUnits": 1.5}}, 1.5, 0),
        ({"Responses": {}, "ConsumedCapacity": [{"CapacityUnits": 2.0}, {"CapacityUnits": 0.5}]}, 2.5, 0),
        ({"Attributes": {}, "ConsumedCapacity": {"CapacityUnits": 3.0}}, 0, 3),
        ({"ConsumedCapacity": {"CapacityUnits": 1.0, "WriteCapacityUnits": 1.0}}, 0, 1),
        ({"ConsumedCapacity": [{"CapacityUnits": 6.0, "WriteCapacityUnits": 6.0}]}, 0, 6),
        ({"ConsumedCapacity": [{"CapacityUnits": 4.0, "ReadCapacityUnits": 4.0}]}, 4, 0),
        ({"ConsumedCapacity": []}, 0, 0),
        ({}, 0, 0),
    ],
)
def test_what_an_answer_says_is_reading_or_writing(answer: dict[str, Any], read: float, write: float):
    meter = Consumed()
    measure(answer, meter)
    assert (meter.read, meter.write) == (read, write)


async def test_a_request_s_calls_are_on_its_own_meter(world: World):
    caller = Identity("acme-admin", Role.ADMIN, "acme", 0)
    one, other = (
        RequestContext(world.services.sources, caller, "request-1", Deadline.after(10)) for _ in range(2)
    )
    project = one.repository.new(Project, name="Site")
    await one.repository.commit(one.repository.put(project), leaves=[project])
    # The item, its copy in the index of lists, and its key in the inventory.
    assert (one.consumed.read, one.consumed.write) == (0, 3)
    await one.repository.page(Project, PROJECTS, 5, None)
    assert (one.consumed.read, one.consumed.write) == (0.5, 3)
    assert (other.consumed.read, other.consumed.write) == (0, 0)
    for context in (one, other):
        await context.close()
