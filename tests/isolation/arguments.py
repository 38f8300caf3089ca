"""Arguments for any field of the schema, drawn type by type: own things, another tenant's, and nobody's.

A name that is not in the vocabulary below is an UnknownArgumentError: whoever adds an argument to the schema
says here what its values are, or the suites fail.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLScalarType,
)

from graphql_api.store.uid import encode
from tests.isolation.documents import roots
from tests.isolation.party import Party, Pick, global_id
from tests.isolation.request import Request

KINDS = ("Tenant", "Project", "Task", "Comment", "User", "Workflow")
TAKES_ANY = ("node", "nodes")
# Whose id an argument takes, where its name does not say so.
KIND_OF = {"assigneeId": "User", "afterTaskId": "Task", "projectId": "Project", "taskId": "Task"}
SHARED_EMAILS = ("sam@same.example", "kim@same.example")
STATES = ("todo", "in_progress", "in_review", "done")
NO_CURSOR = "bm8gY3Vyc29yIHRoYXQgYW55Ym9keSB3YXMgZXZlciBnaXZlbg"
NO_STATE, NO_EMAIL = "canary_nobody_end", "<nobody>.0@same.example"
FIXED: Mapping[str, Sequence[Any]] = {
    "first": (1, 2, 20, 20, 0, 101),
    "expectedVersion": (1, 2, 3),
    "archived": (False, False, False, True),
    "completed": (False, True),
    "overdue": (False, True),
    "dueOn": ("2039-12-30", "2040-01-02", "2040-02-01"),
    "dueFrom": ("2039-12-01", "2040-01-02"),
    "dueTo": ("2040-01-02", "2040-03-01"),
    "idempotencyKey": ("key-1", "key-2", "key-3", "key-4"),
}
TEXTS = frozenset({"name", "title", "description", "body", "adminName"})
# What is unique or counted shows in creations, and a cursor comes from a list: both are drawn more often.
CREATIONS = ("createProject", "createTask", "createTasks", "addComment", "inviteUser")
OPERATIONS = ("onboardTenant", "suspendTenant", "reactivateTenant", "tenants")
LISTS = ("projects", "tasks", "users")
LEFT_OUT, GIVEN, NULL = range(3)
RARELY = (LEFT_OUT,) * 6 + (GIVEN,)
OFTEN = (LEFT_OUT, LEFT_OUT, GIVEN)
MOSTLY = (LEFT_OUT,) * 3 + (GIVEN,) * 6 + (NULL,)
CHOICES = {"TaskFilter": RARELY, "after": RARELY, "idempotencyKey": OFTEN}


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
            root = str(self._pick((*roots(), *CREATIONS * 3, *LISTS * 3, *TAKES_ANY * 3)))
        self._foreign = {}
        arguments = self._arguments(root)
        if isinstance(given := arguments.get("input"), dict):
            if self._foreign:
                given.pop("idempotencyKey", None)  # with it, the same input but for an id is another request
            if self._pick((False,) * 7 + (True,)):
                given[self._pick(("tenant", "tenant", "tenantId"))] = self._other.slug
        claimed = self._pick((None, None, self._other.slug))
        return Request(root, arguments, self._foreign, claimed)

    def _arguments(self, root: str) -> dict[str, Any]:
        field = roots()[root][1]
        if "after" in field.args and self._pick((False, True)):
            pages = [page for page in self._own.pages if page.root == root]
            foreign = [page for page in self._other.pages if page.root == root]
            if foreign and self._pick((False, True)):
                page = self._pick(foreign)
                return page.arguments | {"after": self._strange(page.cursor, NO_CURSOR)}
            if pages:
                page = self._pick(pages)
                return page.arguments | {"after": page.cursor}
        return self._members({name: argument.type for name, argument in field.args.items()}, root)

    def _members(self, types: Mapping[str, GraphQLInputType], owner: str) -> dict[str, Any]:
        members: dict[str, Any] = {}
        for name, of in types.items():
            choices = CHOICES.get(owner) or CHOICES.get(name, MOSTLY)
            chosen = GIVEN if isinstance(of, GraphQLNonNull) else self._pick(choices)
            if chosen != LEFT_OUT:
                members[name] = None if chosen == NULL else self._value(of, name, owner)
        return members

    def _value(self, of: GraphQLInputType, name: str, owner: str) -> Any:
        if isinstance(of, GraphQLNonNull):
            return self._value(of.of_type, name, owner)
        if isinstance(of, GraphQLList):
            return [self._value(of.of_type, name, owner) for _ in range(self._pick((1, 2, 3)))]
        if isinstance(of, GraphQLEnumType):
            return self._pick(sorted(of.values))
        if isinstance(of, GraphQLInputObjectType):
            settled = self._workflow() if of.name == "UpdateWorkflowInput" else {}
            types = {each: field.type for each, field in of.fields.items() if each not in settled}
            return settled | self._members(types, of.name)
        return self._scalar(of, name, owner)

    def _scalar(self, of: GraphQLScalarType, name: str, owner: str) -> Any:
        if of.name == "ID":
            return self._id(self._pick(KINDS) if owner in TAKES_ANY else kind_taken(name, owner))
        if name in FIXED:
            return self._pick(FIXED[name])
        if name in TEXTS:
            return self._text()
        values = {
            "email": self._email,
            "adminEmail": self._email,
            "status": self._state,
            "to": self._state,
            "slug": lambda _: self._pick(self._slugs),
            "after": lambda _: NO_CURSOR,
        }
        if name not in values:
            raise UnknownArgumentError(f"{owner} takes {name}: {of.name}")
        return values[name](owner)

    def _id(self, kind: str) -> str:
        own, strange = (
            self._own.ids[kind],
            [text for text in self._other.ids[kind] if text not in self._taken],
        )
        source = self._pick(("own",) * 20 + ("other",) * 4 + ("nobody", "another kind"))
        if source == "another kind" and (others := self._own.ids[self._pick(KINDS)]):
            return self._pick(others)
        if (source == "other" or not own) and strange:
            return self._strange(self._pick(strange), nobodys_id(kind))
        return self._pick(own) if own and source == "own" else nobodys_id(kind)

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

    def _email(self, owner: str) -> str:
        source = self._pick(("own", "shared", "other"))
        if source == "other" and owner == "user":
            return self._strange(self._pick(self._other.emails), NO_EMAIL)
        return self._pick(SHARED_EMAILS if source == "shared" else self._own.emails)

    def _state(self, owner: str) -> str:
        source = self._pick(("default",) * 6 + ("own", "other"))
        if source == "other":
            return self._strange(self._other.state, NO_STATE)
        return self._own.state if source == "own" else self._pick(STATES)

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
