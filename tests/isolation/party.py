"""A tenant as the suites know it: its names, its people, its canary, and what its own answers told it."""

import base64
import binascii
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar

from tests.world import Caller

T = TypeVar("T")
# How a choice is made: by Hypothesis, which can shrink it, or by a seeded generator, which can repeat it.
Pick = Callable[[Sequence[Any]], Any]

# In each pair one name begins, ends or is in all but a sign like the other.
PAIRS = (("acme-1", "acme-10"), ("a-b", "a-b-c"), ("b-c", "a-b-c"), ("a-bc", "ab-c"))
REMEMBERED = 8
RECORD = "event-"  # how the id of a record of the stream begins
_TOKEN = re.compile(r"[0-9A-Za-z_-]{12,}={0,2}")


def repeatable(seed: int | str) -> Random:
    """Choices that follow from the seed alone; the clock and the machine have no part in them."""
    return Random(seed)  # noqa: S311 - not a secret


class IsolationError(AssertionError):
    """One tenant saw, touched or felt another."""


@dataclass(frozen=True)
class ListPage:
    """A request for a list that has more, and where its page ended."""

    root: str
    arguments: dict[str, Any]
    cursor: str


@dataclass
class Party:
    """`number` tells the two apart where a slug cannot stand; `people` are its members, the admin first."""

    slug: str
    number: int
    people: list[Caller] = field(default_factory=list)
    ids: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    pages: list[ListPage] = field(default_factory=list)
    cursors: list[str] = field(default_factory=list)

    @property
    def canary(self) -> str:
        """Part of every text that the tenant writes."""
        return f"<{self.slug}>"

    @property
    def registered(self) -> str:
        """Part of what the platform's operator wrote of the tenant, and sees."""
        return f"[{self.slug}]"

    @property
    def state(self) -> str:
        """The canary where only a workflow's key can stand."""
        return f"canary_{self.slug.replace('-', '_')}_end"

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self.canary, self.state)

    @property
    def emails(self) -> list[str]:
        """Addresses that only this tenant uses."""
        return [f"{self.canary}.{number}@same.example" for number in range(6)]

    def learn(self, root: str, arguments: dict[str, Any], answer: Any) -> None:
        """Remember the ids and the places in the change log of an answer, and how its list goes on."""
        for node in objects(answer):
            text = node.get("id")
            # Nothing can be asked for by a change's id, which is its record's, nor by that of an audit entry.
            is_change = is_record(text) or ("sequence" in node and "eventCursor" not in node)
            is_entry = "outcome" in node
            if isinstance(text, str) and not is_change and not is_entry:
                _remember(self.ids[kind_of(text)], text)
            if isinstance(place := node.get("cursor" if is_change else "eventCursor"), str):
                _remember(self.cursors, place)
        result = answer.get("result") if isinstance(answer, dict) else None
        if isinstance(result, dict) and result.get("pageInfo", {}).get("endCursor"):
            without = {name: value for name, value in arguments.items() if name != "after"}
            self.pages.append(ListPage(root, without, result["pageInfo"]["endCursor"]))
            of_this = [page for page in self.pages if page.root == root]
            self.pages = [page for page in self.pages if page not in of_this[:-REMEMBERED]]


def _remember(known: list[str], text: str) -> None:
    if text in known:
        known.remove(text)
    known.append(text)
    del known[:-REMEMBERED]


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """Every JSON object in a value, outer ones first."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    for member in value if isinstance(value, list) else ():
        yield from objects(member)


def global_id(kind: str, uid: str) -> str:
    return base64.urlsafe_b64encode(f"{kind}:{uid}".encode()).decode()


def is_record(text: object) -> bool:
    return isinstance(text, str) and text.startswith(RECORD)


def kind_of(text: str) -> str:
    return base64.urlsafe_b64decode(text).decode().partition(":")[0]


def legible(text: str) -> str:
    """A text with everything in it that base64 hides: ids and cursors, opened."""
    return "\n".join([text, *(_opened(token) for token in _TOKEN.findall(text))])


def plain(value: Any) -> str:
    """A JSON value as text in which nothing is escaped but what JSON must."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _opened(token: str) -> str:
    try:
        return base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode("utf-8", "replace")
    except binascii.Error:
        return ""
