import pytest

from graphql_api.auth.identity import Role
from tests.features.builders import outcome, refusal
from tests.features.workflow_shapes import WORKFLOW, moves, states
from tests.world import World


@pytest.fixture
def world(shared_world: World) -> World:
    return shared_world


@pytest.mark.parametrize("role", [Role.VIEWER, Role.MEMBER, Role.MANAGER])
async def test_only_an_administrator_changes_the_workflow(world: World, role: Role) -> None:
    shape = {"states": states("a"), "transitions": []}

    assert await refusal(world.as_("acme", role), "updateWorkflow", **shape) == "FORBIDDEN"


@pytest.mark.parametrize(
    ("keys", "steps", "field"),
    [
        ("", (), "states"),
        (" ".join(f"s{number}" for number in range(21)), (), "states"),
        ("a a", (), "states.key"),
        ("A", (), "states.key"),
        ("1st", (), "states.key"),
        ("a-b", (), "states.key"),
        ("a#b", (), "states.key"),
        ("x" * 41, (), "states.key"),
        ("a:DONE b", (), "states"),
        ("a b", ("a>c",), "transitions"),
        ("a b", ("c>a",), "transitions"),
        ("a b", ("a>a",), "transitions"),
        ("a b", ("a>b", "a>b:ADMIN"), "transitions"),
        ("a b", ("a>b:PLATFORM",), "role"),
        (
            " ".join(f"s{number}" for number in range(11)),
            tuple(f"s{a}>s{b}" for a in range(11) for b in range(11) if a != b),
            "transitions",
        ),
    ],
)
async def test_a_workflow_that_cannot_work_is_refused(
    world: World, keys: str, steps: tuple[str, ...], field: str
) -> None:
    shape = {"states": states(keys), "transitions": moves(*steps)}
    answer = await outcome(world, "updateWorkflow", WORKFLOW, **shape)

    assert (answer["code"], answer["field"]) == ("BAD_USER_INPUT", field)
    assert (await world.data("{ workflow { version } }")) == {"workflow": {"version": 1}}


@pytest.mark.parametrize("name", ["", " ", "x" * 201, "two\nlines", "nul\x00"])
async def test_a_state_needs_a_name(world: World, name: str) -> None:
    shape = {"states": [{"key": "a", "name": name, "category": "TODO"}], "transitions": []}
    answer = await outcome(world, "updateWorkflow", WORKFLOW, **shape)

    assert (answer["code"], answer["field"]) == ("BAD_USER_INPUT", "states.name")
