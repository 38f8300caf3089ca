"""What opens a key or an invitation is in the one answer that tells it, and nowhere else that can be read."""

import hashlib
import json
from typing import Any

from graphql_api.auth.identity import Role
from graphql_api.deadline import Deadline
from graphql_api.features.api_keys.api_key import KeySecret
from graphql_api.features.invitations.invitation import Invitation
from graphql_api.store.entity import is_logged
from tests.features.builders import done, outcome, uid_in
from tests.log_lines import log_lines
from tests.realtime.stage import Stage
from tests.world import Caller, World

ROTATED = "apiKey { id } secret"
LOG = "{ changes(first: 100) { edges { node { entityType attributes { name before after } } } } }"


async def worked(world: World) -> list[str]:
    """A key made, used, refused, rotated and revoked, and a colleague who came: all secrets told."""
    admin, nobody = world.as_("acme", Role.ADMIN), world.by(Caller())
    made = await outcome(admin, "createApiKey", ROTATED, name="Build", idempotencyKey="k")
    renewed = await outcome(admin, "rotateApiKey", ROTATED, id=made["apiKey"]["id"])
    invited = await outcome(admin, "inviteUser", "token", email="zoe@acme.example", name="Zoe")
    token = invited["token"]
    accepted = await outcome(nobody, "acceptInvite", "secret", token=token)
    await outcome(nobody, "acceptInvite", "secret", token=token)
    for secret in (made["secret"], renewed["secret"], accepted["secret"]):
        await world.by(Caller("acme", key=secret)).execute("{ viewer { id } nothing }")
    await done(admin, "revokeApiKey", "apiKey { id }", id=made["apiKey"]["id"])
    await world.by(Caller("acme", key=f"{renewed['secret'][:-1]}x")).execute("{ viewer { id } }")
    return [made["secret"], renewed["secret"], accepted["secret"], token]


def traces(secrets: list[str]) -> list[str]:
    """All by which a secret would be recognised: itself, its random part, and its digest."""
    values = [secret.rsplit("_", 2)[1] for secret in secrets]
    return [*secrets, *values, *(hashlib.sha256(secret.encode()).hexdigest() for secret in secrets)]


def told(text: str, secrets: list[str]) -> list[str]:
    return [trace for trace in traces(secrets) if trace in text]


async def test_no_log_line_and_no_change_tells_a_secret(stage: Stage) -> None:
    with log_lines() as lines:
        secrets = await worked(stage.world)
        await stage.pump()
        logged = json.dumps(lines())
    admin = stage.world.as_("acme", Role.ADMIN)
    changes = json.dumps(await admin.data(LOG))

    assert "ApiKey" in changes
    assert logged
    assert told(logged, secrets) == told(changes, secrets) == []
    assert told(json.dumps(await stage.items()), secrets) == []


async def test_what_opens_is_stored_apart_from_what_is_logged() -> None:
    assert not is_logged(KeySecret.kind)
    assert not is_logged(Invitation.kind)


async def test_no_failure_and_no_repr_tells_a_digest(stage: Stage) -> None:
    admin = stage.world.as_("acme", Role.ADMIN)
    made = await outcome(admin, "createApiKey", ROTATED, name="Build")
    invited = await outcome(admin, "inviteUser", "user { id } token", email="zoe@acme.example", name="Zoe")
    shown = [
        repr(await found(stage, KeySecret, uid_in(made["apiKey"]["id"]))),
        repr(await found(stage, Invitation, uid_in(invited["user"]["id"]))),
    ]

    assert told(" ".join(shown), [made["secret"], invited["token"]]) == []


async def found(stage: Stage, cls: Any, uid: str) -> Any:
    """An entity of acme's as the product reads it."""
    context = stage.world.services.new_context(None, request_id="looking", deadline=Deadline.after(5))
    _, repository = context.invited("acme", uid)
    entity = await repository.fresh().get(cls, uid)
    await context.close()
    return entity
