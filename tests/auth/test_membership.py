"""What the tenant's records say of a caller: how old it may be, and whose it is."""

import asyncio
from dataclasses import replace

import pytest

from graphql_api.auth.identity import Identity, Role
from graphql_api.auth.membership import CAPACITY, TTL, Membership, Memberships
from graphql_api.auth.tokens import Claims
from graphql_api.errors import ForbiddenError
from tests.auth.clock import Clock

MEMBER = Membership(Role.MEMBER, active=True, tenant_active=True)


class Records:
    """The store's rows, and every read of them."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], Membership] = {}
        self.reads: list[tuple[str, str]] = []
        self.failure: Exception | None = None
        self.began = asyncio.Event()

    async def read(self, tenant: str, subject: str) -> Membership | None:
        self.reads.append((tenant, subject))
        self.began.set()
        row = self.rows.get((tenant, subject))
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        return row


@pytest.fixture
def records() -> Records:
    records = Records()
    records.rows["acme", "user-1"] = MEMBER
    return records


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def memberships(records: Records, clock: Clock) -> Memberships:
    return Memberships(records.read, clock=clock)


def claims(tenant: str = "acme", subject: str = "user-1", role: Role = Role.MEMBER) -> Claims:
    return Claims(subject, role, tenant, expires_at=99)


async def test_claims_and_record_make_an_identity(memberships: Memberships) -> None:
    assert await memberships.identify(claims()) == Identity("user-1", Role.MEMBER, "acme", 99)


TENANT_ROLES = [Role.VIEWER, Role.MEMBER, Role.MANAGER, Role.ADMIN]


@pytest.mark.parametrize("held", TENANT_ROLES)
@pytest.mark.parametrize("claimed", TENANT_ROLES)
async def test_the_lower_of_both_roles_counts(
    records: Records, memberships: Memberships, claimed: Role, held: Role
) -> None:
    records.rows["acme", "user-1"] = replace(MEMBER, role=held)
    identity = await memberships.identify(claims(role=claimed))
    assert identity.role is TENANT_ROLES[min(TENANT_ROLES.index(claimed), TENANT_ROLES.index(held))]


@pytest.mark.parametrize(
    "record",
    [
        None,
        replace(MEMBER, active=False),
        replace(MEMBER, tenant_active=False),
        replace(MEMBER, active=False, tenant_active=False),
        replace(MEMBER, role=Role.PLATFORM),
    ],
    ids=["no record", "user suspended", "tenant suspended", "both", "a record that grants PLATFORM"],
)
async def test_who_may_not_act_is_forbidden(
    records: Records, memberships: Memberships, record: Membership | None
) -> None:
    records.rows.clear()
    if record is not None:
        records.rows["acme", "user-1"] = record
    with pytest.raises(ForbiddenError):
        await memberships.identify(claims())


async def test_platform_is_looked_up_nowhere(records: Records, memberships: Memberships) -> None:
    identity = await memberships.identify(Claims("operator", Role.PLATFORM, None, expires_at=99))
    assert identity == Identity("operator", Role.PLATFORM, None, 99)
    assert records.reads == []


async def test_a_record_is_read_once_per_30_seconds(
    records: Records, memberships: Memberships, clock: Clock
) -> None:
    for _ in range(30):
        await memberships.identify(claims())
        clock.advance(1)
    assert len(records.reads) == 1
    await memberships.identify(claims())
    assert len(records.reads) == 2
    assert TTL == 30


@pytest.mark.parametrize(
    "record", [replace(MEMBER, active=False), replace(MEMBER, tenant_active=False), None]
)
async def test_a_suspension_or_removal_takes_effect_within_30_seconds(
    records: Records, memberships: Memberships, clock: Clock, record: Membership | None
) -> None:
    await memberships.identify(claims())
    records.rows = {} if record is None else {("acme", "user-1"): record}
    clock.advance(TTL - 1)
    await memberships.identify(claims())
    clock.advance(1)
    with pytest.raises(ForbiddenError):
        await memberships.identify(claims())


async def test_a_demotion_takes_effect_within_30_seconds(
    records: Records, memberships: Memberships, clock: Clock
) -> None:
    await memberships.identify(claims())
    records.rows["acme", "user-1"] = replace(MEMBER, role=Role.VIEWER)
    clock.advance(TTL)
    assert (await memberships.identify(claims())).role is Role.VIEWER


async def test_a_record_is_as_old_as_the_moment_its_read_began(
    records: Records, memberships: Memberships, clock: Clock
) -> None:
    reading = asyncio.create_task(memberships.identify(claims()))
    await records.began.wait()
    clock.advance(TTL - 1)
    await reading
    clock.advance(1)
    await memberships.identify(claims())
    assert len(records.reads) == 2


async def test_a_clock_set_back_does_not_prolong_a_record(
    records: Records, memberships: Memberships, clock: Clock
) -> None:
    await memberships.identify(claims())
    clock.advance(-3600)
    await memberships.identify(claims())
    assert len(records.reads) == 2


async def test_an_invitation_takes_effect_at_once(records: Records, memberships: Memberships) -> None:
    newcomer = claims(subject="user-2")
    with pytest.raises(ForbiddenError):
        await memberships.identify(newcomer)
    records.rows["acme", "user-2"] = MEMBER
    assert (await memberships.identify(newcomer)).subject == "user-2"


async def test_concurrent_requests_of_one_caller_share_one_read(
    records: Records, memberships: Memberships
) -> None:
    await asyncio.gather(*(memberships.identify(claims()) for _ in range(50)))
    assert len(records.reads) == 1


async def test_interleaved_tenants_never_cross(
    records: Records, memberships: Memberships, clock: Clock
) -> None:
    """One subject in two tenants with different roles, and a third tenant whose name is a prefix."""
    records.rows = {
        ("acme", "user-1"): replace(MEMBER, role=Role.VIEWER),
        ("globex", "user-1"): replace(MEMBER, role=Role.ADMIN),
        ("acme-1", "user-1"): replace(MEMBER, role=Role.MANAGER),
    }
    expected = {tenant: row.role for (tenant, _), row in records.rows.items()}
    for _ in range(20):
        tenants = [list(expected)[n % 3] for n in range(50)]
        found = await asyncio.gather(
            *(memberships.identify(claims(tenant, role=Role.ADMIN)) for tenant in tenants)
        )
        assert [(who.tenant, who.role) for who in found] == [(name, expected[name]) for name in tenants]
        clock.advance(TTL / 2)
    assert {key[0] for key in records.reads} == set(expected)


async def test_a_failed_read_is_the_callers_failure_and_is_not_remembered(
    records: Records, memberships: Memberships
) -> None:
    records.failure = ConnectionError("the table is away")
    asked = await asyncio.gather(*(memberships.identify(claims()) for _ in range(10)), return_exceptions=True)
    assert [type(answer) for answer in asked] == [ConnectionError] * 10
    records.failure = None
    assert (await memberships.identify(claims())).role is Role.MEMBER


async def test_an_old_record_does_not_outlive_a_failed_read(
    records: Records, memberships: Memberships, clock: Clock
) -> None:
    await memberships.identify(claims())
    records.failure = ConnectionError("the table is away")
    clock.advance(TTL)
    with pytest.raises(ConnectionError):
        await memberships.identify(claims())


async def test_a_caller_that_gives_up_does_not_fail_the_others(
    records: Records, memberships: Memberships
) -> None:
    first = asyncio.create_task(memberships.identify(claims()))
    second = asyncio.create_task(memberships.identify(claims()))
    await records.began.wait()
    first.cancel()
    assert (await second).tenant == "acme"
    assert len(records.reads) == 1


async def test_the_cache_holds_no_more_than_its_capacity_and_drops_the_longest_held(
    records: Records, clock: Clock
) -> None:
    memberships = Memberships(records.read, clock=clock, capacity=3)
    for number in range(5):
        records.rows["acme", f"user-{number}"] = MEMBER
        await memberships.identify(claims(subject=f"user-{number}"))
    records.reads.clear()
    for number in (4, 3, 2, 1):
        await memberships.identify(claims(subject=f"user-{number}"))
    assert records.reads == [("acme", "user-1")]
    assert CAPACITY == 10_000


async def test_a_record_read_again_counts_as_the_newest(records: Records, clock: Clock) -> None:
    memberships = Memberships(records.read, clock=clock, capacity=2)
    for number in range(3):
        records.rows["acme", f"user-{number}"] = MEMBER
    await memberships.identify(claims(subject="user-0"))
    await memberships.identify(claims(subject="user-1"))
    clock.advance(TTL)
    await memberships.identify(claims(subject="user-0"))
    await memberships.identify(claims(subject="user-2"))
    records.reads.clear()
    await memberships.identify(claims(subject="user-0"))
    assert records.reads == []
