from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from graphql_api.metering import prices
from graphql_api.metering.figures import of_pushes

NAMES = (
    "operations",
    "microseconds",
    "bytes",
    "read_halves",
    "write_halves",
    "push_steps",
    "pushed_bytes",
    "connection_seconds",
    "webhook_calls",
)
figures = st.dictionaries(st.sampled_from(NAMES), st.integers(0, 10**15), max_size=len(NAMES))


def amounts(**counted: int) -> dict[str, str]:
    return {line.price.item: prices.written(line.amount) for line in prices.bill(counted) if line.amount}


def test_a_million_of_each_costs_what_the_list_says():
    million = 1_000_000
    assert amounts(operations=million) == {"requests": "1.000000000", "function invocations": "0.200000000"}
    assert amounts(webhook_calls=million) == {"function invocations": "0.200000000"}
    assert amounts(read_halves=2 * million) == {"table reads": "0.125000000"}
    assert amounts(write_halves=2 * million) == {"table writes": "0.625000000"}
    assert amounts(push_steps=million) == {"pushes": "1.000000000"}
    assert amounts(connection_seconds=60 * million) == {"connections": "0.250000000"}
    assert amounts(bytes=1024**3, pushed_bytes=1024**3) == {"data out": "0.180000000"}
    # 1769 MB for a million seconds.
    assert amounts(microseconds=million * million) == {"function time": "23.033969336"}


@given(figures)
def test_the_total_is_the_sum_of_what_is_shown(counted: dict[str, int]):
    lines = prices.bill(counted)
    assert prices.dollars(lines) == sum(Decimal(prices.written(line.amount)) for line in lines)


def test_a_push_counts_for_each_32_kb_that_it_begins():
    step = 32 * 1024
    assert of_pushes([1, step, step + 1]) == {"pushes": 3, "push_steps": 4, "pushed_bytes": 2 * step + 2}
