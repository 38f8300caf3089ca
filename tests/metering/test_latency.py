from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from graphql_api.metering.latency import LAST, bucket, is_bucket, percentile

durations = st.lists(st.floats(1, 30_000), min_size=1, max_size=200)


@given(durations, st.sampled_from([0.5, 0.95, 1.0]))
def test_a_percentile_is_told_to_within_ten_per_cent(milliseconds: list[float], share: float):
    counts = Counter(map(bucket, milliseconds))
    told = percentile(counts, share)
    ordered = sorted(milliseconds)
    exact = next(each for number, each in enumerate(ordered, 1) if number >= share * len(ordered))
    assert told is not None
    assert abs(told - exact) <= 0.1 * exact


@given(st.floats(0, 1e9), st.floats(0, 1e9))
def test_buckets_are_in_the_order_of_what_is_in_them(one: float, other: float):
    low, high = sorted((one, other))
    assert bucket(low) <= bucket(high)
    assert is_bucket(bucket(low))


def test_what_is_below_a_millisecond_is_told_as_one():
    assert percentile({bucket(0.2): 3}, 0.5) == 1
    assert percentile({bucket(1e12): 1}, 0.5) is not None
    assert bucket(1e12) == f"ms{LAST}"
    assert percentile({}, 0.5) is None
    assert percentile({"milliseconds": 0}, 0.95) is None
