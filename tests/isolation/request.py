"""One request of a suite: a root field, its arguments, and what in them belongs to another tenant."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

import orjson

from tests.isolation.documents import document, roots

# Where other systems take the tenant from; here nothing does.
TENANT_HEADERS = ("x-tenant-id", "x-tenant", "tenant", "x-forwarded-tenant", "x-amzn-tenant-id", "x-org-id")


@dataclass(frozen=True)
class Request:
    """`foreign` maps each thing of another tenant in the arguments to one that never was; `claimed` is the
    tenant that headers, variables, extensions and the URL name. `method` is POST, GET (all of
    a query in its URL) or SOCKET.
    """

    root: str
    arguments: dict[str, Any]
    foreign: Mapping[str, str] = field(default_factory=dict)
    claimed: str | None = None
    method: str = "POST"

    @property
    def is_subscription(self) -> bool:
        return roots()[self.root][0] == "subscription"

    @property
    def claims(self) -> dict[str, str]:
        """Members of a message that name the tenant."""
        return {"tenant": self.claimed, "tenantId": self.claimed} if self.claimed else {}

    @property
    def payload(self) -> dict[str, Any]:
        """Of a message that asks for it over a socket."""
        return {"query": document(self.root), "operationName": self.root, **self._said}

    @property
    def path(self) -> str:
        parameters = {"tenant": self.claimed} if self.claimed else {}
        if self.method == "GET":
            # JSON or text, as each parameter is meant to come.
            said = {name: orjson.dumps(value) for name, value in self._said.items() if value}
            parameters |= said | {"query": document(self.root), "operationName": self.root}
        return f"/graphql?{urlencode(parameters)}" if parameters else "/graphql"

    @property
    def headers(self) -> dict[str, str]:
        hostile = dict.fromkeys(TENANT_HEADERS, self.claimed) if self.claimed else {}
        typed = {"content-type": "application/json"} if self.method == "POST" else {}
        return {**typed, **{name: slug for name, slug in hostile.items() if slug}}

    @property
    def body(self) -> bytes:
        return orjson.dumps({"query": document(self.root), **self._said}) if self.method == "POST" else b""

    @property
    def _said(self) -> dict[str, dict[str, Any]]:
        """What comes with the document."""
        return {"variables": {**self.claims, **self.arguments}, "extensions": self.claims}

    def with_stand_ins(self) -> "Request":
        """The same request for things that never were."""
        return replace(self, arguments=_replaced(self.arguments, self.foreign), foreign={})


def _replaced(value: Any, by: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _replaced(member, by) for name, member in value.items()}
    if isinstance(value, list):
        return [_replaced(member, by) for member in value]
    return by.get(value, value) if isinstance(value, str) else value
