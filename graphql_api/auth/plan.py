"""What a tenant's plan allows: part of who its members are."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

import strawberry


class Tier(StrEnum):
    """The plans there are; what each allows is data, which the platform edits."""

    FREE = "FREE"
    PRO = "PRO"
    ENTERPRISE = "ENTERPRISE"


class PlanFeature(StrEnum):
    """What a plan has or has not."""

    CUSTOM_FIELDS = "CUSTOM_FIELDS"
    AUDIT = "AUDIT"


@strawberry.type(description="How much of everything a plan allows.")
class PlanLimits:
    """Cost points, counts of what a tenant may have, and days."""

    points_per_second: int = strawberry.field(description="Cost points that the budget gains in a second.")
    burst: int = strawberry.field(description="Cost points that a full budget holds.")
    points_per_month: int = strawberry.field(description="Cost points in a calendar month (UTC).")
    max_users: int = strawberry.field(description="Members, suspended ones included.")
    max_projects: int = strawberry.field(description="Projects that are not deleted.")
    max_tasks: int = strawberry.field(description="Tasks that are not deleted.")
    max_subscriptions: int = strawberry.field(description="Subscriptions of one socket.")
    max_webhooks: int = strawberry.field(description="Webhook endpoints.")
    retention_days: int = strawberry.field(
        description="How long changes can be read, as far as the installation keeps them."
    )


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one tenant may use: the numbers and the features of its plan."""

    tier: Tier
    limits: PlanLimits
    features: Collection[PlanFeature] = ()


DEFAULTS = {
    Tier.FREE: Allowance(
        Tier.FREE,
        PlanLimits(
            points_per_second=50,
            burst=10_000,
            points_per_month=2_000_000,
            max_users=10,
            max_projects=20,
            max_tasks=2_000,
            max_subscriptions=10,
            max_webhooks=1,
            retention_days=7,
        ),
    ),
    Tier.PRO: Allowance(
        Tier.PRO,
        PlanLimits(
            points_per_second=500,
            burst=50_000,
            points_per_month=50_000_000,
            max_users=200,
            max_projects=1_000,
            max_tasks=200_000,
            max_subscriptions=20,
            max_webhooks=10,
            retention_days=30,
        ),
        (PlanFeature.CUSTOM_FIELDS,),
    ),
    Tier.ENTERPRISE: Allowance(
        Tier.ENTERPRISE,
        PlanLimits(
            points_per_second=5_000,
            burst=500_000,
            points_per_month=2_000_000_000,
            max_users=50_000,
            max_projects=100_000,
            max_tasks=10_000_000,
            max_subscriptions=20,
            max_webhooks=50,
            retention_days=365,
        ),
        tuple(PlanFeature),
    ),
}
