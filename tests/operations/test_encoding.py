import json
import tracemalloc
from typing import Any

import pytest

from graphql_api.operations.encoding import encode, encode_within

ROW = {"id": "a", "number": 1, "ratio": 0.5, "done": False, "due": None, "tags": ["b", "c"], "more": {}}
PAYLOADS: dict[str, Any] = {
    "empty": {"data": {}, "errors": []},
    "rows": {"data": {"rows": [ROW] * 50}},
    "escapes": {"data": {"text": '"\\\n\x00\x1f' * 300}},
    "other alphabets": {"data": {"text": "\u00fc\u4e2d\U0001f4a9" * 300}},
    "a lone surrogate": {"data": {"text": "\u00fc\ud800\n" * 300, "rows": [ROW]}},
    "a large integer": {"data": {"number": 10**40, "text": "\u00fc" * 500}},
    "long names": {"data": [{"a" * 500: None}] * 20},
}
by_name = pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)


@by_name
def test_what_is_encoded_reads_the_same(payload: Any):
    assert json.loads(encode(payload)) == payload


@by_name
def test_an_answer_fits_to_the_byte(payload: Any):
    body = encode(payload)
    assert encode_within(payload, len(body)) == body
    assert encode_within(payload, len(body) - 1) is None


def test_an_answer_over_the_bound_takes_no_memory():
    payload = {"data": [{f"text{n}": "x" * 10_000 for n in range(10)} for _ in range(10)] * 1000}
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        assert encode_within(payload, 4_500_000) is None
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - before < 1_000_000
