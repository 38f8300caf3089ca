"""Arguments for any field of the schema, drawn type by type: own things, another tenant's, and nobody's.

A name that is not in the vocabulary below is an UnknownArgumentError: whoever adds an argument to the schema
says here what its values are, or the suites fail.
"""

from collections.abc import Collection, Mapping, Sequence
from enum import Enum, auto
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLScalarType,
)
from strawberry.utils.str_converters import to_camel_case

from graphql_api.auth.plan import DEFAULTS, Tier
from graphql_api.auth.secret_text import INVITATION, SecretText
from graphql_api.store.uid import encode
from tests.isolation.documents import roots
from tests.isolation.party import Party, Pick, global_id
from tests.isolation.request import Request
from tests.isolation.sources import predicted_uid

KINDS = (
    "Tenant",
    "Project",
    "Task",
    "Comment",
    "User",
    "Workflow",
    "ApiKey",
    "CustomFields",
    "Job",
    "Webhook",
)
TAKES_ANY = ("node", "nodes")
TAKES_ANY_ID = "entityId"
# Whose id an argument takes, where its name does not say so.
KIND_OF = {
    "assigneeId": "User",
    "actorId": "User",
    "afterTaskId": "Task",
    "projectId": "Project",
    "taskId": "Task",
    "userId": "User",
}
# A subscription to tasks takes one of these, or none.
WHOSE_TASKS = {"Project": "projectId", "Task": "taskId", "User": "assigneeId"}
SHARED_EMAILS = ("sam@same.example", "kim@same.example")
STATES = ("todo", "in_progress", "in_review", "done")
NO_CURSOR = "bm8gY3Vyc29yIHRoYXQgYW55Ym9keSB3YXMgZXZlciBnaXZlbg"
NO_STATE, NO_EMAIL = "canary_nobody_end", "<nobody>.0@same.example"
# As the plan of both is shipped: an edit of a plan is no tenant's doing, and shows to all of it.
SETTLED: Mapping[str, Mapping[str, Any]] = {
    "UpdatePlanInput": {
        **{to_camel_case(name): value for name, value in vars(DEFAULTS[Tier.ENTERPRISE].limits).items()},
        "features": list(DEFAULTS[Tier.ENTERPRISE].features),
        "selfService": True,
    },
    "ChoosePlanInput": {"plan": Tier.ENTERPRISE},
}
FIXED: Mapping[str, Sequence[Any]] = {
    "first": (1, 2, 20, 20, 0, 101),
    "expectedVersion": (1, 2, 3),
    "archived": (False, False, False, True),
    "completed": (False, True),
    "overdue": (False, True),
    "dueOn": ("2039-12-30", "2040-01-02", "2040-02-01"),
    "dueFrom": ("2039-12-01", "2040-01-02"),
    "dueTo": ("2040-01-02", "2040-03-01"),
    "since": ("2039-12-31T23:00:00Z", "2040-01-01T00:00:04Z"),
    "from": ("2039-12-30", "2040-01-02"),
    "until": ("2040-02-01T00:00:00Z", "2040-01-01T00:00:04+00:00"),
    # What a webhook is sent never leaves: nobody takes turns here.
    "url": ("https://hooks.example.com/", "https://8.8.8.8/", "http://example.com/"),
    "query": (
        "subscription { taskChanged { id task { title } } }",
        "subscription Named($after: String) { projectChanged(after: $after) { project { name } } }",
        "{ viewer { id } }",
    ),
    "operationName": ("", "Named"),
    "variables": ("{}", '{"after": ""}'),
    "validDays": (30, 366, 367),
    "overlapMinutes": (60, 0, 1441),
    "options": ([], [], ["low", "high"]),
    "filterable": (True, False),
    "text": ("Hub", "hub"),
    "number": ("1.5", 7),
    "boolean": (True, False),
    "date": ("2040-01-02",),
    "choice": ("high", "low"),
    "timeZone": ("UTC", "Europe/Paris"),
    "defaultDueDays": (0, 7),
    "emailDomains": (["same.example"],),
    # Both tenants are needed to the end.
    "confirm": ("late-1", "late-10"),
    "idempotencyKey": ("key-1", "key-2", "key-3", "key-4"),
}
TEXTS = frozenset({"name", "title", "description", "body", "adminName", "reason"})
# What is unique or counted shows in creations, and a cursor comes from a list: both are drawn more often.
CREATIONS = (
    "createApiKey",
    "createWebhook",
    "createProject",
    "createTask",
    "createTasks",
    "addComment",
    "inviteUser",
)
OPERATIONS = (
    "onboardTenant",
    "suspendTenant",
    "reactivateTenant",
    "tenants",
    "tenantUsage",
    "platformAuditEvents",
    "plans",
    "changePlan",
    "updatePlan",
    "eraseTenant",
)
# For whoever has no token; with one they are refused.
BY_NOBODY = ("signUp", "acceptInvite")
LISTS = ("projects", "tasks", "users", "changes", "apiKeys", "auditEvents", "webhooks")
SUBSCRIPTIONS = ("taskChanged", "projectChanged", "commentChanged")
# By which an operation may come; the first is the plainest.
METHODS = {
    "query": ("POST", "POST", "GET", "SOCKET"),
    "mutation": ("POST", "POST", "SOCKET"),
    "subscription": ("SOCKET",),
}


class Way(Enum):
    """What is chosen between where it has no value of its own; the first in each choice is the plainest."""

    LEFT_OUT = auto()
    GIVEN = auto()
    NULL = auto()
    OWN = auto()
    OTHERS = auto()
    NOBODYS = auto()
    OF_ANOTHER_KIND = auto()
    SHARED = auto()
    FROM_THE_START = auto()
    AFTER_OWN = auto()
    AFTER_OTHERS = auto()
    AS_ITSELF = auto()
    AS_THE_OTHER = auto()
    AS_THE_OTHER_IN_THE_INPUT = auto()


RARELY = (Way.LEFT_OUT,) * 6 + (Way.GIVEN,)
MADE_UP = (Way.LEFT_OUT,) * 6 + (Way.NOBODYS,)
OFTEN = (Way.LEFT_OUT, Way.LEFT_OUT, Way.GIVEN)
MOSTLY = (Way.LEFT_OUT,) * 3 + (Way.GIVEN,) * 6 + (Way.NULL,)
CHOICES = {
    "TaskFilter": RARELY,
    "ChangeFilter": OFTEN,
    "AuditFilter": RARELY,
    "after": MADE_UP,
    "idempotencyKey": OFTEN,
}


class UnknownArgumentError(LookupError):
    """The vocabulary has no values for an argument."""


def nobodys_id(kind: str) -> str:
    """An id that is never issued."""
    return global_id(kind, encode(0x7FFF << 100))


def kind_taken(name: str, owner: str) -> str:
    """Of which kind an id is that an argument takes: `owner` is the root field or input it belongs to."""
    named = [kind for kind in KINDS if kind.lower() in owner.lower()] if name == "id" else []
    if name not in KIND_OF and not named:
        raise UnknownArgumentError(f"{owner} takes {name}: ID")
    return KIND_OF.get(name) or named[0]


class Drawing:
    """Draws requests of `own`, who knows what `other` was answered. `taken` are ids that are no strangers
    to `own` although `other` has them too: both may have a thing of the same uid.
    """

    def __init__(
        self, pick: Pick, own: Party, other: Party, *, taken: Collection[str] = (), slugs: Sequence[str] = ()
    ) -> None:
        self._pick = pick
        self._own = own
        self._other = other
        self._taken = taken
        self._slugs = slugs or (own.slug, other.slug)
        self._foreign: dict[str, str] = {}

    def request(self, root: str | None = None) -> Request:
        """A request for one root field; creations, lists and bare ids come more often than the others."""
        if root is None:
            root = str(self._pick((*roots(), *CREATIONS * 3, *LISTS * 3, *TAKES_ANY * 3, *SUBSCRIPTIONS * 3)))
        self._foreign = {}
        arguments = self._arguments(root)
        if isinstance(given := arguments.get("input"), dict):
            if self._foreign:
                given.pop("idempotencyKey", None)  # with it, the same input but for an id is another request
            if self._pick((Way.AS_ITSELF,) * 7 + (Way.AS_THE_OTHER_IN_THE_INPUT,)) != Way.AS_ITSELF:
                given[self._pick(("tenant", "tenant", "tenantId"))] = self._other.slug
        claims = self._pick((Way.AS_ITSELF, Way.AS_ITSELF, Way.AS_THE_OTHER)) != Way.AS_ITSELF
        claimed = self._other.slug if claims else None
        return Request(root, arguments, self._foreign, claimed, self._pick(METHODS[roots()[root][0]]))

    def _arguments(self, root: str) -> dict[str, Any]:
        field = roots()[root][1]
        start = (Way.FROM_THE_START, Way.FROM_THE_START, Way.AFTER_OWN, Way.AFTER_OTHERS)
        source = self._pick(start) if "after" in field.args else Way.FROM_THE_START
        if source != Way.FROM_THE_START:
            party = self._other if source == Way.AFTER_OTHERS else self._own
            if root in SUBSCRIPTIONS:
                return self._listening(root) | self._resumption(party)
            if pages := [page for page in party.pages[::-1] if page.root == root]:
                page = self._pick(pages)
                cursor = page.cursor if party is self._own else self._strange(page.cursor, NO_CURSOR)
                return page.arguments | {"after": cursor}
        if root in SUBSCRIPTIONS:
            return self._listening(root)
        return self._members({name: argument.type for name, argument in field.args.items()}, root)

    def _listening(self, root: str) -> dict[str, Any]:
        """To what a subscription listens."""
        if root == "taskChanged":
            kind = self._pick(("", *WHOSE_TASKS))
            return {WHOSE_TASKS[kind]: self._id(kind)} if kind else {}
        types = {name: argument.type for name, argument in roots()[root][1].args.items() if name != "after"}
        return self._members(types, root)

    def _resumption(self, party: Party) -> dict[str, Any]:
        """From where a subscription begins; the oldest place comes first, behind which most was missed."""
        if not party.cursors:
            return {}
        cursor = self._pick(party.cursors)
        return {"after": cursor if party is self._own else self._strange(cursor, NO_CURSOR)}

    def _members(self, types: Mapping[str, GraphQLInputType], owner: str) -> dict[str, Any]:
        members: dict[str, Any] = {}
        for name, of in types.items():
            choices = CHOICES.get(owner) or CHOICES.get(name, MOSTLY)
            chosen = Way.GIVEN if isinstance(of, GraphQLNonNull) else self._pick(choices)
            if chosen != Way.LEFT_OUT:
                members[name] = None if chosen == Way.NULL else self._value(of, name, owner)
        return members

    def _value(self, of: GraphQLInputType, name: str, owner: str) -> Any:
        if isinstance(of, GraphQLNonNull):
            return self._value(of.of_type, name, owner)
        if name in FIXED:
            return self._pick(FIXED[name])
        if isinstance(of, GraphQLList):
            return [self._value(of.of_type, name, owner) for _ in range(self._pick((1, 2, 3)))]
        if isinstance(of, GraphQLEnumType):
            return self._pick(sorted(of.values))
        if isinstance(of, GraphQLInputObjectType):
            return self._input(of)
        return self._scalar(of, name, owner)

    def _input(self, of: GraphQLInputObjectType) -> dict[str, Any]:
        if of.name == "CustomFieldInput":
            return self._field_value()
        settled = self._workflow() if of.name == "UpdateWorkflowInput" else dict(SETTLED.get(of.name, {}))
        types = {each: field.type for each, field in of.fields.items() if each not in settled}
        if of.name == "ChangeFilter":
            # What somebody did to a thing is mostly nothing.
            types.pop(self._pick(("actorId", "entityId")))
        return settled | self._members(types, of.name)

    def _scalar(self, of: GraphQLScalarType, name: str, owner: str) -> Any:
        if of.name == "ID":
            takes_any = owner in TAKES_ANY or name == TAKES_ANY_ID
            return self._id(self._pick(KINDS) if takes_any else kind_taken(name, owner))
        if name in TEXTS:
            return self._text()
        values = {
            "email": self._email,
            "adminEmail": self._email,
            "status": self._state,
            "to": self._day_or_state,
            "key": self._key,
            "slug": lambda _: self._pick(self._slugs),
            "after": self._place,
            "token": lambda _: self._invitation(),
            "subject": lambda _: "operator",
        }
        if name not in values:
            raise UnknownArgumentError(f"{owner} takes {name}: {of.name}")
        return values[name](owner)

    def _id(self, kind: str) -> str:
        """The newest ids are the first to choose from."""
        own, others = self._own.ids[kind][::-1], self._other.ids[kind][::-1]
        strange = [text for text in others if text not in self._taken]
        source = self._pick((Way.OWN,) * 20 + (Way.OTHERS,) * 4 + (Way.NOBODYS, Way.OF_ANOTHER_KIND))
        if source == Way.OF_ANOTHER_KIND and (unfit := self._own.ids[self._pick(KINDS)]):
            return self._pick(unfit)
        if (source == Way.OTHERS or not own) and strange:
            return self._strange(self._pick(strange), nobodys_id(kind))
        return self._pick(own) if own and source == Way.OWN else nobodys_id(kind)

    def _strange(self, text: str, stand_in: str) -> str:
        self._foreign[text] = stand_in
        return text

    def _text(self) -> str:
        canary, other = self._own.canary, self._other.slug
        return self._pick(
            (
                f"{canary} Weld the frame",
                f"T#{other}#TASK {canary}",
                f"{canary}#T#{other}#PROJECTS#",
                f"{canary} Čížek · 溶接 · 🛠",
                f"{other} {'x' * 120} {canary}",
                "Roadmap",
                "Roadmap",
            )
        )

    def _place(self, owner: str) -> str:
        """Where in the log a replay begins; a list's cursor comes from its pages alone."""
        if owner != "ReplayWebhookInput":
            return NO_CURSOR
        return str(self._resumption(self._pick((self._own, self._own, self._other))).get("after", NO_CURSOR))

    def _email(self, owner: str) -> str:
        source = self._pick((Way.OWN, Way.SHARED, Way.OTHERS))
        if source == Way.OTHERS and owner == "user":
            return self._strange(self._pick(self._other.emails), NO_EMAIL)
        return self._pick(SHARED_EMAILS if source == Way.SHARED else self._own.emails)

    def _invitation(self) -> str:
        """Not one that is good: whoever has it may use it."""
        secret = SecretText(INVITATION, self._pick(self._slugs), predicted_uid(2, 0), "0" * 64)
        return self._pick((secret.text, NO_CURSOR))

    def _key(self, owner: str) -> str:
        """Of a field that there is, or of one that can be made."""
        made = tuple(f"more_{number}" for number in range(12))
        return self._pick(made if owner == "CreateCustomFieldInput" else ("site", "site", "rank"))

    def _state(self, owner: str) -> str:
        source = self._pick((Way.SHARED,) * 6 + (Way.OWN, Way.OTHERS))
        if source == Way.OTHERS:
            return self._strange(self._other.state, NO_STATE)
        return self._own.state if source == Way.OWN else self._pick(STATES)

    def _day_or_state(self, owner: str) -> str:
        return self._pick(FIXED["dueTo"]) if owner.lower().endswith("usage") else self._state(owner)

    def _field_value(self) -> dict[str, Any]:
        """A value of a field that both tenants have under one key, mostly of its type."""
        text = {"key": "site", "text": self._pick((*FIXED["text"], self._text()))}
        choice = {"key": "rank", "choice": self._pick(FIXED["choice"])}
        return self._pick(
            (text, text, text, choice, {"key": "site", "number": 7}, {"key": "none", "text": "Hub"})
        )

    def _workflow(self) -> dict[str, Any]:
        """A workflow of three states, the middle one the tenant's own or not; other tasks are moved along."""
        middle = self._pick((self._own.state, "in_progress", "in_review"))
        keys, categories = ("todo", middle, "done"), ("TODO", "IN_PROGRESS", "DONE")
        states = [
            {"key": key, "name": f"{self._own.canary} {key}", "category": category}
            for key, category in zip(keys, categories, strict=True)
        ]
        moves = [(a, b) for a in keys for b in keys if a != b]
        gone = {*STATES, self._own.state}.difference(keys)
        return {
            "states": states,
            "transitions": [{"fromState": a, "toState": b, "role": "MEMBER"} for a, b in moves],
            "replacements": [{"state": key, "by": middle} for key in sorted(gone)],
        }
