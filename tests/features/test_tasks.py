import pytest

from tests.world import World

pytestmark = pytest.mark.identity(tenant="acme", role="ADMIN")


async def test_a_created_task_is_found_again(world: World) -> None:
    project = await world.mutate("createProject", "project { id }", name="Gripper")
    task = await world.mutate(
        "createTask", "task { id title status version }", projectId=project["project"]["id"], title="Weld"
    )

    assert task["__typename"] == "CreateTaskPayload"
    found = await world.data(
        "query ($id: ID!) { task(id: $id) { title project { name } } }", id=task["task"]["id"]
    )
    assert found == {"task": {"title": "Weld", "project": {"name": "Gripper"}}}
