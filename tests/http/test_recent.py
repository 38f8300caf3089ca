"""How many texts are remembered, and whose have to go."""

import pytest

from graphql_api.operations import recent
from graphql_api.operations.recent import Recent


@pytest.fixture
def texts(monkeypatch: pytest.MonkeyPatch) -> Recent[int]:
    monkeypatch.setattr(recent, "MAX_TEXTS", 8)
    monkeypatch.setattr(recent, "MAX_CHARACTERS", 80)
    return Recent()


def keep(texts: Recent[int], tenant: str, *names: str, is_shared: bool = False) -> None:
    for name in names:
        texts.keep(tenant, name, 1, is_shared=is_shared)


def found(texts: Recent[int], tenant: str, *names: str) -> list[str]:
    return [name for name in names if texts.find(tenant, name)]


def test_a_text_is_found_by_its_tenant_and_a_shared_one_by_all(texts: Recent[int]):
    keep(texts, "acme", "own")
    keep(texts, "acme", "shared", is_shared=True)
    assert found(texts, "acme", "own", "shared") == ["own", "shared"]
    assert found(texts, "globex", "own", "shared") == ["shared"]


def test_the_least_recently_used_text_of_a_share_goes_first(texts: Recent[int]):
    keep(texts, "acme", "a", "b")
    assert found(texts, "acme", "a") == ["a"]
    keep(texts, "acme", "c")
    assert found(texts, "acme", "a", "b", "c") == ["a", "c"]


def test_a_share_is_bounded_in_characters(texts: Recent[int]):
    keep(texts, "acme", "a" * 15, "b" * 15)
    assert found(texts, "acme", "a" * 15, "b" * 15) == ["b" * 15]
    keep(texts, "acme", "c" * 21)
    assert found(texts, "acme", "b" * 15, "c" * 21) == []


@pytest.mark.parametrize("is_shared", [True, False])
def test_a_flood_pushes_out_the_floods_own_texts(texts: Recent[int], is_shared: bool):
    keep(texts, "acme", "a", "b")
    keep(texts, "globex", "c", is_shared=True)
    keep(texts, "initech", *(f"flood {n}" for n in range(1000)), is_shared=is_shared)
    assert found(texts, "acme", "a", "b", "c") == ["a", "b", "c"]
    assert found(texts, "initech", "flood 998", "flood 999", "flood 0") == ["flood 998", "flood 999"]


def test_all_shares_together_are_bounded(texts: Recent[int]):
    tenants = [f"tenant {n}" for n in range(100)]
    for tenant in tenants:
        keep(texts, tenant, "a", "b")
    assert [tenant for tenant in tenants if found(texts, tenant, "a", "b")] == tenants[-4:]
    keep(texts, "acme", "x" * 20)
    for tenant in tenants[:3]:
        keep(texts, tenant, "y" * 20)
    assert found(texts, tenants[-1], "a", "b") == []
    assert found(texts, "acme", "x" * 20) == ["x" * 20]


def test_nothing_is_left_of_a_tenant_that_is_forgotten(texts: Recent[int]):
    for n in range(100):
        keep(texts, f"tenant {n}", "a")
    assert len(texts._shares) == 8
