"""The matrix of fields and roles, `permissions.md`, held against the API itself."""

import json
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLObjectType,
    get_named_type,
)

from graphql_api.auth.identity import Identity, Role
from graphql_api.auth.permissions import RolePermission, at_least
from graphql_api.errors import ForbiddenError, UnauthenticatedError
from graphql_api.operations.execution import graphql_schema
from graphql_api.schema import build_schema
from tests.features.builders import a_member, done, uid_in
from tests.realtime.stage import Stage as Doors
from tests.realtime.stage import open_stage
from tests.security.listeners import Frames, Listener, happen
from tests.security.permission_requests import CANARY, PATHS, REQUESTS, SUBSCRIPTIONS, Stock
from tests.world import MEMBERS, World, found

OWN, OTHER = "Things of the caller's own tenant", "Things of another tenant"
SCHEMA = graphql_schema(build_schema())
ROOTS = (SCHEMA.query_type, SCHEMA.mutation_type, SCHEMA.subscription_type)
# Arguments that can name something of another tenant, besides all of type ID.
NAMING = {"after", "email", "slug"}
# Computed from an object that the caller already has.
HARMLESS = {
    "Node.id",
    "Tenant.slug",
    "Plan.tier",
    "ApiKey.id",
    "CustomField.filterable",
    "TenantRegistration.slug",
    "UsageReport.operations",
    "Job.id",
    # Of a job that the caller was shown; of a tenant's own alone.
    "Job.file",
    *(f"ExportFile.{name}" for name in ("name", "size", "sha256", "url")),
    "TaskChange.task",
    "ProjectChange.project",
    "CommentChange.comment",
    *(f"ChangeEvent.{name}" for name in ("id", "cursor", "sequence", "action", "at", "entityId", "version")),
    *(f"LoggedChange.{name}" for name in ("entityType", "loggedAt", "requestId", "attributes")),
}
# What a request reaches by an id of its own choice.
CHOSEN = {"Node", "Change"}


def tables() -> dict[str, dict[str, dict[str, str]]]:
    """Heading -> row -> kind of caller -> verdict."""
    text = Path(__file__).with_name("permissions.md").read_text()
    return {part.partition("\n")[0]: dict(_rows(part)) for part in text.split("\n## ")[1:]}


def _rows(part: str) -> Iterator[tuple[str, dict[str, str]]]:
    lines = [line.strip("|").split("|") for line in part.splitlines() if line.startswith("|")]
    (_, *callers), _, *rows = ([cell.strip() for cell in line] for line in lines)
    for name, *verdicts in rows:
        yield name.replace("`", ""), dict(zip(callers, verdicts, strict=True))


MATRIX = tables()


def bare(row: str) -> str:
    """The field of a row, without the words that tell its requests apart."""
    return row.partition(" (")[0]


def root_fields() -> dict[str, GraphQLField]:
    return {f"{root.name}.{name}": field for root in ROOTS if root for name, field in root.fields.items()}


def resolved() -> Iterator[tuple[str, GraphQLObjectType, GraphQLField]]:
    """The fields of object types that run code of ours: where each is declared, and a type that has it."""
    kinds = [kind for kind in SCHEMA.type_map.values() if isinstance(kind, GraphQLObjectType)]
    for kind in kinds:
        for name, field in kind.fields.items():
            declared = field.extensions.get("strawberry-definition")
            if kind not in ROOTS and declared is not None and declared.base_resolver is not None:
                yield f"{declared.origin.__name__}.{name}", kind, field


def resolved_fields() -> dict[str, GraphQLField]:
    return {row: field for row, _, field in resolved()}


def names_something(name: str, argument: GraphQLArgument | GraphQLInputField) -> bool:
    kind = get_named_type(argument.type)
    if isinstance(kind, GraphQLInputObjectType):
        return any(names_something(*member) for member in kind.fields.items())
    return kind.name == "ID" or name in NAMING


def can_reach_out(row: str) -> bool:
    """Whether a request can name another tenant's things: in its arguments, or on the way to the field."""
    if field := root_fields().get(row):
        return any(names_something(*argument) for argument in field.args.items())
    kinds = [kind for name, kind, _ in resolved() if name == row]
    return any(one.name in CHOSEN for kind in kinds for one in kind.interfaces)


def test_every_field_has_a_row_and_a_request_and_nothing_else_has() -> None:
    fields = root_fields().keys() | resolved_fields().keys()

    assert {bare(row) for row in MATRIX[OWN]} == fields
    assert MATRIX[OWN].keys() == REQUESTS.keys()
    assert {bare(row) for row in MATRIX[OTHER]} == set(filter(can_reach_out, fields))
    assert MATRIX[OTHER].keys() <= REQUESTS.keys()


def test_every_request_asks_for_the_field_of_its_row() -> None:
    for row, request in REQUESTS.items():
        assert f"{bare(row).partition('.')[2]}" in request


def test_every_field_that_reads_or_writes_names_the_role_it_needs() -> None:
    fields = root_fields() | resolved_fields()
    for name, field in fields.items():
        permissions = field.extensions["strawberry-definition"].permission_classes
        assert any(issubclass(cls, RolePermission) for cls in permissions) == (name not in HARMLESS), name


@pytest.mark.parametrize("required", Role)
def test_a_fields_permission_rests_on_nothing_behind_it(required: Role) -> None:
    permission = at_least(required)()
    allowed = MEMBERS[MEMBERS.index(required) :] if required in MEMBERS else (Role.PLATFORM,)

    def asked_by(identity: Identity | None) -> bool:
        context = SimpleNamespace(identity=identity, denied=lambda _: None)
        info = SimpleNamespace(context=context, path=SimpleNamespace(typename="Query"), field_name="x")
        return permission.has_permission(None, info)

    with pytest.raises(UnauthenticatedError):
        asked_by(None)
    for role in Role:
        identity = Identity("somebody", role, None if role is Role.PLATFORM else "acme", 0)
        if role in allowed:
            assert asked_by(identity)
        else:
            with pytest.raises(ForbiddenError):
                asked_by(identity)


@dataclass(frozen=True)
class Asked:
    """What one caller got: the verdict, and all that was sent back."""

    verdict: str
    text: str


@dataclass(frozen=True)
class Stage:
    """Two tenants with the same things, and every kind of caller of the first."""

    doors: Doors
    own: Stock
    other: Stock
    callers: dict[str, World]
    listeners: dict[str, Listener]

    async def ask(self, row: str, stock: Stock) -> dict[str, Asked]:
        """What each kind of caller gets."""
        if REQUESTS[row].startswith(SUBSCRIPTIONS):
            return await self._listen(row, stock)
        return {kind: await self._request(row, kind, stock) for kind in self.callers}

    async def _request(self, row: str, kind: str, stock: Stock) -> Asked:
        caller = self.callers[kind]
        is_author = kind in (Role.MEMBER, Role.MANAGER, Role.ADMIN)
        # Nobody but an operator can shut a tenant out; it is not one of these two.
        instead = {"slug": "umbrella"} if kind == Role.PLATFORM else {}
        selection = await stock.selection(REQUESTS[row], caller if is_author else stock.admin, **instead)
        operation = "mutation" if row.startswith("Mutation.") else "query"
        answer = await caller.execute(f"{operation} {{ {selection} }}")
        return Asked(verdict_of(answer.data, answer.codes), answer.reply.body.decode())

    async def _listen(self, row: str, stock: Stock) -> dict[str, Asked]:
        """All listen, then what they listen to happens, once."""
        document = f"subscription {{ {await stock.selection(REQUESTS[row], stock.admin)} }}"
        for listener in self.listeners.values():
            await listener.subscribe(document)
        await happen(self.doors, stock, document)
        return {kind: told(await listener.complete()) for kind, listener in self.listeners.items()}


def told(frames: Frames) -> Asked:
    """Of the frames of one subscription: events, or the one error that refuses it."""
    events = [frame["payload"] for frame in frames if frame["type"] == "next"]
    errors = [error for frame in frames if frame["type"] == "error" for error in frame["payload"]]
    assert frames == [] or {frame["type"] for frame in frames} in ({"next"}, {"error"})
    assert not any("errors" in event for event in events)
    verdict = verdict_of([event["data"] for event in events], [one["extensions"]["code"] for one in errors])
    return Asked(verdict, json.dumps(frames))


def verdict_of(data: Any, error_codes: Iterable[str]) -> str:
    leaves = list(_leaves(data))
    codes = set(error_codes) | {value for key, value in leaves if key == "code"}
    if codes:
        assert len(codes) == 1
        return codes.pop().lower().replace("_", " ")
    assert None not in (value for _, value in leaves)
    return "ok" if leaves else "empty"


def _leaves(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, member in value.items():
            yield from _leaves(member, name)
    elif isinstance(value, list):
        for entry in value:
            yield from _leaves(entry, key)
    else:
        yield key, value


@pytest.fixture(scope="module")
async def stage(engine_endpoint: str) -> AsyncIterator[Stage]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", "test")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "test")
        async with open_stage(engine_endpoint) as doors:
            yield await furnished(doors)


async def furnished(doors: Doors) -> Stage:
    world = doors.world
    await found(world, "umbrella")
    own, other = Stock(world, "acme"), Stock(world, "globex")
    for stock in (own, other):
        await stock.fill()
    await doors.pump()
    for stock in (own, other):
        await stock.look_up_log()
    gone = await a_member(own.admin, email="gone@acme.example", name="Gone", role="ADMIN")
    await done(own.admin, "suspendUser", "user { id }", id=gone)
    members = {role.value: world.as_("acme", role) for role in MEMBERS}
    operator, suspended = world.as_(None, Role.PLATFORM), world.as_("acme", Role.ADMIN, uid_in(gone))
    callers = {"anonymous": world, **members, "PLATFORM": operator, "suspended": suspended}
    listeners = {kind: await Listener.open(doors, caller) for kind, caller in callers.items()}
    return Stage(doors, own, other, callers, listeners)


@pytest.mark.parametrize("row", MATRIX[OWN])
async def test_each_caller_gets_the_verdict_of_the_matrix(stage: Stage, row: str) -> None:
    asked = await stage.ask(row, stage.own)

    assert {kind: one.verdict for kind, one in asked.items()} == MATRIX[OWN][row]


@pytest.mark.parametrize("row", MATRIX[OTHER])
async def test_each_caller_gets_the_verdict_of_the_matrix_on_another_tenants_things(
    stage: Stage, row: str
) -> None:
    asked = await stage.ask(row, stage.other)

    assert {kind: one.verdict for kind, one in asked.items()} == MATRIX[OTHER][row]
    assert not [kind for kind, one in asked.items() if CANARY in one.text]


@pytest.mark.parametrize("kind", [*PATHS])
async def test_every_path_to_one_object_gets_the_same_verdict(stage: Stage, kind: str) -> None:
    for name, caller in stage.callers.items():
        wanted = json.dumps(stage.own.things[kind.lower()])
        for path in PATHS[kind]:
            answer = await caller.execute(f"{{ {await stage.own.selection(path, stage.own.admin)} }}")
            assert verdict_of(answer.data, answer.codes) == MATRIX[OWN]["Query.node"][name]
            assert (wanted in answer.reply.body.decode()) == (name in MEMBERS)


@pytest.mark.parametrize(
    "kind", sorted(PATHS.keys() - {"Workflow", "CustomFields"})
)  # whose id is every tenant's
async def test_every_path_to_an_object_of_another_tenant_ends_alike(stage: Stage, kind: str) -> None:
    """A list of what is not there is empty; everything else is not found."""
    paths = [path for path in PATHS[kind] if "$" in path]
    for name, caller in stage.callers.items():
        expected = MATRIX[OTHER]["Query.node"][name]
        for path in paths:
            answer = await caller.execute(f"{{ {await stage.other.selection(path, stage.other.admin)} }}")
            verdict = verdict_of(answer.data, answer.codes)
            assert verdict == expected or (verdict, expected) == ("empty", "not found"), path
            assert stage.other.things[kind.lower()] not in answer.reply.body.decode()
