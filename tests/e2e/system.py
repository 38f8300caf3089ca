"""The deployed system as its clients see it: over HTTP and over WebSockets."""

import http.client
import json
from contextlib import AbstractAsyncContextManager, closing
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from websockets import ClientConnection, Origin, Subprotocol, connect

from graphql_api.auth.identity import Role
from tests.e2e.deployment import Account, Stack
from tests.e2e.issuer import Issuer

ORIGIN = "https://app.example"
PROTOCOL = Subprotocol("graphql-transport-ws")
ONBOARD = """mutation ($input: OnboardTenantInput!) { onboardTenant(input: $input) {
  __typename ... on OnboardTenantPayload { adminSubject tenant { slug status } } } }"""
SUSPEND = """mutation ($input: SuspendTenantInput!) { suspendTenant(input: $input) {
  __typename ... on SuspendTenantPayload { tenant { status } } } }"""
CREATE_PROJECT = """mutation ($input: CreateProjectInput!) { createProject(input: $input) {
  __typename ... on CreateProjectPayload { project { id name } } } }"""
CREATE_TASK = """mutation ($input: CreateTaskInput!) { createTask(input: $input) {
  __typename ... on CreateTaskPayload { task { id title version } } } }"""
CHANGES = """subscription ($project: ID!, $after: String) { taskChanged(projectId: $project, after: $after) {
  id cursor sequence action entityId version task { id title version } } }"""
# What the emulator answers, with status 200, for a function without code.
STUB = "Mock response"
_OF_LAMBDA = ("START RequestId", "END RequestId", "REPORT RequestId")


@dataclass(frozen=True)
class Answer:
    """Of HTTP: the status, the headers in lower case, and the GraphQL response."""

    status: int
    headers: dict[str, str]
    payload: dict[str, Any]

    @property
    def codes(self) -> list[str]:
        """The codes of its errors."""
        return [error["extensions"]["code"] for error in self.payload.get("errors", ())]


@dataclass(frozen=True)
class Member:
    """Somebody of a tenant, and a project there."""

    tenant: str
    token: str = field(repr=False)
    project: str


@dataclass
class System:
    """A deployed stack, its identity provider, and everything it has answered over HTTP."""

    account: Account
    stack: Stack
    issuer: Issuer
    bodies: list[str] = field(default_factory=list[str], repr=False)

    @cached_property
    def outputs(self) -> dict[str, str]:
        return self.stack.outputs()

    @property
    def http(self) -> str:
        return self.outputs["HttpApiUrl"]

    @property
    def ws(self) -> str:
        return self.outputs["WebSocketUrl"]

    def platform_token(self) -> str:
        return self.issuer.token("operator", Role.PLATFORM)

    def call(self, query: str, token: str | None = None, **variables: Any) -> Answer:
        """One GraphQL request over HTTP."""
        headers = {"content-type": "application/json"}
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        return self.request("POST", headers, json.dumps({"query": query, "variables": variables}))

    def request(self, method: str, headers: dict[str, str], body: str | None = None) -> Answer:
        """One HTTP request."""
        url = urlsplit(self.http)
        with closing(http.client.HTTPConnection(url.netloc, timeout=60)) as connection:
            connection.request(method, url.path, body, headers)
            response = connection.getresponse()
            text = response.read().decode()
        assert STUB not in text
        self.bodies.append(text)
        names = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, names, json.loads(text) if text.startswith("{") else {})

    def data(self, query: str, token: str, **variables: Any) -> Any:
        """The value of the one field of an operation that must succeed."""
        answer = self.call(query, token, **variables)
        assert (answer.status, answer.codes) == (200, []), answer
        (value,) = answer.payload["data"].values()
        return value

    def onboard(self, slug: str) -> Member:
        """A new tenant: its first administrator, with a project."""
        tenant = {"slug": slug, "name": slug.title(), "adminName": "Ada", "adminEmail": f"ada@{slug}.example"}
        onboarded = self.data(ONBOARD, self.platform_token(), input=tenant)
        assert onboarded["tenant"] == {"slug": slug, "status": "ACTIVE"}, onboarded
        token = self.issuer.token(onboarded["adminSubject"], Role.ADMIN, slug)
        created = self.data(CREATE_PROJECT, token, input={"name": f"{slug} project"})
        return Member(slug, token, created["project"]["id"])

    def create_task(self, member: Member, title: str | None = None) -> dict[str, Any]:
        """A task in the member's project; without a title it gets one that no other has."""
        given = {"projectId": member.project, "title": title or f"{member.tenant} {uuid4()}"}
        return self.data(CREATE_TASK, member.token, input=given)["task"]

    def logs(self) -> list[str]:
        """What the functions have logged, in order, the emulator's own lines left out."""
        client = self.account.client("logs")
        lines: list[tuple[int, str]] = []
        for group in client.describe_log_groups(logGroupNamePrefix=f"/{self.stack.name}/")["logGroups"]:
            for event in client.filter_log_events(logGroupName=group["logGroupName"])["events"]:
                name = group["logGroupName"].rpartition("/")[2]
                said = [line for line in event["message"].splitlines() if not line.startswith(_OF_LAMBDA)]
                lines += [(event["timestamp"], f"{name}: {line}") for line in said]
        return [line for _, line in sorted(lines, key=lambda line: line[0])]

    def socket(
        self, *protocols: str, origin: str | None = None
    ) -> AbstractAsyncContextManager[ClientConnection]:
        """A WebSocket that offers those sub-protocols, or that of GraphQL; a browser's has an origin."""
        offered = [Subprotocol(name) for name in protocols] or [PROTOCOL]
        sent = None if origin is None else Origin(origin)
        return connect(self.ws, origin=sent, subprotocols=offered, open_timeout=60, compression=None)
