"""Plans: what a tenant may use. They are data of the platform, which its operators edit."""

import dataclasses
from collections.abc import Callable
from typing import Annotated, ClassVar

import strawberry
from strawberry.utils.str_converters import to_camel_case

from graphql_api import inputs
from graphql_api.audit.acts import audited
from graphql_api.audit.entry import AuditKind
from graphql_api.auth.identity import Role
from graphql_api.auth.permissions import at_least
from graphql_api.auth.plan import DEFAULTS, Allowance, PlanFeature, PlanLimits, Tier
from graphql_api.context import Info
from graphql_api.errors import ForbiddenError, InvalidInputError
from graphql_api.feature import Feature, once
from graphql_api.features.tenants import TenantRegistration, amend
from graphql_api.metering.field_rates import FieldRate, Per
from graphql_api.metering.limits import Limits
from graphql_api.results import Problem
from graphql_api.store.entity import Entity
from graphql_api.store.idempotency import Mark
from graphql_api.store.repository import Repository, together

MOST = 2_000_000_000  # an Int of GraphQL has 32 bits
# The least of each. Whatever a document may cost must fit into a full budget, or it could never be executed.
_LEAST = {
    "points_per_second": 1,
    "burst": Limits().max_cost,
    "points_per_month": Limits().max_cost,
    "max_users": 1,
    "max_projects": 1,
    "max_tasks": 1,
    "max_subscriptions": 1,
    "max_webhooks": 0,
    "retention_days": 1,
}
strawberry.enum(PlanFeature, description="What a plan has or has not.")


@strawberry.type(description="What tenants of a plan may use.")
class Plan(Entity):
    kind: ClassVar[str] = "PLAN"
    noun: ClassVar[str] = "Plan"

    limits: PlanLimits
    features: list[PlanFeature]
    self_service: bool = strawberry.field(description="Whether tenants may choose it themselves.")

    @strawberry.field(description="Which plan it is.")
    def tier(self) -> Tier:
        return Tier(self.uid)

    @property
    def allowance(self) -> Allowance:
        return Allowance(Tier(self.uid), self.limits, tuple(self.features))


@strawberry.type(description="What your tenant may use, by its plan.")
class Entitlements:
    plan: Tier
    limits: PlanLimits
    features: list[PlanFeature]


@strawberry.input(description="Changes to a plan; they take effect for its tenants within a minute.")
class UpdatePlanInput:
    tier: Tier
    expected_version: int | None = None
    points_per_second: strawberry.Maybe[int | None]
    burst: strawberry.Maybe[int | None] = strawberry.field(
        description=f"{_LEAST['burst']} at least, which one operation may cost."
    )
    points_per_month: strawberry.Maybe[int | None]
    max_users: strawberry.Maybe[int | None]
    max_projects: strawberry.Maybe[int | None]
    max_tasks: strawberry.Maybe[int | None]
    max_subscriptions: strawberry.Maybe[int | None]
    max_webhooks: strawberry.Maybe[int | None]
    retention_days: strawberry.Maybe[int | None]
    features: strawberry.Maybe[list[PlanFeature] | None]
    self_service: strawberry.Maybe[bool | None]
    idempotency_key: str | None = None


@strawberry.input(description="Another plan for a tenant.")
class ChangePlanInput:
    slug: str
    plan: Tier
    idempotency_key: str | None = None


@strawberry.input(description="Another plan for your tenant.")
class ChoosePlanInput:
    plan: Tier
    idempotency_key: str | None = None


@strawberry.type
class ChoosePlanPayload:
    entitlements: Entitlements


@strawberry.type
class UpdatePlanPayload:
    plan: Plan


@strawberry.type
class ChangePlanPayload:
    tenant: TenantRegistration


ChangePlanResult = Annotated[ChangePlanPayload | Problem, strawberry.union("ChangePlanResult")]
ChoosePlanResult = Annotated[ChoosePlanPayload | Problem, strawberry.union("ChoosePlanResult")]
UpdatePlanResult = Annotated[UpdatePlanPayload | Problem, strawberry.union("UpdatePlanResult")]


async def plan_of(platform: Repository, tier: Tier) -> Plan:
    """The plan as it is; as it was shipped where nobody has edited it."""
    shipped = DEFAULTS[tier]
    stored = await platform.find(Plan, tier)
    return stored or platform.new(
        Plan,
        uid=tier,
        limits=shipped.limits,
        features=list(shipped.features),
        self_service=tier is not Tier.ENTERPRISE,
    )


def _bounded(name: str) -> Callable[[int | None], int]:
    shown, least = to_camel_case(name), _LEAST[name]

    def clean(given: int | None) -> int:
        value = inputs.present(given, shown)
        if not least <= value <= MOST:
            raise InvalidInputError(f"{shown} is from {least} to {MOST}.", shown)
        return value

    return clean


def _features(given: list[PlanFeature] | None) -> list[PlanFeature]:
    wanted = inputs.present(given, "features")
    return [feature for feature in PlanFeature if feature in wanted]


async def _update(platform: Repository, payload: UpdatePlanInput, mark: Mark) -> Plan:
    limits = inputs.patch(**{name: (getattr(payload, name), _bounded(name)) for name in _LEAST})
    rest = inputs.patch(
        features=(payload.features, _features),
        self_service=(payload.self_service, lambda given: inputs.present(given, "selfService")),
    )
    fresh = platform.fresh()
    plan = await fresh.find(Plan, payload.tier)
    if plan is None:
        plan = await plan_of(fresh, payload.tier)
        await platform.commit(platform.put(plan), leaves=[plan])
    return await platform.update(
        plan,
        lambda now: dataclasses.replace(now, limits=dataclasses.replace(now.limits, **limits), **rest),
        expected_version=payload.expected_version,
        mark=mark,
    )


async def _change(platform: Repository, payload: ChangePlanInput, mark: Mark) -> TenantRegistration:
    return await amend(platform, payload.slug, mark, plan=payload.plan)


async def _choose(
    registry: Repository, payload: ChoosePlanInput, mark: Mark, slug: str
) -> TenantRegistration:
    if not (await plan_of(registry.fresh(), payload.plan)).self_service:
        raise ForbiddenError("Ask the platform's operators for this plan.")
    return await amend(registry, slug, mark, plan=payload.plan)


def _entitlements(allowance: Allowance) -> Entitlements:
    return Entitlements(plan=allowance.tier, limits=allowance.limits, features=list(allowance.features))


@strawberry.type
class PlanQuery:
    @strawberry.field(
        description="What your tenant may use; a change of plan shows within a minute.",
        permission_classes=[at_least(Role.VIEWER)],
    )
    def entitlements(self, info: Info) -> Entitlements:
        allowance = info.context.caller.allowance
        assert allowance is not None, "whoever is a member of a tenant has its plan"
        return _entitlements(allowance)

    @strawberry.field(
        description="All plans; for the platform's operators.",
        permission_classes=[at_least(Role.PLATFORM)],
        metadata={"list_size": len(Tier)},
    )
    async def plans(self, info: Info) -> list[Plan]:
        return await together(plan_of(info.context.platform, tier) for tier in Tier)


@strawberry.type
class PlanMutation:
    @strawberry.mutation(
        description="Change what a plan allows.",
        permission_classes=[at_least(Role.PLATFORM)],
        extensions=[audited(AuditKind.ADMINISTRATION)],
    )
    async def update_plan(self, info: Info, input: UpdatePlanInput) -> UpdatePlanResult | None:
        return UpdatePlanPayload(plan=await once(info.context.platform, info, input, Plan, _update))

    @strawberry.mutation(
        description="Give a tenant another plan; takes effect within a minute.",
        permission_classes=[at_least(Role.PLATFORM)],
        extensions=[audited(AuditKind.ADMINISTRATION)],
    )
    async def change_plan(self, info: Info, input: ChangePlanInput) -> ChangePlanResult | None:
        registration = await once(info.context.platform, info, input, TenantRegistration, _change)
        return ChangePlanPayload(tenant=registration)

    @strawberry.mutation(
        description="Choose another plan for your tenant; takes effect at once for what your plan refused.",
        permission_classes=[at_least(Role.ADMIN)],
        metadata={"rates": [FieldRate(Per.USER, burst=10, per_minute=1)], "past_quota": True},
        extensions=[audited(AuditKind.ADMINISTRATION)],
    )
    async def choose_plan(self, info: Info, input: ChoosePlanInput) -> ChoosePlanResult | None:
        registry, slug = info.context.registering(), info.context.caller.tenant
        assert slug is not None, "ADMIN is a member of a tenant"
        registration = await once(
            registry,
            info,
            input,
            TenantRegistration,
            lambda registry, payload, mark: _choose(registry, payload, mark, slug),
        )
        plan = await plan_of(registry.fresh(), registration.plan)
        return ChoosePlanPayload(entitlements=_entitlements(plan.allowance))


FEATURE = Feature(query=PlanQuery, mutation=PlanMutation)
