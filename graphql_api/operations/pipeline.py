"""A GraphQL request in, its result out: document, operation, price, execution, errors."""

import asyncio
import logging
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Final, Protocol

import strawberry
from graphql import OperationType

from graphql_api.audit.recording import name_operation
from graphql_api.auth.identity import Identity
from graphql_api.deadline import Deadline
from graphql_api.errors import ApiError, DeadlineExceededError, QuotaExceededError, RateLimitedError
from graphql_api.metering.bucket import Rate
from graphql_api.metering.budget import Budgets
from graphql_api.metering.cost import Cost, objects_in, price
from graphql_api.metering.field_rates import FieldRates
from graphql_api.metering.figures import ANONYMOUS, INVALID, of_operation
from graphql_api.metering.limits import DocumentSyntaxError, Limits, check_variables, clip
from graphql_api.metering.metrics import Metrics
from graphql_api.metering.usage import Usage
from graphql_api.operations.documents import Document, Documents
from graphql_api.operations.execution import Executor, graphql_schema
from graphql_api.operations.refusals import OperationNotAllowedError, SubscriptionRefusedError
from graphql_api.operations.report import (
    ErrorEntry,
    Failure,
    RefusedError,
    describe,
    field_failures,
)
from graphql_api.settings import Profile
from graphql_api.store.capacity import Consumed
from graphql_api.store.keys import Family, tenant_family
from graphql_api.telemetry import log_fields

ABSENT: Final = object()
MAX_NAME = 64  # characters of an operation's name in logs and accounts

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class OperationRequest:
    """What a client sends; `extensions` reach resolvers as `info.operation_extensions`."""

    query: str
    operation_name: str | None = None
    variables: dict[str, object] = field(default_factory=dict[str, object])
    extensions: dict[str, object] = field(default_factory=dict[str, object])


@dataclass(frozen=True, slots=True)
class OperationResult:
    """`data` is ABSENT when nothing was executed, None when execution came to nothing; a subscription whose
    source had no event has neither data nor errors, one whose source failed has no data.

    `operation` is what was to be executed and `name` what it is accounted as, as far as the document told;
    `points` is what was charged, and not given back. `began` is a time of `time.perf_counter`.
    """

    data: object = ABSENT
    errors: Sequence[ErrorEntry] = ()
    extensions: Mapping[str, object] = field(default_factory=dict[str, object])
    operation: OperationType | None = None
    name: str = INVALID
    points: int = 0
    began: float = 0.0

    @property
    def request_error(self) -> bool:
        return self.data is ABSENT

    def payload(self) -> dict[str, object]:
        """The response map: errors first, where somebody who reads it looks."""
        parts = {"errors": self.errors, "data": self.data, "extensions": self.extensions}
        return {name: part for name, part in parts.items() if part is not ABSENT and (part or name == "data")}


class OperationContext(Protocol):
    """What the pipeline itself asks of a request's context; resolvers see all of it."""

    @property
    def identity(self) -> Identity | None: ...
    @property
    def request_id(self) -> str: ...
    @property
    def deadline(self) -> Deadline: ...
    @property
    def address(self) -> str | None: ...
    @property
    def is_charged(self) -> bool: ...
    @property
    def consumed(self) -> Consumed: ...
    async def before_reading(self) -> None: ...
    async def renew(self) -> bool: ...


class Operations:
    """The one way in for operations, whichever door they came through; shared by all tenants.

    A subscription is executed for the first event of its source: its context decides what that is.
    """

    def __init__(
        self,
        schema: strawberry.Schema,
        limits: Limits,
        profile: Profile,
        budgets: Budgets | None = None,
        rates: FieldRates | None = None,
        usage: Usage | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        is_public = profile is Profile.DEVELOPMENT
        self._usage = usage
        self._metrics = metrics
        self._budgets = budgets
        self._rates = rates
        self.limits = limits
        self._event_limits = replace(
            limits, max_cost=limits.max_event_cost, max_queries=limits.max_event_queries
        )
        self._documents = Documents(graphql_schema(schema), limits, is_public=is_public)
        self._executor = Executor(schema, max_errors=limits.max_errors, hide_suggestions=not is_public)

    async def execute(
        self, request: OperationRequest, context: OperationContext, *, allowed: Collection[OperationType]
    ) -> OperationResult:
        """Never raises for anything a client can send: what it may not have comes back as typed errors.

        Usage that waits is written meanwhile, so that no operation takes longer for its own.
        """
        began = time.perf_counter()
        flush = self._usage.begin_flush() if self._usage is not None and context.is_charged else None
        try:
            return replace(await self._answer(request, context, allowed), began=began)
        finally:
            if flush is not None:
                await flush

    def account(self, result: OperationResult, context: OperationContext, size: int) -> None:
        """Attribute an operation to its tenant, now that it is known how many bytes its answer has."""
        who = context.identity
        if self._usage is None or who is None or who.tenant is None:
            return
        figures = of_operation(
            failed=bool(result.errors),
            points=result.points,
            seconds=time.perf_counter() - result.began,
            size=size,
            read=context.consumed.read,
            write=context.consumed.write,
        )
        self._usage.count(tenant_family(who.tenant), result.name, figures)
        if self._metrics is not None:
            kind = result.operation.value if result.operation else INVALID
            self._metrics.operation(who.tenant, result.name, kind, time.time(), figures)

    async def _answer(
        self, request: OperationRequest, context: OperationContext, allowed: Collection[OperationType]
    ) -> OperationResult:
        known = OperationResult()
        try:
            check_variables(request.variables, self.limits)
            check_variables(request.extensions, self.limits)
            document = self._documents.prepare(request.query, context.identity)
            name = document.choose(request.operation_name)
            operation = document.profiles[name].operation
            known = OperationResult(operation=operation, name=clip(name, MAX_NAME) if name else ANONYMOUS)
            _require_allowed(operation, allowed)
            is_event = operation is OperationType.SUBSCRIPTION
            limits = self._event_limits if is_event else self.limits
            cost = price(document.profiles[name], request.variables, limits)
            called = known.name if name else None
            name_operation(called)
            with log_fields(operation=called):
                result = await self._paid(document, name, request, context, cost)
        except RefusedError as refused:
            result = self._result(context, refused.failures)
        except DocumentSyntaxError as error:
            result = self._result(context, [Failure(error, error.locations)])
        except ApiError as error:
            result = self._result(context, [Failure(error)])
        return replace(result, operation=known.operation, name=known.name)

    def without_resumption(self, request: OperationRequest, identity: Identity | None) -> OperationRequest:
        """What all who listen to the same ask, wherever each of them resumes: the variable that says so is
        empty, and extensions, which no event has, are left out. For requests that were executed.
        """
        document = self._documents.prepare(request.query, identity)
        name = document.resumption_variable(document.choose(request.operation_name))
        variables = {**request.variables, name: ""} if name in request.variables else request.variables
        return replace(request, variables=variables, extensions={})

    async def _paid(
        self,
        document: Document,
        name: str | None,
        request: OperationRequest,
        context: OperationContext,
        cost: Cost,
    ) -> OperationResult:
        """Charge the price before anything is executed, and give back what was priced and not returned."""
        uses, who = document.profiles[name].uses, context.identity
        if self._rates is not None and uses:
            await self._rates.charge(uses, context)
        if self._budgets is None or not context.is_charged or who is None or who.allowance is None:
            return await self._executed(document, name, request, context, cost)
        assert who.tenant is not None, "a plan is a tenant's"
        family = tenant_family(who.tenant)
        past_quota = document.profiles[name].is_past_quota
        rate = await self._charged(self._budgets, family, cost.points, context, past_quota=past_quota)
        try:
            result = await self._executed(document, name, request, context, cost)
        except (ApiError, RefusedError):
            self._budgets.refund(family, rate, cost.points)
            raise
        # What failed may have read all that it was priced for, and more is in no answer.
        unused = 0 if result.errors else max(0, cost.nodes - objects_in(result.data))
        used = cost.points - unused
        standing = self._budgets.refund(family, rate, cost.points - used)
        extensions = {**result.extensions, "rateLimit": asdict(standing)}
        return replace(result, extensions=extensions, points=used)

    async def _charged(
        self, budgets: Budgets, family: Family, points: int, context: OperationContext, *, past_quota: bool
    ) -> Rate:
        """The rate at which the points were taken. Raises RateLimitedError or QuotaExceededError, if the plan
        is no better now.
        """
        try:
            return await self._taken(budgets, family, points, context, past_quota=past_quota)
        except (RateLimitedError, QuotaExceededError):
            if not await context.renew():
                raise
            return await self._taken(budgets, family, points, context, past_quota=past_quota)

    async def _taken(
        self, budgets: Budgets, family: Family, points: int, context: OperationContext, *, past_quota: bool
    ) -> Rate:
        allowance = context.identity.allowance if context.identity else None
        assert allowance is not None, "who is charged has a plan"
        limits = allowance.limits
        if not past_quota:
            await budgets.require_month(family, limits.points_per_month, context.deadline)
        rate = Rate(limits.points_per_second, limits.burst)
        await budgets.charge(family, rate, points, context.deadline)
        return rate

    async def _executed(
        self,
        document: Document,
        name: str | None,
        request: OperationRequest,
        context: OperationContext,
        cost: Cost,
    ) -> OperationResult:
        extensions = {"cost": asdict(cost)}
        is_subscription = document.profiles[name].operation is OperationType.SUBSCRIPTION
        run = self._executor.first_event if is_subscription else self._executor.execute
        try:
            async with asyncio.timeout(context.deadline.remaining()):
                if document.tells_position:
                    await context.before_reading()
                result = await run(document.node, name, request.variables, request.extensions, context)
        except TimeoutError:
            return self._result(context, [Failure(DeadlineExceededError())], None, extensions)
        if result is None:
            return self._result(context, (), extensions=extensions)
        errors = result.errors or []
        return self._result(context, field_failures(errors), result.data, extensions)

    def _result(
        self,
        context: OperationContext,
        failures: Sequence[Failure],
        data: object = ABSENT,
        extensions: Mapping[str, object] | None = None,
    ) -> OperationResult:
        # The bound of graphql-core counts without the entry that says the bound was reached.
        shown = failures[: self.limits.max_errors + 1]
        if shown:
            codes = sorted({failure.error.code for failure in failures})
            _log.info("Operation answered with errors.", extra={"codes": codes})
        errors = [describe(failure, context.request_id) for failure in shown]
        return OperationResult(data, errors, extensions or {})


def _require_allowed(operation: OperationType, allowed: Collection[OperationType]) -> None:
    if operation in allowed:
        return
    raise SubscriptionRefusedError if operation is OperationType.SUBSCRIPTION else OperationNotAllowedError
