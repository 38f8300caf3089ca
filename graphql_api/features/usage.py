"""Usage: what a tenant used and what it cost, for its administrators and for the platform's operators."""

from datetime import date
from enum import StrEnum
from typing import Annotated

import strawberry

from graphql_api.auth.identity import TENANT_SLUG, Role
from graphql_api.auth.permissions import at_least
from graphql_api.context import Info
from graphql_api.errors import NotFoundError
from graphql_api.feature import Feature
from graphql_api.features.tenants import TenantRegistration
from graphql_api.metering.ledger import Ledger
from graphql_api.usage_reports import (
    MAX_DAYS,
    MAX_DAYS_BY_HOUR,
    MAX_MONTHS,
    UsageReport,
    daily,
    hourly,
    ledger_of,
    own_ledger,
    period,
)


@strawberry.enum(description="What a point of a series stands for.")
class UsageResolution(StrEnum):
    HOURLY = "HOURLY"
    DAILY = "DAILY"


_From = Annotated[date, strawberry.argument(name="from", description="The first day, in UTC.")]
_To = Annotated[
    date,
    strawberry.argument(
        name="to",
        description=f"The last day: of {MAX_DAYS} at most, hour by hour of {MAX_DAYS_BY_HOUR}.",
    ),
]


@strawberry.type
class UsageQuery:
    @strawberry.field(
        description="What your tenant used, and what it cost.",
        permission_classes=[at_least(Role.ADMIN)],
        metadata={"query": MAX_MONTHS},
    )
    async def usage(
        self, info: Info, first: _From, last: _To, resolution: UsageResolution = UsageResolution.DAILY
    ) -> UsageReport:
        return await _report(own_ledger(info), first, last, resolution)

    @strawberry.field(
        description="What a tenant used, and what it cost; for the platform's operators.",
        permission_classes=[at_least(Role.PLATFORM)],
        metadata={"query": MAX_MONTHS},
    )
    async def tenant_usage(
        self,
        info: Info,
        slug: str,
        first: _From,
        last: _To,
        resolution: UsageResolution = UsageResolution.DAILY,
    ) -> UsageReport:
        if not TENANT_SLUG.match(slug):
            raise NotFoundError(TenantRegistration.noun)
        await info.context.platform.get(TenantRegistration, slug)
        return await _report(ledger_of(info, slug), first, last, resolution)


async def _report(ledger: Ledger, first: date, last: date, resolution: UsageResolution) -> UsageReport:
    if resolution is UsageResolution.HOURLY:
        return await hourly(ledger, period(first, last, MAX_DAYS_BY_HOUR))
    return await daily(ledger, period(first, last, MAX_DAYS))


FEATURE = Feature(query=UsageQuery)
