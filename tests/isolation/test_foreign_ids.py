"""An id of another tenant is answered exactly as an id that was never issued, wherever an id is taken."""

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import pytest
from graphql import GraphQLInputObjectType, GraphQLInputType, GraphQLObjectType, get_named_type

from graphql_api.auth.identity import Role
from tests.asgi import Reply
from tests.isolation.arguments import KINDS, TAKES_ANY, TAKES_ANY_ID, Drawing, kind_taken, nobodys_id
from tests.isolation.documents import roots, schema
from tests.isolation.laps import methods
from tests.isolation.party import PAIRS
from tests.isolation.request import Request
from tests.isolation.stage import Stage
from tests.isolation.trial import verdict
from tests.world import Caller

Path = tuple[str, ...]
# `Project.tasks` and `User.tasks` refuse an id of any kind: whose tasks they list is settled.
SETTLED = {(owner, ("filter", name)) for owner in ("Project", "User") for name in ("projectId", "assigneeId")}


def id_paths(name: str, of: GraphQLInputType) -> Iterator[Path]:
    named = get_named_type(of)
    if named.name == "ID":
        yield (name,)
    if isinstance(named, GraphQLInputObjectType):
        for inner, field in named.fields.items():
            yield from ((name, *path) for path in id_paths(inner, field.type))


def all_id_paths() -> set[tuple[str, Path]]:
    """Root field, or type with a field, and the way to an id in its arguments."""
    operations = {schema().query_type, schema().mutation_type, schema().subscription_type}
    return {
        (field_name if of in operations else of.name, path)
        for of in schema().type_map.values()
        if isinstance(of, GraphQLObjectType) and not of.name.startswith("__")
        for field_name, field in of.fields.items()
        for name, argument in field.args.items()
        for path in id_paths(name, argument.type)
    }


PLACES = sorted(all_id_paths() - SETTLED)


def doors(root: str) -> list[str]:
    """By which a resolver is reached; what a socket serves besides subscriptions, HTTP serves as well."""
    return [method for method in methods(root) if method != "SOCKET"] or ["SOCKET"]


def put(arguments: Any, path: Path, value: str) -> None:
    """Set what stands at a path; of a list, its first entry."""
    for name in path[:-1]:
        arguments = arguments.setdefault(name, {})
        arguments = arguments[0] if isinstance(arguments, list) else arguments
    arguments[path[-1]] = [value] if isinstance(arguments.get(path[-1]), list) else value


@pytest.fixture
async def stage(engine_endpoint: str) -> AsyncIterator[Stage]:
    stage = Stage(engine_endpoint, PAIRS[0], same_uids=False)
    try:
        await stage.open()
        for party in stage.parties:
            asked = Request("exportTenant", {"input": {}})
            exported = await stage.send(party.people[0], asked, "request-0000")
            party.learn("exportTenant", {}, exported.json()["data"])
        yield stage
    finally:
        await stage.close()
    assert not stage.world.guard.refused


class Asking:
    """One request of the first party, with another id each time."""

    def __init__(self, stage: Stage, root: str, path: Path, method: str) -> None:
        self._stage = stage
        self._root = root
        self._method = method
        self._path = path
        self.own, self.other = stage.parties
        self.kind = kind_at(root, path)

    def foreign_ids(self) -> dict[str, str]:
        """Each with its kind; some people are in both tenants, and no strangers."""
        return {
            text: kind for kind in KINDS for text in self.other.ids[kind] if text not in self.own.ids[kind]
        }

    async def reply(self, caller: Caller, text: str) -> Reply:
        arguments = Drawing(first, self.own, self.other).request(self._root).arguments
        put(arguments, self._path, text)
        request = Request(self._root, arguments, method=self._method)
        return await self._stage.send(caller, request, "request-0001", seconds=0)

    def comparable(self, reply: Reply, text: str, stand_in: str) -> Any:
        return verdict(Request(self._root, {}, {text: stand_in}), reply)


def first(choices: Sequence[Any]) -> Any:
    return choices[0]


def kind_at(root: str, path: Path) -> str:
    field = roots()[root][1]
    owner, named = root, get_named_type(field.args[path[0]].type)
    for name in path[1:]:
        assert isinstance(named, GraphQLInputObjectType)
        owner, named = named.name, get_named_type(named.fields[name].type)
    return "Task" if root in TAKES_ANY or path[-1] == TAKES_ANY_ID else kind_taken(path[-1], owner)


@pytest.mark.parametrize(
    ("root", "path", "method"),
    [(root, path, method) for root, path in PLACES for method in doors(root)],
    ids=str,
)
async def test_a_foreign_id_is_answered_as_one_that_never_was(
    root: str, path: Path, method: str, stage: Stage
):
    asking = Asking(stage, root, path, method)
    foreign = asking.foreign_ids()
    assert asking.kind in foreign.values()
    for caller in asking.own.people:
        for text, kind in foreign.items():
            stand_in = nobodys_id(kind)
            found, never = await asking.reply(caller, text), await asking.reply(caller, stand_in)
            assert asking.comparable(found, text, stand_in) == asking.comparable(never, text, stand_in)
    admin, stand_in = asking.own.people[0], nobodys_id(asking.kind)
    never = await asking.reply(admin, stand_in)
    answers = {own: await asking.reply(admin, own) for own in asking.own.ids[asking.kind]}
    assert any(
        asking.comparable(answer, own, stand_in) != asking.comparable(never, own, stand_in)
        for own, answer in answers.items()
    )


def test_every_place_is_known():
    assert all_id_paths() >= SETTLED
    assert {root for root, _ in PLACES} <= roots().keys()


@pytest.mark.parametrize(("owner", "path"), sorted(SETTLED))
async def test_a_settled_list_refuses_every_id_alike(owner: str, path: Path, stage: Stage):
    party, other = stage.parties
    root, field = owner.lower(), path[-1]
    arguments = {"project": f'id: "{party.ids["Project"][0]}"', "user": 'email: "person-1@same.example"'}
    tasks = f"tasks(filter: {{ {field}: $given }}) {{ edges {{ cursor }} }}"
    query = f"query ($given: ID!) {{ {root}({arguments[root]}) {{ {tasks} }} }}"
    world = stage.world.as_(party.slug, Role.ADMIN, party.people[0].subject)
    kind = {"projectId": "Project", "assigneeId": "User"}[field]
    answers = [
        await world.execute(query, given=text)
        for text in (party.ids[kind][0], other.ids[kind][0], nobodys_id(kind))
    ]
    assert {tuple(answer.codes) for answer in answers} == {("BAD_USER_INPUT",)}
    assert len({answer.errors[0]["message"] for answer in answers}) == 1
