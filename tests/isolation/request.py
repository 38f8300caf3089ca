"""One request of a suite: a root field, its arguments, and what in them belongs to another tenant."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from tests.isolation.documents import document, roots

# Where other systems take the tenant from; here nothing does.
TENANT_HEADERS = ("x-tenant-id", "x-tenant", "tenant", "x-forwarded-tenant", "x-amzn-tenant-id", "x-org-id")


@dataclass(frozen=True)
class Request:
    """`foreign` maps each thing of another tenant in the arguments to one that never was; `claimed` is the
    tenant that headers, variables, extensions and the URL name.
    """

    root: str
    arguments: dict[str, Any]
    foreign: Mapping[str, str] = field(default_factory=dict)
    claimed: str | None = None

    @property
    def is_query(self) -> bool:
        return roots()[self.root][0] == "query"

    @property
    def path(self) -> str:
        return f"/graphql?tenant={self.claimed}" if self.claimed else "/graphql"

    @property
    def headers(self) -> dict[str, str]:
        hostile = dict.fromkeys(TENANT_HEADERS, self.claimed) if self.claimed else {}
        return {"content-type": "application/json", **{name: slug for name, slug in hostile.items() if slug}}

    @property
    def body(self) -> bytes:
        claims = {"tenant": self.claimed, "tenantId": self.claimed} if self.claimed else {}
        variables = {**claims, **self.arguments}
        return orjson.dumps({"query": document(self.root), "variables": variables, "extensions": claims})

    def with_stand_ins(self) -> "Request":
        """The same request for things that never were."""
        return replace(self, arguments=_replaced(self.arguments, self.foreign), foreign={})


def _replaced(value: Any, by: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _replaced(member, by) for name, member in value.items()}
    if isinstance(value, list):
        return [_replaced(member, by) for member in value]
    return by.get(value, value) if isinstance(value, str) else value
