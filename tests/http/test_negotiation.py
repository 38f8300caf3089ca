import pytest

from graphql_api.app.negotiation import negotiate

GRAPHQL, JSON = "application/graphql-response+json", "application/json"
APOLLO = "application/graphql-response+json,application/json;q=0.9"
URQL = f"{GRAPHQL}, application/graphql+json, {JSON}, text/event-stream, multipart/mixed"


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, JSON),
        ("", JSON),
        ("  ", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (JSON, JSON),
        (GRAPHQL, GRAPHQL),
        (GRAPHQL.upper(), GRAPHQL),
        (f"{GRAPHQL}; charset=utf-8", GRAPHQL),
        (APOLLO, GRAPHQL),
        (URQL, GRAPHQL),
        (f"{JSON}, {GRAPHQL}", JSON),
        (f"{GRAPHQL};q=0.5, {JSON};q=0.8", JSON),
        (f"{JSON};q=0, */*", GRAPHQL),
        (f"{GRAPHQL};q=0, */*;q=0.1", JSON),
        (f"*/*;q=0.1, {GRAPHQL}", GRAPHQL),
        (f"text/html, {GRAPHQL};q=0.001", GRAPHQL),
        ("text/html", None),
        (f"{JSON};q=0", None),
        (f"{JSON};q=nonsense", None),
        (f"{JSON};q=nan", None),
        (f"{JSON};q=7", None),
        ("application/json-patch+json", None),
        (",;,=;q", None),
        (f"{JSON}, " + "a/b," * 253, None),
    ],
)
def test_the_best_offered_type_is_chosen(accept: str | None, chosen: str | None):
    assert negotiate(accept) == chosen
