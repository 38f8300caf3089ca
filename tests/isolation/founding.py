"""Two tenants set up through the product, once for each pair; each run starts from a copy of that."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from graphql_api.auth.identity import Role
from tests.isolation.party import Party, global_id
from tests.isolation.sources import OWN_SALTS, Sources, predicted_uid
from tests.world import OPERATOR, Caller, World

# Of the same people in both tenants; the founders are two.
ROLES = (("ADMIN", "MANAGER", "VIEWER"), ("ADMIN", "VIEWER", "MEMBER"))

# pk and sk of every row, and the row.
Rows = dict[tuple[str, str], dict[str, Any]]


@dataclass(frozen=True)
class Founding:
    """What is in the tables, what has been given out, and what the parties know."""

    rows: Rows
    control_rows: Rows
    recorded: Counter[str]
    made: Counter[str | None]
    salts: dict[str | None, int]
    parties: tuple[Party, Party]


async def found(world: World, sources: Sources, party: Party) -> None:
    """The tenant, its administrator and three more people."""
    founded = await world.as_(None, Role.PLATFORM, OPERATOR).mutate(
        "onboardTenant",
        "adminSubject",
        slug=party.slug,
        name=f"Registered {party.registered}",
        adminEmail=f"admin@{party.slug}.example",
        adminName=f"{party.canary} Admin",
    )
    operator = world.as_(None, Role.PLATFORM, OPERATOR)
    await operator.mutate("updatePlan", "plan { tier }", tier="ENTERPRISE", selfService=True)
    await operator.mutate("changePlan", "tenant { plan }", slug=party.slug, plan="ENTERPRISE")
    party.people.append(Caller(party.slug, Role.ADMIN, founded["adminSubject"]))
    party.ids["User"].append(global_id("User", founded["adminSubject"]))
    for number, role in enumerate(ROLES[party.number], 1):
        name, email = f"{party.canary} {role}", f"person-{number}@same.example"
        invited = await _admin(world, party).mutate(
            "inviteUser", "user { id } token", name=name, email=email, role=role
        )
        await world.by(Caller()).mutate("acceptInvite", "subject", token=invited["token"])
        party.learn("inviteUser", {}, invited)
        # The token claims the most: that the record allows less is for the product to know.
        party.people.append(Caller(party.slug, Role.ADMIN, predicted_uid(number, sources.salts[party.slug])))


async def furnish(world: World, sources: Sources, party: Party, *, same_uids: bool) -> None:
    """A first project with a task and a comment, an API key and a webhook; from here on ids can be the
    tenant's own.
    """
    if not same_uids:
        sources.salts[party.slug] = OWN_SALTS[party.number]
    admin, text = _admin(world, party), party.canary
    for field in (
        {"key": "site", "name": f"{text} site", "type": "TEXT", "filterable": True},
        {"key": "rank", "name": f"{text} rank", "type": "CHOICE", "options": ["low", "high", text]},
    ):
        party.learn("", {}, await admin.mutate("createCustomField", "customFields { id }", **field))
    project = await admin.mutate("createProject", "project { id }", name=text)
    belongs = {"projectId": project["project"]["id"], "assigneeId": party.ids["User"][-1]}
    task = await admin.mutate("createTask", "task { id }", title=text, **belongs)
    comment = await admin.mutate("addComment", "comment { id }", taskId=task["task"]["id"], body=text)
    key = await admin.mutate("createApiKey", "apiKey { id }", name=text)
    webhook = await admin.mutate(
        "createWebhook",
        "webhook { id }",
        url="https://hooks.example.com/",
        query="subscription { taskChanged { id } }",
        description=text,
    )
    for made in (project, task, comment, key, webhook):
        party.learn("", {}, made)


def _admin(world: World, party: Party) -> World:
    return world.as_(party.slug, Role.ADMIN, party.people[0].subject)
