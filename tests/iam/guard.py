"""IAM between the code and the table: each call of a client is decided by the shipped policies, and kept."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from aiobotocore.client import AioBaseClient
from botocore.exceptions import ClientError
from botocore.model import OperationModel

from tests.iam.access import Access, KeySchema, UnreadableCallError, accesses
from tests.iam.policy import ContextValue, Grant, Policy, Request
from tests.iam.shipped import shipped_policies


class Principal(Protocol):
    """Whose credentials sign a call: the policy it is under, and the prefix of all it may write."""

    @property
    def policy(self) -> str: ...
    @property
    def prefix(self) -> str: ...
    @property
    def context(self) -> Mapping[str, ContextValue]: ...


@dataclass(frozen=True, slots=True)
class TenantSession:
    """The role assumed for one tenant, with the tenant as its session tag; None is a session without it."""

    tenant: str | None
    policy: str = "tenant"

    @property
    def prefix(self) -> str:
        return f"T#{self.tenant}#"

    @property
    def context(self) -> Mapping[str, ContextValue]:
        return {} if self.tenant is None else {"aws:PrincipalTag/tenant": self.tenant}


@dataclass(frozen=True, slots=True)
class Role:
    """A role that is no tenant's: its policy, and what all keys begin with that it reaches."""

    policy: str
    prefix: str

    @property
    def context(self) -> Mapping[str, ContextValue]:
        return {}


# Assumed for what the platform owns, by the functions that answer requests.
PLATFORM_ROLE = Role("platform", "P#")
# Assumed for the same by the stream's function, which asks who is suspended.
REGISTRY_READER_ROLE = Role("registry-reader", "P#")
# Assumed by the sweep, which goes over all tenants.
ROUNDS_ROLE = Role("rounds", "P#")
# The functions' own role, for sockets whose tenant is not known yet.
CONNECTIONS_ROLE = Role("connections", "C#")


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a client (its retries belong to it), and the decision.

    `grants` are what allowed it; `refusal` says why it never left, None that it did. `poisoning` is a refusal
    of the guard's own, where IAM would have allowed the call.
    """

    operation: str
    principal: Principal | None
    accesses: tuple[Access, ...]
    grants: frozenset[Grant] = frozenset()
    refusal: str | None = None
    poisoning: bool = False

    @property
    def allowed(self) -> bool:
        return self.refusal is None


class ForeignKeyWrittenError(AssertionError):
    """An item was about to enter another owner's index; IAM looks at the table's key alone and allows it."""


class PolicyGuard:
    """Decides and keeps every call of the clients it watches.

    `tables` are arguments of CreateTable; the shipped policies are for the first, the data table, and for the
    last, the control table.
    `principal` is asked at each call, in the caller's task; without a principal nothing is allowed.
    `policies` maps a principal's policy to its document: the shipped ones, unless a test brings others.
    """

    def __init__(
        self,
        tables: Iterable[Mapping[str, Any]],
        principal: Callable[[], Principal | None],
        policies: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        schemas = [KeySchema.of(definition) for definition in tables]
        self._schemas = {schema.table: schema for schema in schemas}
        self._principal = principal
        documents = policies or shipped_policies(schemas[0].table, schemas[-1].table)
        self._policies = {name: Policy(document) for name, document in documents.items()}
        self.calls: list[Call] = []
        self.grants_used: set[tuple[str, Grant]] = set()

    def watch(self, client: AioBaseClient) -> None:
        """From now on each call of `client` is decided before it is validated, signed or sent."""
        client.meta.events.register("provide-client-params.dynamodb", self._on_call)

    def judge(self, principal: Principal | None, operation: str, params: Mapping[str, Any]) -> Call:
        """The decision on one call, which is not kept."""
        try:
            needed = accesses(operation, params, self._schemas)
        except UnreadableCallError as unreadable:
            return Call(operation, principal, (), refusal=str(unreadable))
        if principal is None:
            return Call(operation, None, needed, refusal="nobody's credentials")
        grants: set[Grant] = set()
        for access in needed:
            granted = self._grants_for(principal, access)
            if not granted:
                reason = f"{principal} may not {access.action} {access.leading_keys} on {access.resource}"
                return Call(operation, principal, needed, refusal=reason)
            grants |= granted
        foreign = _foreign_key(principal, needed)
        return Call(operation, principal, needed, frozenset(grants), foreign, poisoning=foreign is not None)

    @property
    def refused(self) -> list[Call]:
        return [call for call in self.calls if not call.allowed]

    @property
    def operations(self) -> Counter[str]:
        """How often each operation was called, refused calls included."""
        return Counter(call.operation for call in self.calls)

    @property
    def unused_grants(self) -> set[tuple[str, Grant]]:
        """What the policies grant, by the policy's name, and no call has needed so far."""
        granted = {(name, grant) for name, policy in self._policies.items() for grant in policy.grants}
        return granted - self.grants_used

    def forget_calls(self) -> None:
        """Start counting anew; the grants used stay."""
        self.calls.clear()

    def _grants_for(self, principal: Principal, access: Access) -> frozenset[Grant]:
        context = {**principal.context, "dynamodb:LeadingKeys": access.leading_keys}
        request = Request(f"dynamodb:{access.action}", access.resource, context)
        return self._policies[principal.policy].grants_for(request)

    def _on_call(self, params: Mapping[str, Any], model: OperationModel, **_event: object) -> None:
        call = self.judge(self._principal(), model.name, params)
        self.calls.append(call)
        if call.principal is not None:
            self.grants_used |= {(call.principal.policy, grant) for grant in call.grants}
        if call.poisoning:
            raise ForeignKeyWrittenError(call.refusal)
        if call.refusal is not None:
            raise _access_denied(call.operation, call.refusal)


def _foreign_key(principal: Principal, needed: tuple[Access, ...]) -> str | None:
    for access in needed:
        for name, value in access.written:
            if value is None or not value.startswith(principal.prefix):
                return f"{principal} writes {name} = {value}"
    return None


def _access_denied(operation: str, reason: str) -> ClientError:
    return ClientError({"Error": {"Code": "AccessDeniedException", "Message": reason}}, operation)
