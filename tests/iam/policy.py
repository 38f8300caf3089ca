"""AWS's verdict on one request under one policy, for the part of the policy language this project writes.

What lies outside that part (NotAction, IfExists, a default of a variable) is refused when the policy is read:
a condition that were skipped would grant here what AWS denies, or deny what AWS grants.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

ContextValue = str | tuple[str, ...]
Variables = tuple[tuple[str, str], ...]

OPERATORS = {
    f"{quantifier}{operator}"
    for quantifier in ("", "ForAllValues:", "ForAnyValue:")
    for operator in ("StringEquals", "StringLike")
}
ARN_SEGMENTS = 6
_TOKEN = re.compile(r"\$\{([^}]*)\}|[*?$]|[^*?$]+")
_WILDCARDS = {"*": ".*", "?": "."}


class PolicyError(ValueError):
    """The document says something that this evaluator does not know."""


class Grant(NamedTuple):
    """One action that one statement allows."""

    statement: str
    action: str


@dataclass(frozen=True, slots=True)
class Request:
    """What AWS decides on. A `str` in the context is a single-valued key, a tuple a multivalued one."""

    action: str
    resource: str
    context: Mapping[str, ContextValue]


@lru_cache(maxsize=4096)
def _pattern(text: str, variables: Variables, *, wildcards: bool) -> re.Pattern[str] | None:
    """The strings that `text` stands for; None when it names a variable without a value: nothing matches."""
    values = dict(variables)
    source: list[str] = []
    for token in _TOKEN.finditer(text):
        part, name = token[0], token[1]
        if name is None:
            source.append(_WILDCARDS.get(part, re.escape(part)) if wildcards else re.escape(part))
        elif name in ("*", "?", "$"):
            source.append(re.escape(name))
        elif name.lower() in values:
            # A wildcard inside the value is an ordinary character.
            source.append(re.escape(values[name.lower()]))
        else:
            return None
    return re.compile("".join(source), re.DOTALL)


def _matches(text: str, value: str, variables: Variables = (), *, wildcards: bool = True) -> bool:
    pattern = _pattern(text, variables, wildcards=wildcards)
    return pattern is not None and pattern.fullmatch(value) is not None


@dataclass(frozen=True, slots=True)
class Condition:
    """One operator on one context key; any of `values` suffices."""

    quantifier: str
    operator: str
    key: str
    values: tuple[str, ...]

    def holds(self, context: Mapping[str, ContextValue], variables: Variables) -> bool:
        actual = context.get(self.key)
        if self.operator == "Null":
            return ("true" if actual is None else "false") in self.values
        if not self.quantifier:
            return isinstance(actual, str) and self._accepts(actual, variables)
        members = (actual,) if isinstance(actual, str) else actual or ()
        quantify = all if self.quantifier == "ForAllValues" else any
        return quantify(self._accepts(member, variables) for member in members)

    def _accepts(self, value: str, variables: Variables) -> bool:
        wildcards = self.operator == "StringLike"
        return any(_matches(text, value, variables, wildcards=wildcards) for text in self.values)


@dataclass(frozen=True, slots=True)
class Statement:
    name: str
    allow: bool
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: tuple[Condition, ...]

    def matching_actions(
        self, request: Request, context: Mapping[str, ContextValue], variables: Variables
    ) -> list[str]:
        """The actions of the statement that the request falls under; none when anything else differs."""
        action = request.action.lower()
        actions = [pattern for pattern in self.actions if _matches(pattern.lower(), action)]
        if not any(_covers(pattern, request.resource, variables) for pattern in self.resources):
            return []
        return actions if all(each.holds(context, variables) for each in self.conditions) else []


def _covers(pattern: str, resource: str, variables: Variables) -> bool:
    """A wildcard reaches over slashes, never over a colon that separates two segments of the ARN."""
    if pattern == "*":
        return True
    wanted, actual = (text.split(":", ARN_SEGMENTS - 1) for text in (pattern, resource))
    return len(wanted) == len(actual) and all(
        _matches(part, value, variables) for part, value in zip(wanted, actual, strict=True)
    )


class Policy:
    """An identity policy: allowed is what a statement allows and none denies."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        _refuse_unknown(document, {"Version", "Statement"})
        if document.get("Version") != "2012-10-17":
            raise PolicyError("policy variables need Version 2012-10-17")
        statements = document["Statement"]
        self.statements = tuple(
            _statement(each) for each in ([statements] if isinstance(statements, Mapping) else statements)
        )

    @property
    def grants(self) -> frozenset[Grant]:
        allowing = (each for each in self.statements if each.allow)
        return frozenset(Grant(each.name, action) for each in allowing for action in each.actions)

    def grants_for(self, request: Request) -> frozenset[Grant]:
        """The grants the request is allowed by; none when it is denied."""
        # A key without a value is as good as absent.
        context = {key.lower(): value for key, value in request.context.items() if value != ()}
        variables = tuple((key, value) for key, value in context.items() if isinstance(value, str))
        granted: set[Grant] = set()
        for statement in self.statements:
            actions = statement.matching_actions(request, context, variables)
            if actions and not statement.allow:
                return frozenset()
            granted.update(Grant(statement.name, action) for action in actions)
        return frozenset(granted)

    def allows(self, request: Request) -> bool:
        return bool(self.grants_for(request))


def _statement(document: Mapping[str, Any]) -> Statement:
    _refuse_unknown(document, {"Sid", "Effect", "Action", "Resource", "Condition"})
    if document["Effect"] not in ("Allow", "Deny"):
        raise PolicyError(f"no such effect: {document['Effect']}")
    resources = _strings(document["Resource"])
    for resource in resources:
        segments = resource.split(":", ARN_SEGMENTS - 1)
        if resource != "*" and (len(segments) < ARN_SEGMENTS or "$" in "".join(segments[:-1])):
            raise PolicyError(f"neither a whole ARN nor *: {resource}")
    return Statement(
        document.get("Sid", ""),
        document["Effect"] == "Allow",
        _strings(document["Action"]),
        resources,
        tuple(_conditions(document.get("Condition", {}))),
    )


def _conditions(document: Mapping[str, Mapping[str, Any]]) -> Iterator[Condition]:
    for name, keys in document.items():
        if name not in OPERATORS | {"Null"}:
            raise PolicyError(f"no such operator: {name}")
        quantifier, _, operator = name.rpartition(":")
        for key, values in keys.items():
            condition = Condition(quantifier, operator, key.lower(), _strings(values))
            if name == "Null" and not set(condition.values) <= {"true", "false"}:
                raise PolicyError(f"Null is true or false: {values}")
            yield condition


def _strings(value: object) -> tuple[str, ...]:
    members = value if isinstance(value, list) else [value]
    texts = tuple(each for each in members if isinstance(each, str))
    if not texts or len(texts) != len(members):
        raise PolicyError(f"neither a string nor a list of strings: {value}")
    if any("," in (token[1] or "") for text in texts for token in _TOKEN.finditer(text)):
        raise PolicyError(f"a variable with a default: {value}")
    return texts


def _refuse_unknown(document: Mapping[str, Any], known: set[str]) -> None:
    if unknown := set(document) - known:
        raise PolicyError(f"unknown elements: {sorted(unknown)}")
    if missing := known - set(document) - {"Sid", "Condition"}:
        raise PolicyError(f"missing elements: {sorted(missing)}")
