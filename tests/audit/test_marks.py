"""What administers or exports says so where it is declared, and is recorded for it."""

import dataclasses
from typing import Any

import pytest
import strawberry

from graphql_api.app import create_app
from graphql_api.audit.acts import AuditedField, audited
from graphql_api.audit.entry import AuditKind
from graphql_api.audit.recording import AuditedRequest
from graphql_api.auth.identity import Role
from graphql_api.auth.permissions import at_least
from graphql_api.errors import InternalError
from graphql_api.metering.limits import Limits
from graphql_api.operations import Operations
from graphql_api.operations.execution import graphql_schema
from graphql_api.schema import build_schema
from graphql_api.store.table import StoreBusyError
from tests.audit.test_entries import entries, told
from tests.features.builders import a_project, done
from tests.realtime.stage import Stage
from tests.world import World, user_uid


@strawberry.type
class Query:
    @strawberry.field(permission_classes=[at_least(Role.ADMIN)], extensions=[audited(AuditKind.EXPORT)])
    async def everything(self, fails: bool = False) -> str:
        if fails:
            raise InternalError
        return "canary"


@pytest.fixture
def exporting(world: World) -> World:
    """A world with one field, which exports."""
    operations = Operations(strawberry.Schema(Query), Limits(), world.services.settings.profile)
    other = world.as_("acme", Role.ADMIN)
    other.app = create_app(dataclasses.replace(world.services, operations=operations))
    return other


def definitions() -> dict[str, Any]:
    mutation = graphql_schema(build_schema()).mutation_type
    assert mutation is not None
    return {name: field.extensions["strawberry-definition"] for name, field in mutation.fields.items()}


def test_every_mutation_of_administrators_and_operators_is_marked():
    def required(definition: Any) -> Role | None:
        """None where nobody is to be known."""
        (permission,) = definition.permission_classes
        return getattr(permission, "required", None)

    marked = {
        name: [one.kind for one in definition.extensions if isinstance(one, AuditedField)]
        for name, definition in definitions().items()
    }

    assert {name for name, kinds in marked.items() if kinds} >= {
        name
        for name, definition in definitions().items()
        if required(definition) in (Role.ADMIN, Role.PLATFORM)
    }


@pytest.mark.parametrize(("fails", "outcome"), [("false", "SUCCEEDED"), ("true", "FAILED")])
async def test_an_export_is_told_with_how_it_ended(world: World, exporting: World, fails: str, outcome: str):
    await exporting.execute(f"query Save {{ everything(fails: {fails}) }}")

    assert told(await entries(world, kind="EXPORT"), "outcome", "subject", "field", "operation") == [
        (outcome, user_uid("acme", Role.ADMIN), "Query.everything", "Save")
    ]


async def test_an_act_that_cannot_be_recorded_does_not_happen(world: World, monkeypatch: pytest.MonkeyPatch):
    async def busy(*_: object) -> None:
        raise StoreBusyError

    monkeypatch.setattr(AuditedRequest, "begin", busy)
    admin = world.as_("acme", Role.ADMIN)
    answer = await admin.execute(
        'mutation { inviteUser(input: {email: "new@acme.example", name: "N"}) { __typename } }'
    )

    assert answer.codes == ["DEADLINE_EXCEEDED"]
    found = await admin.data("{ users { edges { node { email } } } }")
    assert "new@acme.example" not in str(found)


async def test_an_act_whose_end_is_not_recorded_stays_begun(world: World, monkeypatch: pytest.MonkeyPatch):
    async def killed(*_: object) -> None:
        return

    monkeypatch.setattr(AuditedRequest, "end", killed)
    admin = world.as_("acme", Role.ADMIN)
    await done(admin, "inviteUser", "user { id }", email="n@acme.example", name="N")

    assert told(await entries(world), "kind", "outcome") == [("ADMINISTRATION", "BEGUN")]


async def test_an_operation_over_a_socket_is_recorded_as_one_over_http(stage: Stage):
    client = await stage.client("acme", Role.MEMBER)
    await client.subscribe("query Peek { changes { edges { cursor } } }")
    await client.subscribe("subscription { taskChanged { actor { name } } }", id="2")
    await a_project(stage.world.as_("acme", Role.MANAGER))
    await stage.pump()

    assert told(await entries(stage.world, kind="ACCESS_DENIED"), "field", "operation") == [
        ("Query.changes", "Peek")
    ]
